//! What a channel wants to hear of a pipeline.

use serde::{Deserialize, Serialize};

use super::ids::{ChannelId, GuildId, MessageId, RoleId};

/// Which ends of builds are told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Hears {
    /// Failures, and the first success after one that was told.
    #[default]
    FailedAndFixed,
    /// Failures.
    Failed,
    /// Every end.
    All,
}

impl Hears {
    /// Every choice.
    pub const ALL: [Self; 3] = [Self::FailedAndFixed, Self::Failed, Self::All];

    /// As the option of `/watch add` and rows have it (contract 4).
    pub fn as_str(self) -> &'static str {
        match self {
            Self::FailedAndFixed => "failed_and_fixed",
            Self::Failed => "failed",
            Self::All => "all",
        }
    }

    /// From [`Self::as_str`].
    pub fn from_text(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.as_str() == text)
    }
}

/// A role that somebody named, as Discord describes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Role {
    /// Which.
    pub id: RoleId,
    /// Anybody may mention it.
    pub mentionable: bool,
}

impl Role {
    /// Whether it is `@everyone`, whose id is the server's own (discord-rules 5).
    pub fn is_everyone(self, guild: GuildId) -> bool {
        self.id.0 == guild.0
    }
}

/// Something that the bot must be allowed to do in a channel (discord-rules 5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names are Discord's own")]
pub enum Permission {
    ViewChannel,
    SendMessages,
    SendMessagesInThreads,
    EmbedLinks,
}

/// A message of ours that somebody can jump to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MessageRef {
    /// In which server.
    pub guild: GuildId,
    /// In which channel.
    pub channel: ChannelId,
    /// Which.
    pub message: MessageId,
}

/// Whether a branch fits a glob: `*` stands for any text, `?` for one character; everything else for itself.
pub fn fits(glob: &str, branch: &str) -> bool {
    let (glob, branch): (Vec<char>, Vec<char>) = (glob.chars().collect(), branch.chars().collect());
    let (mut g, mut b) = (0, 0);
    // Where to go on when the last star took too little.
    let mut star: Option<(usize, usize)> = None;
    while b < branch.len() {
        match glob.get(g) {
            Some('*') => {
                star = Some((g, b));
                g += 1;
            }
            Some(wanted) if *wanted == '?' || *wanted == branch[b] => {
                g += 1;
                b += 1;
            }
            Some(_) | None => {
                let Some((at, taken)) = star else { return false };
                star = Some((at, taken + 1));
                g = at + 1;
                b = taken + 1;
            }
        }
    }
    glob[g..].iter().all(|rest| *rest == '*')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_glob_fits_what_it_says() {
        for (glob, branch) in [
            ("*", ""),
            ("*", "main"),
            ("main", "main"),
            ("release/*", "release/1.2"),
            ("release/*", "release/1/2"),
            ("*/fix-?", "feature/fix-7"),
            ("a*b*c", "aXbYbZc"),
            ("主*", "主干"),
        ] {
            assert!(fits(glob, branch), "{glob} {branch}");
        }
        for (glob, branch) in
            [("", "main"), ("main", "main2"), ("main", "Main"), ("a?", "a"), ("a*b", "ac"), ("[m]ain", "main")]
        {
            assert!(!fits(glob, branch), "{glob} {branch}");
        }
    }

    #[test]
    fn a_choice_is_read_as_it_is_written() {
        for hears in Hears::ALL {
            assert_eq!(Hears::from_text(hears.as_str()), Some(hears));
        }
        assert_eq!(Hears::from_text("everything"), None);
    }

    proptest! {
        #[test]
        fn many_stars_take_no_long_time(stars in "[*a]{0,60}", branch in "[ab]{0,200}") {
            fits(&stars, &branch);
        }

        #[test]
        fn a_text_fits_itself_and_a_star_on_either_side(text in "[^*?]{0,20}", more in ".{0,20}") {
            let (before, after, both) = (format!("*{text}"), format!("{text}*"), format!("{more}{text}"));
            prop_assert!(fits(&text, &text));
            prop_assert!(fits(&before, &both));
            let extended = format!("{text}{more}");
            prop_assert!(fits(&after, &extended));
        }
    }
}
