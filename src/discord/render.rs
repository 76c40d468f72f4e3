//! From a sentence to a message, within Discord's limits (discord-rules 4). No message pings anybody.

use serenity::all::{
    ButtonStyle, ChannelId as Channel, Colour, CreateActionRow, CreateAllowedMentions, CreateButton, CreateEmbed,
    CreateInteractionResponseFollowup, CreateMessage, EditInteractionResponse, EditMessage, MessageId as Message,
    MessageReference, MessageReferenceKind, Nonce,
};

use super::buttons;
use crate::model::ids::{ChannelId, MessageId};
use crate::reply::Verb;
use crate::text::{Button, Sentence, Tone, cut};

const TITLE_MAX: usize = 256;
const DESCRIPTION_MAX: usize = 4096;
const FIELDS_MAX: usize = 25;
const FIELD_NAME_MAX: usize = 256;
const FIELD_VALUE_MAX: usize = 1024;
const LABEL_MAX: usize = 80;
const URL_MAX: usize = 512;

/// All embeds of a message together.
const TOTAL_MAX: usize = 6000;

/// A message as Discord will show it.
#[derive(Clone, Debug)]
pub struct Rendered {
    embed: CreateEmbed,
    components: Vec<CreateActionRow>,
}

/// Renders a sentence: one embed, and a button where there is something to open.
pub fn message(sentence: &Sentence) -> Rendered {
    let mut left = TOTAL_MAX;
    let mut take = |text: &str, max: usize| {
        let text = cut(text, max.min(left));
        left -= length(&text);
        text
    };
    let title = take(&sentence.title, TITLE_MAX);
    let description = take(&sentence.body, DESCRIPTION_MAX);
    let mut embed = CreateEmbed::new().title(title).description(description).colour(colour(sentence.tone));
    for field in sentence.fields.iter().take(FIELDS_MAX) {
        let (name, value) = (take(&field.name, FIELD_NAME_MAX), take(&field.value, FIELD_VALUE_MAX));
        if !name.is_empty() && !value.is_empty() {
            embed = embed.field(name, value, field.inline);
        }
    }
    let buttons = sentence.buttons.iter().map(button);
    let link = sentence.link.as_ref().filter(|link| link.url.len() <= URL_MAX);
    let link = link.map(|link| CreateButton::new_link(&link.url).label(cut(&link.label, LABEL_MAX)));
    let row: Vec<CreateButton> = buttons.chain(link).collect();
    let components = if row.is_empty() { Vec::new() } else { vec![CreateActionRow::Buttons(row)] };
    Rendered { embed, components }
}

fn button(button: &Button) -> CreateButton {
    let style = match button.verb {
        Verb::Run => ButtonStyle::Primary,
        Verb::Cancel | Verb::Again => ButtonStyle::Secondary,
    };
    let label = cut(&button.label, LABEL_MAX);
    CreateButton::new(buttons::custom_id(button.verb, &button.offer)).label(label).style(style)
}

impl Rendered {
    /// As the answer to an interaction.
    pub fn edit_reply(&self) -> EditInteractionResponse {
        EditInteractionResponse::new()
            .embed(self.embed.clone())
            .components(self.components.clone())
            .allowed_mentions(nobody())
    }

    /// As a further message by an interaction's token.
    pub fn follow_up(&self) -> CreateInteractionResponseFollowup {
        CreateInteractionResponseFollowup::new()
            .embed(self.embed.clone())
            .components(self.components.clone())
            .allowed_mentions(nobody())
    }

    /// As a message of the bot, changed.
    pub fn edit_message(&self) -> EditMessage {
        EditMessage::new().embed(self.embed.clone()).components(self.components.clone()).allowed_mentions(nobody())
    }

