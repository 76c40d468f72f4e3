//! Commands typed in words, after the bot's mention: `retry demo nightly #128 --skip "unit tests"` (contract 4). Pure.
//!
//! A grammar of its own rather than a command-line parser, since a mistake is answered with its place, which those do
//! not tell. It knows the form only: whether `nightly` is a pipeline is found out where the slash command's options are.
//!
//! Lenient where a keyboard decides: `/retry` and `Retry` are `retry`, a dash that a phone made of two is two, and its
//! curved quotes are quotes.

use std::fmt::Write as _;

use super::{Command, RetryOptions};
use crate::model::ids::UserId;
use crate::reply::{Flag, Mistake, RetryOption, Slip};

/// What can be asked in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Words {
    /// `retry PROJECT PIPELINE BUILD …`
    Retry(RetryOptions),
    /// `help`
    Help,
    /// `whoami`
    Whoami,
}

impl From<Words> for Command {
    fn from(words: Words) -> Self {
        match words {
            Words::Retry(options) => Self::Retry(options),
            Words::Help => Self::Help,
            Words::Whoami => Self::Whoami,
        }
    }
}

/// A message, as far as it tells whether it is a command.
#[derive(Clone, Copy, Debug)]
pub struct Heard<'a> {
    /// What it says.
    pub text: &'a str,
    /// A program wrote it.
    pub by_bot: bool,
    /// It came by a webhook.
    pub by_webhook: bool,
    /// It was changed after it was sent.
    pub edited: bool,
}

/// What follows the bot's mention when a person's message starts with it. That somebody replied to the bot is no
/// command: such a ping stands beside the text, not in it.
pub fn addressed(heard: Heard<'_>, bot: UserId) -> Option<&str> {
    if heard.by_bot || heard.by_webhook || heard.edited {
        return None;
    }
    let id = heard.text.strip_prefix("<@")?;
    let id = id.strip_prefix('!').unwrap_or(id);
    id.strip_prefix(&bot.to_string())?.strip_prefix('>')
}

/// Reads what follows the mention.
///
/// # Errors
/// The first mistake and its place.
pub fn parse(text: &str) -> Result<Words, Mistake> {
    let mut tokens = Tokens { text, at: 0 };
    let Some(command) = tokens.next().transpose()? else {
        return Err(Mistake { at: text.len(), slip: Slip::NoCommand });
    };
    let name = command.text.strip_prefix('/').unwrap_or(&command.text);
    let words = match name.to_ascii_lowercase().as_str() {
        "retry" => return retry(text, tokens).map(Words::Retry),
        "help" => Words::Help,
        "whoami" => Words::Whoami,
        _ => return Err(Mistake { at: command.at, slip: Slip::UnknownCommand }),
    };
    match tokens.next().transpose()? {
        Some(surplus) => Err(Mistake { at: surplus.at, slip: Slip::Surplus }),
        None => Ok(words),
    }
}

fn retry(text: &str, mut tokens: Tokens<'_>) -> Result<RetryOptions, Mistake> {
    let mut named = Vec::new();
    let mut retry = RetryOptions::default();
    while let Some(token) = tokens.next().transpose()? {
        match token.flag {
            Some(given) => take(&mut retry, &given, token.at, &mut tokens)?,
            None if named.len() == 3 => return Err(Mistake { at: token.at, slip: Slip::Surplus }),
            None => named.push(token.text),
        }
    }
    let mut named = named.into_iter();
    let mut next = |option| named.next().ok_or(Mistake { at: text.trim_end().len(), slip: Slip::Missing(option) });
    retry.project = next(RetryOption::Project)?;
    retry.pipeline = next(RetryOption::Pipeline)?;
    retry.build = next(RetryOption::Build)?;
    Ok(retry)
}

