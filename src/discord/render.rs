//! From a sentence to a message, within Discord's limits (discord-rules 4). Only a new message of the bot's own pings,
//! and only whom the sentence names; an answer or an edit pings nobody and leaves the text that pinged alone.

use std::collections::HashSet;

use serenity::all::{
    ButtonStyle, ChannelId as Channel, Colour, CreateActionRow, CreateAllowedMentions, CreateButton, CreateEmbed,
    CreateInteractionResponseFollowup, CreateMessage, CreateSelectMenu, CreateSelectMenuKind, CreateSelectMenuOption,
    EditInteractionResponse, EditMessage, MessageId as Message, MessageReference, MessageReferenceKind, Nonce,
    RoleId as Role, UserId as User,
};

use super::buttons;
use crate::model::ids::{ChannelId, MessageId};
use crate::reply::Verb;
use crate::reply::notice::Ping;
use crate::text::{Button, List, Sentence, Tone, cut};

const TITLE_MAX: usize = 256;
const DESCRIPTION_MAX: usize = 4096;
const FIELDS_MAX: usize = 25;
const FIELD_NAME_MAX: usize = 256;
const FIELD_VALUE_MAX: usize = 1024;
const LABEL_MAX: usize = 80;
const URL_MAX: usize = 512;

/// Rows of a message, and buttons of a row; a list fills a row of its own.
const ROWS_MAX: usize = 5;
const BUTTONS_MAX: usize = 5;

const CHOICES_MAX: usize = 25;
/// Label, value and description of a choice.
const CHOICE_MAX: usize = 100;
const PLACEHOLDER_MAX: usize = 150;

/// All embeds of a message together.
const TOTAL_MAX: usize = 6000;

/// A message as Discord will show it.
#[derive(Clone, Debug)]
pub struct Rendered {
    embed: CreateEmbed,
    components: Vec<CreateActionRow>,
    ping: Ping,
}

/// Renders a sentence: one embed, under it what can be pressed, opened and chosen.
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
    Rendered { embed, components: rows(sentence), ping: sentence.ping.clone() }
}

fn rows(sentence: &Sentence) -> Vec<CreateActionRow> {
    let link = sentence.link.as_ref().filter(|link| link.url.len() <= URL_MAX);
    let link = link.map(|link| CreateButton::new_link(&link.url).label(cut(&link.label, LABEL_MAX)));
    let buttons: Vec<CreateButton> = sentence.buttons.iter().map(button).chain(link).collect();
    let buttons = buttons.chunks(BUTTONS_MAX).map(|row| CreateActionRow::Buttons(row.to_vec()));
    buttons.chain(sentence.lists.iter().filter_map(list)).take(ROWS_MAX).collect()
}

/// A value comes back as it was sent, so it cannot be cut: what has none that fits cannot be chosen. Nor can two things
/// have the same.
fn list(list: &List) -> Option<CreateActionRow> {
    let mut values = HashSet::new();
    let fits = |value: &str| (1..=CHOICE_MAX).contains(&length(value));
    let usable = list.choices.iter().filter(|choice| fits(&choice.value) && values.insert(choice.value.as_str()));
    let options: Vec<CreateSelectMenuOption> = usable
        .take(CHOICES_MAX)
        .map(|choice| {
            let label = if choice.label.trim().is_empty() { &choice.value } else { &choice.label };
            let option = CreateSelectMenuOption::new(cut(label, CHOICE_MAX), &choice.value);
            let detail = cut(&choice.detail, CHOICE_MAX);
            if detail.trim().is_empty() { option } else { option.description(detail) }
        })
        .collect();
    if options.is_empty() {
        return None;
    }
    let kind = CreateSelectMenuKind::String { options };
    let menu = CreateSelectMenu::new(buttons::custom_id(list.verb, &list.offer), kind);
    Some(CreateActionRow::SelectMenu(menu.placeholder(cut(&list.placeholder, PLACEHOLDER_MAX))))
}

