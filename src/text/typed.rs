//! A command in words that was not understood: what is wrong, where, and how it goes.

use i18n_embed::fluent::FluentLanguageLoader;
use i18n_embed_fl::fl;

use super::plain::pointed;
use super::{Sentence, Tone, simple};
use crate::reply::{Flag, Mistake, RetryOption, Slip};

/// The same in every language, as command and option names are.
pub(super) const USAGE: &str =
    "`@Reprise retry PROJECT PIPELINE BUILD [--task T] [--skip T] [--failed-jobs] [--preview]`";

pub(super) fn mistaken(t: &FluentLanguageLoader, typed: &str, mistake: Mistake) -> Sentence {
    let what = slip(t, mistake.slip);
    let place = match mistake.slip {
        Slip::NoCommand => String::new(),
        Slip::UnknownCommand
        | Slip::Missing(_)
        | Slip::Surplus
        | Slip::UnknownFlag
        | Slip::NoValue(_)
        | Slip::Valued(_)
        | Slip::Twice(_)
        | Slip::Excludes(..)
        | Slip::Unclosed
        | Slip::Glued => pointed(typed, mistake.at),
    };
    let usage = fl!(t, "words-usage", usage = USAGE);
    simple(Tone::Bad, fl!(t, "words-title"), format!("{what}\n{place}{usage}"))
}

fn slip(t: &FluentLanguageLoader, slip: Slip) -> String {
    let name = |flag: Flag| format!("`{}`", flag.name());
    match slip {
        Slip::NoCommand | Slip::UnknownCommand => {
            fl!(t, "words-unknown-command", commands = "`retry`, `help`, `whoami`")
        }
        Slip::Missing(RetryOption::Project) => fl!(t, "words-missing", option = "`PROJECT`"),
        Slip::Missing(RetryOption::Pipeline) => fl!(t, "words-missing", option = "`PIPELINE`"),
        Slip::Missing(RetryOption::Build) => fl!(t, "words-missing", option = "`BUILD`"),
        Slip::Surplus => fl!(t, "words-surplus"),
        Slip::UnknownFlag => fl!(t, "words-unknown-flag"),
        Slip::NoValue(flag) => fl!(t, "words-no-value", flag = name(flag)),
        Slip::Valued(flag) => fl!(t, "words-valued", flag = name(flag)),
        Slip::Twice(flag) => fl!(t, "words-twice", flag = name(flag)),
        Slip::Excludes(flag, other) => fl!(t, "words-excludes", flag = name(flag), other = name(other)),
        Slip::Unclosed => fl!(t, "words-unclosed"),
        Slip::Glued => fl!(t, "words-glued"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::words;
    use crate::model::Locale;

    fn answer(typed: &str) -> String {
        let mistake = words::parse(typed).expect_err("a mistake");
        mistaken(super::super::loader(Locale::En), typed, mistake).body
    }

    #[test]
    fn the_answer_points_at_the_mistake() {
        insta::assert_snapshot!(answer(" retry demo nightly 128 --tsk unit"), @"
        There is no such option.
        ```
        retry demo nightly 128 --tsk unit
                               ^
        ```
        Like this: `@Reprise retry PROJECT PIPELINE BUILD [--task T] [--skip T] [--failed-jobs] [--preview]`
        ");
        insta::assert_snapshot!(answer("retry demo 夜间构建 1 2"), @"
        From here on there is too much. Put a name of several words in quotes.
        ```
        retry demo 夜间构建 1 2
                   　　　　   ^
        ```
        Like this: `@Reprise retry PROJECT PIPELINE BUILD [--task T] [--skip T] [--failed-jobs] [--preview]`
        ");
        insta::assert_snapshot!(answer("retry demo "), @"
        `PIPELINE` is missing here.
        ```
        retry demo
                  ^
        ```
        Like this: `@Reprise retry PROJECT PIPELINE BUILD [--task T] [--skip T] [--failed-jobs] [--preview]`
        ");
        insta::assert_snapshot!(answer(" "), @"
        This is not a command. In words there are: `retry`, `help`, `whoami`
        Like this: `@Reprise retry PROJECT PIPELINE BUILD [--task T] [--skip T] [--failed-jobs] [--preview]`
        ");
    }
}