fn take(retry: &mut RetryOptions, given: &Given, at: usize, tokens: &mut Tokens<'_>) -> Result<(), Mistake> {
    let slip = |slip| Err(Mistake { at, slip });
    let Some(flag) = given.flag else {
        return slip(Slip::UnknownFlag);
    };
    let has = |flag| match flag {
        Flag::Task => retry.task.is_some(),
        Flag::Skip => retry.skip.is_some(),
        Flag::FailedJobs => retry.failed_jobs,
        Flag::Preview => retry.preview,
    };
    if has(flag) {
        return slip(Slip::Twice(flag));
    }
    if let Some(other) = excluded_by(flag).iter().find(|other| has(**other)) {
        return slip(Slip::Excludes(flag, *other));
    }
    let mut value = || match &given.value {
        Some(value) => Ok(value.clone()),
        None => match tokens.next().transpose()? {
            Some(Token { text, flag: None, .. }) => Ok(text),
            Some(_) | None => Err(Mistake { at, slip: Slip::NoValue(flag) }),
        },
    };
    match flag {
        Flag::Task => retry.task = Some(value()?),
        Flag::Skip => retry.skip = Some(value()?),
        Flag::FailedJobs | Flag::Preview if given.value.is_some() => return slip(Slip::Valued(flag)),
        Flag::FailedJobs => retry.failed_jobs = true,
        Flag::Preview => retry.preview = true,
    }
    Ok(())
}

/// Contract 4: `task` and `skip` exclude each other, and so do `skip` and `failed_jobs`.
fn excluded_by(flag: Flag) -> &'static [Flag] {
    match flag {
        Flag::Task | Flag::FailedJobs => &[Flag::Skip],
        Flag::Skip => &[Flag::Task, Flag::FailedJobs],
        Flag::Preview => &[],
    }
}

impl Words {
    /// As somebody could have typed it; [`parse`] reads it back.
    pub fn print(&self) -> String {
        match self {
            Self::Help => "help".to_owned(),
            Self::Whoami => "whoami".to_owned(),
            Self::Retry(options) => print(options),
        }
    }
}

fn print(options: &RetryOptions) -> String {
    let RetryOptions { project, pipeline, build, task, skip, failed_jobs, preview } = options;
    let mut line = format!("retry {} {} {}", quoted(project), quoted(pipeline), quoted(build));
    for (flag, value) in [(Flag::Task, task), (Flag::Skip, skip)] {
        if let Some(value) = value {
            let _ = write!(line, " {} {}", flag.name(), quoted(value));
        }
    }
    for (flag, given) in [(Flag::FailedJobs, *failed_jobs), (Flag::Preview, *preview)] {
        if given {
            let _ = write!(line, " {}", flag.name());
        }
    }
    line
}

/// A word as it stands where it needs no quotes.
fn quoted(word: &str) -> String {
    let special = |first: char| is_dash(first) || closing(first).is_some() || first == '<';
    if word.contains(char::is_whitespace) || word.chars().next().is_none_or(special) {
        return format!("\"{}\"", word.replace('\\', r"\\").replace('"', r#"\""#));
    }
    word.to_owned()
}

fn is_dash(character: char) -> bool {
    matches!(character, '-' | '–' | '—')
}

/// What ends a quotation that begins so.
fn closing(opening: char) -> Option<char> {
    match opening {
        '"' | '\'' | '`' => Some(opening),
        '“' => Some('”'),
        '‘' => Some('’'),
        '「' => Some('」'),
        _ => None,
    }
}

/// One word, with its place.
struct Token {
    at: usize,
    text: String,
    /// It is one of those that begin with a dash.
    flag: Option<Given>,
}

/// What follows the dashes.
struct Given {
    /// Which one, if there is such a flag.
    flag: Option<Flag>,
    /// `--task=VALUE`
    value: Option<String>,
}

struct Tokens<'a> {
    text: &'a str,
    at: usize,
}

impl Iterator for Tokens<'_> {
    type Item = Result<Token, Mistake>;

    fn next(&mut self) -> Option<Self::Item> {
        let rest = self.text[self.at..].trim_start();
        let at = self.text.len() - rest.len();
        self.at = at;
        let first = rest.chars().next()?;
        Some(match closing(first) {
            Some(_) => self.quotation().map(|text| Token { at, text, flag: None }),
            None if is_dash(first) => self.given().map(|flag| Token { at, text: String::new(), flag: Some(flag) }),
            None => Ok(Token { at, text: unwrapped(self.bare(char::is_whitespace)).to_owned(), flag: None }),
        })
    }
}