fn button(button: &Button) -> CreateButton {
    let style = match button.verb {
        Verb::Run | Verb::FailedJobs | Verb::TakeOver => ButtonStyle::Primary,
        Verb::Cancel | Verb::Again | Verb::Whole | Verb::From | Verb::Skip => ButtonStyle::Secondary,
        Verb::Stop => ButtonStyle::Danger,
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

    /// As a new message of the bot, perhaps a reply: the one form that pings. The same `nonce` makes the same message within minutes.
    pub fn create_message(&self, nonce: &str, reply_to: Option<(ChannelId, MessageId)>) -> CreateMessage {
        let message = CreateMessage::new()
            .embed(self.embed.clone())
            .components(self.components.clone())
            .allowed_mentions(only(&self.ping))
            .nonce(Nonce::String(nonce.to_owned()))
            .enforce_nonce(true);
        let called = called(&self.ping);
        // Only text pings, an embed never does (discord-rules 4).
        let message = if called.is_empty() { message } else { message.content(called) };
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
    only(&Ping::default())
}

fn only(ping: &Ping) -> CreateAllowedMentions {
    CreateAllowedMentions::new()
        .replied_user(false)
        .roles(ping.role.map(|role| Role::new(role.0)))
        .users(ping.user.map(|user| User::new(user.0)))
}

fn called(ping: &Ping) -> String {
    let (role, user) = (ping.role.map(|role| format!("<@&{role}>")), ping.user.map(|user| format!("<@{user}>")));
    [role, user].into_iter().flatten().collect::<Vec<_>>().join(" ")
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
    use serde_json::{Value, json};

    use super::*;
    use crate::model::ids::{RoleId, UserId};
    use crate::text::{Field, Link, ListChoice};

    fn offer() -> crate::model::ids::OfferId {
        "1234567890123456789".parse().expect("an id")
    }

    fn sentence() -> Sentence {
        let (fields, buttons, lists) = (Vec::new(), Vec::new(), Vec::new());
        let (title, body) = ("Title".into(), "Body".into());
        Sentence { tone: Tone::Bad, title, body, fields, link: None, buttons, lists, ping: Ping::default() }
    }

    fn choice(label: &str, detail: &str, value: &str) -> ListChoice {
        ListChoice { label: label.into(), detail: detail.into(), value: value.into() }
    }

    fn list_of(verb: Verb, choices: Vec<ListChoice>) -> List {
        List { placeholder: "Retry from…".into(), verb, offer: offer(), choices }
    }

    fn button_of(verb: Verb) -> Button {
        Button { label: format!("{verb:?}"), verb, offer: offer() }
    }

    /// What is under the message: in each row the `custom_id`s, or the address.
    fn under(sentence: &Sentence) -> Vec<Vec<String>> {
        let sent = serde_json::to_value(message(sentence).edit_message()).expect("JSON");
        let one = |component: &Value| {
            let told = component["custom_id"].as_str().or(component["url"].as_str());
            told.unwrap_or_default().replace(":1234567890123456789", "")
        };
        let row = |row: &Value| row["components"].as_array().expect("a row").iter().map(one).collect();
        sent["components"].as_array().expect("rows").iter().map(row).collect()
    }

    #[test]
    fn buttons_stand_in_rows_of_five_with_the_link_last_and_each_list_in_a_row_of_its_own() {
        let verbs = [Verb::FailedJobs, Verb::Whole, Verb::Stop, Verb::Run, Verb::Cancel];
        let link = Some(Link { label: "Open".into(), url: "https://ci.example.com".into() });
        let one = |verb| list_of(verb, vec![choice("Unit", "", "e-1")]);
        let lists = vec![one(Verb::From), list_of(Verb::Again, Vec::new()), one(Verb::Skip)];
        let notice = Sentence { link, buttons: verbs.map(button_of).into(), lists, ..sentence() };
        let expected = [
            vec!["failed", "all", "stop", "run", "cancel"],
            vec!["https://ci.example.com"],
            vec!["from"],
            vec!["skip"],
        ];
        assert_eq!(under(&notice), expected, "a list without a choice is left out");
        assert_eq!(under(&sentence()), Vec::<Vec<String>>::new());
        let many = Sentence { lists: vec![one(Verb::From); 7], ..notice };
        assert_eq!(under(&many).len(), 5);
    }

    #[test]
    fn a_list_keeps_to_its_limits_and_every_choice_can_be_told_from_the_others() {
        let long = "流😀".repeat(90);
        let mut choices: Vec<ListChoice> = (0..30).map(|n| choice(&long, &long, &format!("e-{n}"))).collect();
        choices.insert(0, choice("first", "", "e-1"));
        choices.insert(1, choice("too long a value", "", &"x".repeat(101)));
        choices.insert(1, choice("no value", "", ""));
        choices.insert(1, choice(" ", " ", "e-0"));
        let lists = vec![List { placeholder: long, ..list_of(Verb::From, choices) }];
        let sent = serde_json::to_value(message(&Sentence { lists, ..sentence() }).edit_message()).expect("JSON");
        let list = &sent["components"][0]["components"][0];
        assert_eq!((&list["type"], &list["custom_id"]), (&json!(3), &json!("from:1234567890123456789")));
        assert!(length(list["placeholder"].as_str().expect("a placeholder")) <= 150);
        assert!(list["max_values"].is_null(), "one is chosen unless a list says otherwise");
        let options = list["options"].as_array().expect("options");
        let values: Vec<&str> = options.iter().filter_map(|option| option["value"].as_str()).collect();
        let distinct: HashSet<&&str> = values.iter().collect();
        assert_eq!((values.len(), distinct.len(), &values[..3]), (25, 25, &["e-1", "e-0", "e-2"][..]));
        for option in options {
            let texts = [Some(&option["label"]), option.get("description")].into_iter().flatten();
            assert!(texts.into_iter().all(|text| (1..=100).contains(&length(text.as_str().expect("a text")))));
        }
        assert_eq!((&options[1]["label"], options[1].get("description")), (&json!("e-0"), None));
    }

    #[test]
    fn to_stop_a_build_looks_dangerous() {
        let buttons = vec![button_of(Verb::Stop), button_of(Verb::Whole)];
        let sent = serde_json::to_value(message(&Sentence { buttons, ..sentence() }).edit_message()).expect("JSON");
        let row = &sent["components"][0]["components"];
        assert_eq!((&row[0]["style"], &row[1]["style"]), (&json!(4), &json!(2)));
    }

    #[test]
    fn only_a_new_message_pings_and_only_who_is_named() {
        let pings = |role: Option<u64>, user: Option<u64>| {
            let ping = Ping { role: role.map(RoleId), user: user.map(UserId) };
            serde_json::to_value(message(&Sentence { ping, ..sentence() }).create_message("n", None)).expect("JSON")
        };
        for (role, user, content) in
            [(Some(5), Some(6), "<@&5> <@6>"), (Some(5), None, "<@&5>"), (None, Some(6), "<@6>")]
        {
            let sent = pings(role, user);
            assert_eq!(sent["content"], content);
            let ids = |id: Option<u64>| id.map(|id| id.to_string()).into_iter().collect::<Vec<_>>();
            let allowed = json!({"parse": [], "users": ids(user), "roles": ids(role), "replied_user": false});
            assert_eq!(sent["allowed_mentions"], allowed);
        }
        assert_eq!(pings(None, None).get("content"), None);
        let ping = Ping { role: Some(RoleId(5)), user: Some(UserId(6)) };
        let rendered = message(&Sentence { ping, ..sentence() });
        let nobody = json!({"parse": [], "users": [], "roles": [], "replied_user": false});
        for sent in [
            serde_json::to_value(rendered.edit_message()).expect("JSON"),
            serde_json::to_value(rendered.edit_reply()).expect("JSON"),
            serde_json::to_value(rendered.follow_up()).expect("JSON"),
        ] {
            assert_eq!((sent.get("content"), &sent["allowed_mentions"]), (None, &nobody), "{sent}");
        }
    }

    #[test]
    fn the_longest_sentence_keeps_to_every_limit_and_pings_nobody() {
        let long = "流😀".repeat(5000);
        let field = Field { name: long.clone(), value: long.clone(), inline: true };
        let link = Some(Link { label: long.clone(), url: "https://ci.example.com".into() });
        let fields = vec![field; 30];
        let buttons = vec![Button { label: long.clone(), ..button_of(Verb::Run) }];
        let sentence = Sentence { title: long.clone(), body: long, fields, link, buttons, ..sentence() };
        let rendered = message(&sentence);
        let json = serde_json::to_value(rendered.edit_reply()).expect("JSON");
        assert_eq!(json["allowed_mentions"]["parse"], json!([]));
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
            assert_eq!(sent["allowed_mentions"]["parse"], json!([]));
            assert_eq!(sent["embeds"][0], *embed);
        }
        assert_eq!((&created["nonce"], &created["enforce_nonce"]), (&"7r1".into(), &true.into()));
        let reply =
            serde_json::to_value(rendered.create_message("7r1", Some((ChannelId(3), MessageId(4))))).expect("JSON");
        let reference = &reply["message_reference"];
        assert_eq!((&reference["message_id"], &reference["fail_if_not_exists"]), (&"4".into(), &false.into()));
        assert_eq!(reply["allowed_mentions"], json!({"parse": [], "users": [], "roles": [], "replied_user": false}));
    }
}