    /// As a new message of the bot, perhaps a reply; the same `nonce` makes the same message within minutes.
    pub fn create_message(&self, nonce: &str, reply_to: Option<(ChannelId, MessageId)>) -> CreateMessage {
        let message = CreateMessage::new()
            .embed(self.embed.clone())
            .components(self.components.clone())
            .allowed_mentions(nobody())
            .nonce(Nonce::String(nonce.to_owned()))
            .enforce_nonce(true);
        match reply_to {
            Some((channel, replied)) => message.reference_message(reference(channel, replied)),
            None => message,
        }
    }
}

/// A message that was deleted meanwhile is no fault: then the answer stands by itself.
fn reference(channel: ChannelId, replied: MessageId) -> MessageReference {
    MessageReference::new(MessageReferenceKind::Default, Channel::new(channel.0))
        .message_id(Message::new(replied.0))
        .fail_if_not_exists(false)
}

fn nobody() -> CreateAllowedMentions {
    CreateAllowedMentions::new().replied_user(false)
}

fn colour(tone: Tone) -> Colour {
    match tone {
        Tone::Good => Colour::new(0x2E_A0_43),
        Tone::Bad => Colour::new(0xD7_3A_49),
        Tone::Waiting => Colour::new(0xD2_99_22),
        Tone::Neutral => Colour::new(0x57_60_6A),
    }
}

/// Discord counts UTF-16 units in places and characters in others: the larger number is safe for both.
fn length(text: &str) -> usize {
    text.encode_utf16().count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::{Field, Link};

    #[test]
    fn the_longest_sentence_keeps_to_every_limit_and_pings_nobody() {
        let long = "流😀".repeat(5000);
        let field = Field { name: long.clone(), value: long.clone(), inline: true };
        let link = Some(Link { label: long.clone(), url: "https://ci.example.com".into() });
        let fields = vec![field; 30];
        let run = Button { label: long.clone(), verb: Verb::Run, offer: "1234567890123456789".parse().expect("an id") };
        let buttons = vec![run];
        let sentence = Sentence { tone: Tone::Good, title: long.clone(), body: long, fields, link, buttons };
        let rendered = message(&sentence);
        let json = serde_json::to_value(rendered.edit_reply()).expect("JSON");
        assert_eq!(json["allowed_mentions"]["parse"], serde_json::json!([]));
        let embed = &json["embeds"][0];
        let of = |pointer: &str| embed.pointer(pointer).and_then(|text| text.as_str()).map_or(0, length);
        assert_eq!((of("/title"), of("/description")), (256, 4096));
        let fields = embed["fields"].as_array().expect("fields");
        let parts = fields.iter().flat_map(|field| [&field["name"], &field["value"]]);
        let total: usize = parts.map(|text| length(text.as_str().expect("text"))).sum::<usize>() + 256 + 4096;
        assert!(total <= TOTAL_MAX && fields.len() <= 25, "{total}");
        let row = json["components"][0]["components"].as_array().expect("a row");
        assert_eq!((row.len(), row[0]["custom_id"].as_str()), (2, Some("run:1234567890123456789")));
        assert!(row.iter().all(|button| length(button["label"].as_str().expect("a label")) <= LABEL_MAX));
        let created = serde_json::to_value(rendered.create_message("7r1", None)).expect("JSON");
        let edited = serde_json::to_value(rendered.edit_message()).expect("JSON");
        for sent in [&created, &edited] {
            assert_eq!(sent["allowed_mentions"]["parse"], serde_json::json!([]));
            assert_eq!(sent["embeds"][0], *embed);
        }
        assert_eq!((&created["nonce"], &created["enforce_nonce"]), (&"7r1".into(), &true.into()));
        let reply =
            serde_json::to_value(rendered.create_message("7r1", Some((ChannelId(3), MessageId(4))))).expect("JSON");
        let reference = &reply["message_reference"];
        assert_eq!((&reference["message_id"], &reference["fail_if_not_exists"]), (&"4".into(), &false.into()));
        assert_eq!(
            reply["allowed_mentions"],
            serde_json::json!({"parse": [], "users": [], "roles": [], "replied_user": false})
        );
    }
}