impl<'a> Tokens<'a> {
    fn bare(&mut self, ends: impl Fn(char) -> bool) -> &'a str {
        let rest = &self.text[self.at..];
        let word = &rest[..rest.find(ends).unwrap_or(rest.len())];
        self.at += word.len();
        word
    }

    fn given(&mut self) -> Result<Given, Mistake> {
        let name = self.bare(|character| character.is_whitespace() || character == '=');
        let name = name.trim_start_matches(is_dash).to_ascii_lowercase().replace('_', "-");
        let flag = Flag::ALL.into_iter().find(|flag| flag.name().trim_start_matches('-') == name);
        let Some(value) = self.text[self.at..].strip_prefix('=') else {
            return Ok(Given { flag, value: None });
        };
        self.at += 1;
        let value = match value.chars().next().and_then(closing) {
            Some(_) => self.quotation()?,
            None => unwrapped(self.bare(char::is_whitespace)).to_owned(),
        };
        Ok(Given { flag, value: Some(value) })
    }

    /// From an opening quote to its end. A backslash takes the meaning of the quote and of another backslash.
    fn quotation(&mut self) -> Result<String, Mistake> {
        let opened = self.at;
        let mut characters = self.text[opened..].char_indices();
        let end = characters.next().and_then(|(_, opening)| closing(opening));
        let mut text = String::new();
        while let Some((at, character)) = characters.next() {
            if Some(character) == end {
                let after = &self.text[opened + at + character.len_utf8()..];
                self.at = self.text.len() - after.len();
                let glued = after.chars().next().is_some_and(|next| !next.is_whitespace());
                return if glued { Err(Mistake { at: self.at, slip: Slip::Glued }) } else { Ok(text) };
            }
            let next = characters.clone().next().map(|(_, next)| next);
            match next.filter(|next| character == '\\' && (*next == '\\' || Some(*next) == end)) {
                Some(escaped) => {
                    characters.next();
                    text.push(escaped);
                }
                None => text.push(character),
            }
        }
        Err(Mistake { at: opened, slip: Slip::Unclosed })
    }
}

