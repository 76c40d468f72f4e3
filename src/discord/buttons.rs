//! Buttons and lists: a `custom_id` is `verb:offer-id` and says nothing else (contract 4). What pressing one does stands in our
//! own rows, so nobody can make one that does something else; what was chosen from a list is looked up anew.

use serenity::all::{ComponentInteraction, ComponentInteractionDataKind, MessageFlags};

use super::slash::{self, Unreadable};
use crate::commands::{Command, Origin, Request};
use crate::model::ids::{MessageId, OfferId};
use crate::reply::Verb;

/// The `custom_id` of a button or a list.
pub fn custom_id(verb: Verb, offer: &OfferId) -> String {
    format!("{}:{offer}", verb.as_str())
}

/// What a `custom_id` of ours says; `None` for anything else.
pub fn parse(custom_id: &str) -> Option<(Verb, OfferId)> {
    let (verb, offer) = custom_id.split_once(':')?;
    let verb = Verb::ALL.into_iter().find(|known| known.as_str() == verb)?;
    // An id is taken as it stands: `parse` alone would forgive blanks around it.
    Some((verb, offer.parse::<OfferId>().ok().filter(|id| id.as_str() == offer)?))
}

/// Reads a press, or a choice.
///
/// # Errors
/// It is not a button or a list of this version.
pub fn read(interaction: &ComponentInteraction) -> Result<Request, Unreadable> {
    let unknown = || Unreadable::UnknownCommand("a component that is not ours".to_owned());
    let chosen = chosen(&interaction.data.kind).ok_or_else(unknown)?;
    let (verb, offer) = parse(&interaction.data.custom_id).ok_or_else(unknown)?;
    let flags = interaction.message.flags.unwrap_or_default();
    let (Some(guild), Some(member)) = (interaction.guild_id, interaction.member.as_ref()) else {
        return Err(Unreadable::NotInServer);
    };
    Ok(slash::Envelope {
        interaction: interaction.id,
        token: &interaction.token,
        user: interaction.user.id,
        member,
        guild,
        channel: interaction.channel_id,
        locale: &interaction.locale,
        guild_locale: interaction.guild_locale.as_deref(),
    }
    .request(
        Origin::Button {
            message: MessageId(interaction.message.id.get()),
            private: flags.contains(MessageFlags::EPHEMERAL),
        },
        Command::Press { verb, offer, chosen },
    ))
}

/// What was chosen: nothing by a button, one thing from a list of ours. `None`: neither of the two.
fn chosen(kind: &ComponentInteractionDataKind) -> Option<Option<String>> {
    use ComponentInteractionDataKind as Kind;
    match kind {
        Kind::Button => Some(None),
        Kind::StringSelect { values } => match values.as_slice() {
            [one] => Some(Some(one.clone())),
            _ => None,
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    #[test]
    fn what_is_written_on_a_button_is_read_from_it() {
        for verb in Verb::ALL {
            let offer: OfferId = "1234567890123456789".parse().expect("an id");
            let written = custom_id(verb, &offer);
            assert!(written.len() <= 100, "discord-rules 4");
            assert_eq!(parse(&written), Some((verb, offer)));
        }
    }

    #[test]
    fn anything_else_is_not_a_button_of_ours() {
        for bad in ["", ":", "run", "run:", ":1", "run: 1", "run:1 ", "run:a/b", "RUN:1", "drop:1", "run:1:2"] {
            assert_eq!(parse(bad), None, "{bad:?}");
        }
    }

    fn pressed(data: Value) -> Result<Request, Unreadable> {
        let user = json!({"id": "41", "username": "dev", "discriminator": "0", "avatar": null});
        let message = json!({
            "id": "77", "channel_id": "12", "author": user, "content": "", "timestamp": "2026-01-01T00:00:00Z",
            "edited_timestamp": null, "tts": false, "mention_everyone": false, "mentions": [], "mention_roles": [],
            "attachments": [], "embeds": [], "pinned": false, "type": 0, "flags": 64,
        });
        let interaction = json!({
            "id": "1575243320001560576", "application_id": "7", "type": 3, "token": "a-token", "version": 1,
            "data": data, "guild_id": "11", "channel_id": "12", "locale": "ja", "guild_locale": "en-US",
            "app_permissions": "0", "entitlements": [], "authorizing_integration_owners": {"0": "11"}, "context": 0,
            "attachment_size_limit": 10_485_760, "message": message,
            "member": {
                "user": user, "roles": [], "permissions": "2048", "joined_at": "2024-01-01T00:00:00Z",
                "deaf": false, "mute": false, "flags": 0, "nick": null, "avatar": null, "premium_since": null,
            },
        });
        read(&serde_json::from_value(interaction).expect("a component interaction"))
    }

    fn list(values: &[&str]) -> Value {
        json!({"custom_id": "from:12", "component_type": 3, "values": values})
    }

    #[test]
    fn a_button_is_pressed_and_one_thing_is_chosen_from_a_list() {
        let button = json!({"custom_id": "stop:12", "component_type": 2});
        for (data, verb, chosen) in [(button, Verb::Stop, None), (list(&["e-1"]), Verb::From, Some("e-1".to_owned()))] {
            let request = pressed(data).expect("a press");
            assert_eq!(request.origin, Origin::Button { message: MessageId(77), private: true });
            let offer = "12".parse().expect("an id");
            assert_eq!(request.command, Command::Press { verb, offer, chosen });
        }
    }

    #[test]
    fn a_list_from_which_not_exactly_one_thing_was_chosen_is_not_ours() {
        let users = json!({"custom_id": "from:12", "component_type": 5, "values": ["41"]});
        for data in [list(&[]), list(&["e-1", "e-2"]), users] {
            assert!(matches!(pressed(data.clone()), Err(Unreadable::UnknownCommand(_))), "{data}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in ".{0,120}") {
            if let Some((verb, offer)) = parse(&text) {
                prop_assert_eq!(custom_id(verb, &offer), text);
            }
        }
    }
}
