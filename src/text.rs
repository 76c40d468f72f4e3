//! stub
use crate::model::Locale;
use crate::reply::Reply;
/// s
pub struct Sentence {
    /// t
    pub title: String,
    /// b
    pub body: String,
}
/// s
pub fn say(_: &Reply, _: Locale) -> Sentence {
    Sentence { title: String::new(), body: String::new() }
}
/// s
pub fn command_description(path: &str, _: Locale) -> String {
    path.to_owned()
}
