//! stub
use crate::text::Sentence;
use serenity::all::*;
/// s
pub struct Rendered;
/// s
pub fn message(_: &Sentence) -> Rendered {
    Rendered
}
impl Rendered {
    /// s
    pub fn edit_reply(&self) -> EditInteractionResponse {
        EditInteractionResponse::new()
    }
    /// s
    pub fn edit_message(&self) -> EditMessage {
        EditMessage::new()
    }
    /// s
    pub fn create_message(&self, _: &str) -> CreateMessage {
        CreateMessage::new()
    }
}
