//! Buttons: a `custom_id` is `verb:offer-id` and says nothing else (contract 4). What pressing one does stands in our
//! own rows, so nobody can make one that does something else.

use serenity::all::{ComponentInteraction, ComponentInteractionDataKind, MessageFlags};

use super::slash::{self, Unreadable};
use crate::commands::{Command, Origin, Request};
use crate::model::ids::{MessageId, OfferId};
use crate::reply::Verb;

/// The `custom_id` of a button.
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

/// Reads a press.
///
/// # Errors
/// It is not a button of this version.
pub fn read(interaction: &ComponentInteraction) -> Result<Request, Unreadable> {
    let unknown = || Unreadable::UnknownCommand("a component that is not ours".to_owned());
    let ComponentInteractionDataKind::Button = interaction.data.kind else { return Err(unknown()) };
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
        Command::Press { verb, offer },
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

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

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in ".{0,120}") {
            if let Some((verb, offer)) = parse(&text) {
                prop_assert_eq!(custom_id(verb, &offer), text);
            }
        }
    }
}