/// People put links in angle brackets so that Discord shows no preview of them.
fn unwrapped(word: &str) -> &str {
    let inside = word.strip_prefix('<').and_then(|word| word.strip_suffix('>'));
    inside.filter(|inside| inside.starts_with("http://") || inside.starts_with("https://")).unwrap_or(word)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(text: &str) -> String {
        match parse(text) {
            Ok(words) => words.print(),
            Err(Mistake { at, slip }) => format!("{slip:?} at {:?}", &text[at..]),
        }
    }

    #[test]
    fn what_people_type_is_understood() {
        for (typed, understood) in [
            (" retry demo nightly #128", "retry demo nightly #128"),
            (" /Retry demo nightly latest --skip unit_test", "retry demo nightly latest --skip unit_test"),
            ("retry --task=lint demo --preview nightly 128", "retry demo nightly 128 --task lint --preview"),
            ("retry demo \"my pipeline\" 1 --task 'Unit tests'", r#"retry demo "my pipeline" 1 --task "Unit tests""#),
            ("retry demo “夜间 构建” 1 —skip=「单元 测试」", r#"retry demo "夜间 构建" 1 --skip "单元 测试""#),
            ("retry demo nightly <https://ci/x> --Failed_Jobs", "retry demo nightly https://ci/x --failed-jobs"),
            ("retry\n demo\tnightly　`b-1`  ", "retry demo nightly b-1"),
            (r#"retry demo "a \"b\" \\ \c" 1"#, r#"retry demo "a \"b\" \\ \\c" 1"#),
            (r#"retry it's c:\x "-x""#, r#"retry it's c:\x "-x""#),
            (" help ", "help"),
            ("/WHOAMI", "whoami"),
        ] {
            assert_eq!(read(typed), understood, "{typed}");
        }
    }

    #[test]
    fn a_mistake_has_its_place() {
        for (typed, mistake) in [
            ("", r#"NoCommand at """#),
            ("  ", r#"NoCommand at """#),
            (" thanks a lot", r#"UnknownCommand at "thanks a lot""#),
            ("don't 'do", r#"UnknownCommand at "don't 'do""#),
            ("help me", r#"Surplus at "me""#),
            ("retry ", r#"Missing(Project) at " ""#),
            ("retry demo", r#"Missing(Pipeline) at """#),
            ("retry demo nightly --preview ", r#"Missing(Build) at " ""#),
            ("retry demo nightly 1 2 3", r#"Surplus at "2 3""#),
            ("retry demo --tsk x nightly 1", r#"UnknownFlag at "--tsk x nightly 1""#),
            ("retry demo -- nightly 1", r#"UnknownFlag at "-- nightly 1""#),
            ("retry demo nightly 1 --task", r#"NoValue(Task) at "--task""#),
            ("retry demo nightly 1 --skip --preview", r#"NoValue(Skip) at "--skip --preview""#),
            ("retry demo nightly 1 --preview=yes", r#"Valued(Preview) at "--preview=yes""#),
            ("retry a b 1 --task x --task y", r#"Twice(Task) at "--task y""#),
            ("retry a b 1 --task x --skip y", r#"Excludes(Skip, Task) at "--skip y""#),
            ("retry a b 1 --skip y --failed-jobs", r#"Excludes(FailedJobs, Skip) at "--failed-jobs""#),
            ("retry demo \"my pipeline 1", r#"Unclosed at "\"my pipeline 1""#),
            ("retry demo 'my'pipeline 1", r#"Glued at "pipeline 1""#),
            ("retry demo x 1 --task=“a", r#"Unclosed at "“a""#),
        ] {
            assert_eq!(read(typed), mistake, "{typed}");
        }
    }

    #[test]
    fn only_a_persons_message_that_starts_with_the_mention_is_a_command() {
        let person = Heard { text: "", by_bot: false, by_webhook: false, edited: false };
        let heard = |text| addressed(Heard { text, ..person }, UserId(42));
        assert_eq!(heard("<@42> retry"), Some(" retry"));
        assert_eq!(heard("<@!42>help"), Some("help"));
        for other in ["", "retry", "<@421> x", "<@4> x", "<@&42> x", "<#42> x", "hey <@42> x", "<@42", "<@!!42> x"] {
            assert_eq!(heard(other), None, "{other}");
        }
        let text = "<@42> help";
        for other in [
            Heard { text, by_bot: true, ..person },
            Heard { text, by_webhook: true, ..person },
            Heard { text, edited: true, ..person },
        ] {
            assert_eq!(addressed(other, UserId(42)), None, "{other:?}");
        }
    }

    /// Any text, and texts made of what the grammar knows.
    fn texts() -> impl Strategy<Value = String> {
        let piece = "retry|help|whoami|/|demo|#1|--task|--skip|--failed-jobs|--preview|—|-|=|\"|'|`|“|”|「|」|\\\\| |\n|<|>|x|é|流|\\PC";
        prop_oneof![".{0,80}", prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())]
    }

    fn value() -> impl Strategy<Value = String> {
        prop_oneof![
            "[a-z0-9_#-]{1,12}",
            "[-\"'`“”‘’「」\\\\<>= \n\u{3000}—a]{0,8}",
            Just("<https://ci.example.com/x>".to_owned()),
            ".{0,12}",
        ]
    }

    prop_compose! {
        fn retries()(
            (project, pipeline, build) in (value(), value(), value()),
            task in prop::option::of(value()),
            skip in prop::option::of(value()),
            failed_jobs in any::<bool>(),
            preview in any::<bool>(),
        ) -> Words {
            let skip = skip.filter(|_| task.is_none() && !failed_jobs);
            Words::Retry(RetryOptions { project, pipeline, build, task, skip, failed_jobs, preview })
        }
    }

    proptest! {
        #[test]
        fn no_text_is_too_strange(text in texts()) {
            match parse(&text) {
                Ok(words) => prop_assert_eq!(parse(&words.print()), Ok(words)),
                Err(mistake) => prop_assert!(text.is_char_boundary(mistake.at), "{:?}", mistake),
            }
            let heard = Heard { text: &text, by_bot: false, by_webhook: false, edited: false };
            prop_assert_eq!(addressed(heard, UserId(1)), text.strip_prefix("<@1>"));
        }

        #[test]
        fn what_is_printed_is_read_back(words in prop_oneof![retries(), Just(Words::Help), Just(Words::Whoami)]) {
            prop_assert_eq!(parse(&words.print()), Ok(words));
        }
    }
}
