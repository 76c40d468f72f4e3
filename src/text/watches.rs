//! Words for watches.

use i18n_embed::fluent::FluentLanguageLoader;
use i18n_embed_fl::fl;

use super::named::pipeline_text;
use super::{Field, GIVEN_MAX, NAME_MAX, Sentence, Tone, code, codes, field, mention, plain, simple, unread};
use crate::model::ids::RoleId;
use crate::model::watch::{Hears, Permission};
use crate::reply::Failure;
use crate::reply::watches::{Added, Callback, Entry, Refused, Watching};

/// A glob in a list is cut to this.
const BRANCH_MAX: usize = 40;

/// A description holds 4096 characters (discord-rules 4); there is a line for how many more there are.
const LIST_MAX: usize = 4_000;

pub(super) fn watching(t: &FluentLanguageLoader, watching: &Watching) -> Sentence {
    match watching {
        Watching::Added(added) => self::added(t, added),
        Watching::Refused(why) => simple(Tone::Bad, fl!(t, "watch-refused-title"), refused(t, why)),
        Watching::Unread { project, pipeline, failure } => {
            let fields = vec![
                field(fl!(t, "label-project"), code(project.as_str(), 64), true),
                field(fl!(t, "label-pipeline"), pipeline_text(pipeline), true),
            ];
            Sentence { title: fl!(t, "watch-unread-title"), ..unread(t, fields, failure) }
        }
        Watching::Removed { entry, by } => {
            let title = fl!(t, "watch-removed-title", pipeline = name(entry));
            let body = fl!(t, "watch-removed-body", who = mention(*by));
            Sentence { fields: place(t, entry), ..simple(Tone::Neutral, title, body) }
        }
        Watching::Absent { project, pipeline } => {
            let (project, pipeline) = (code(project.as_str(), 64), pipeline_text(pipeline));
            let body = fl!(t, "watch-absent-body", project = project, pipeline = pipeline);
            simple(Tone::Neutral, fl!(t, "watch-absent-title"), body)
        }
        Watching::List { entries, total } => list(t, entries, *total),
        Watching::Taken { entry } => {
            let title = fl!(t, "watch-taken-title", pipeline = name(entry));
            let uid = code(entry.as_user.as_str(), 64);
            let body = fl!(t, "watch-taken-body", who = mention(entry.user), uid = uid);
            Sentence { fields: place(t, entry), ..simple(Tone::Good, title, body) }
        }
        Watching::NotPaused => simple(Tone::Neutral, fl!(t, "watch-not-paused-title"), fl!(t, "watch-not-paused-body")),
    }
}

fn added(t: &FluentLanguageLoader, added: &Added) -> Sentence {
    let entry = &added.entry;
    let title = match added.replaced {
        true => fl!(t, "watch-changed-title", pipeline = name(entry)),
        false => fl!(t, "watch-added-title", pipeline = name(entry)),
    };
    let mut lines = vec![match entry.hears {
        Hears::FailedAndFixed => fl!(t, "watch-hears-failed-and-fixed"),
        Hears::Failed => fl!(t, "watch-hears-failed"),
        Hears::All => fl!(t, "watch-hears-all"),
    }];
    lines.extend(entry.branch.as_ref().map(|glob| fl!(t, "watch-branch", branch = code(glob, GIVEN_MAX))));
    lines.extend(entry.mention.map(|role| fl!(t, "watch-mention", role = mention_role(role))));
    let unmentionable = entry.mention.filter(|_| added.unmentionable);
    lines.extend(unmentionable.map(|_| fl!(t, "watch-mention-needs")));
    lines.extend(entry.mention_starter.then(|| fl!(t, "watch-mention-starter")));
    let uid = code(entry.as_user.as_str(), 64);
    lines.push(fl!(t, "watch-polls", uid = uid, seconds = seconds(added.poll_ms)));
    lines.extend(callback(t, &added.callback));
    Sentence { fields: place(t, entry), ..simple(Tone::Good, title, lines.join("\n")) }
}

fn callback(t: &FluentLanguageLoader, callback: &Callback) -> Option<String> {
    Some(match callback {
        Callback::Off => return None,
        Callback::Asked => fl!(t, "watch-callback-asked"),
        Callback::AskedAgain => fl!(t, "watch-callback-again"),
        Callback::On => fl!(t, "watch-callback-on"),
        Callback::Refused(failure) => match cause(t, failure) {
            Some((cause, code)) => fl!(t, "watch-callback-refused", cause = cause, code = code.to_string()),
            None => fl!(t, "watch-callback-failed"),
        },
    })
}

/// In BK-CI's words or ours, with the code that came with it.
fn cause(t: &FluentLanguageLoader, failure: &Failure) -> Option<(String, i64)> {
    match failure {
        Failure::Rejected(rejection) => Some((codes::refusal(t, rejection), rejection.code)),
        Failure::Misconfigured { said: Some(said), .. } => Some((codes::set_up(t, said)?, said.code)),
        Failure::Misconfigured { said: None, .. } => None,
        Failure::Unreachable | Failure::Unanswered { .. } | Failure::Unreadable { .. } | Failure::OtherPipeline => None,
    }
}

fn refused(t: &FluentLanguageLoader, why: &Refused) -> String {
    match why {
        Refused::Missing(permissions) => {
            let names: Vec<String> = permissions.iter().map(|permission| permission_name(t, *permission)).collect();
            fl!(t, "watch-refused-missing", permissions = names.join(", "))
        }
        Refused::Everyone => fl!(t, "watch-refused-everyone"),
        Refused::Unmentionable { role } => fl!(t, "watch-refused-unmentionable", role = mention_role(*role)),
        Refused::Branch { given } => fl!(t, "watch-refused-branch", given = code(given, GIVEN_MAX)),
    }
}

/// As Discord's own settings call it.
fn permission_name(t: &FluentLanguageLoader, permission: Permission) -> String {
    match permission {
        Permission::ViewChannel => fl!(t, "watch-permission-view"),
        Permission::SendMessages => fl!(t, "watch-permission-send"),
        Permission::SendMessagesInThreads => fl!(t, "watch-permission-send-in-threads"),
        Permission::EmbedLinks => fl!(t, "watch-permission-embed"),
    }
}

fn list(t: &FluentLanguageLoader, entries: &[Entry], total: u32) -> Sentence {
    let title = fl!(t, "watch-list-title", total = total.to_string());
    if entries.is_empty() {
        return simple(Tone::Neutral, title, fl!(t, "watch-list-none"));
    }
    let mut left = LIST_MAX;
    let fits = |line: &String| {
        left = left.saturating_sub(line.chars().count() + 1);
        left > 0
    };
    let mut lines: Vec<String> = entries.iter().map(|entry| line(t, entry)).take_while(fits).collect();
    let more = usize::try_from(total).unwrap_or(0).saturating_sub(lines.len());
    lines.extend((more > 0).then(|| fl!(t, "watch-list-more", more = more.to_string())));
    simple(Tone::Neutral, title, lines.join("\n"))
}

fn line(t: &FluentLanguageLoader, entry: &Entry) -> String {
    let mut what = vec![match entry.hears {
        Hears::FailedAndFixed => fl!(t, "watch-ends-failed-and-fixed"),
        Hears::Failed => fl!(t, "watch-ends-failed"),
        Hears::All => fl!(t, "watch-ends-all"),
    }];
    what.extend(entry.branch.as_ref().map(|glob| code(glob, BRANCH_MAX)));
    what.extend(entry.mention.map(mention_role));
    what.extend(entry.mention_starter.then(|| fl!(t, "watch-entry-starter")));
    let (uid, who) = (code(entry.as_user.as_str(), 64), mention(entry.user));
    let place = code(entry.project.as_str(), 64);
    let (pipeline, what) = (name(entry), what.join(" · "));
    match entry.paused {
        true => fl!(t, "watch-entry-paused", pipeline = pipeline, project = place, what = what, uid = uid, who = who),
        false => fl!(t, "watch-entry", pipeline = pipeline, project = place, what = what, uid = uid, who = who),
    }
}

fn place(t: &FluentLanguageLoader, entry: &Entry) -> Vec<Field> {
    vec![
        field(fl!(t, "label-project"), code(entry.project.as_str(), 64), true),
        field(fl!(t, "label-pipeline"), code(entry.pipeline.as_str(), 64), true),
    ]
}

fn name(entry: &Entry) -> String {
    plain(&entry.pipeline_name, NAME_MAX)
}

fn mention_role(role: RoleId) -> String {
    format!("<@&{role}>")
}

/// To a tenth.
fn seconds(ms: u64) -> String {
    match (ms / 1000, ms % 1000 / 100) {
        (seconds, 0) => seconds.to_string(),
        (seconds, tenths) => format!("{seconds}.{tenths}"),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::model::ids::{Uid, UserId};
    use crate::model::named::PipelineNamed;
    use crate::model::{Locale, RejectedBy, Rejection};
    use crate::reply::Reply;
    use crate::text::say;

    fn entry(text: &str) -> Entry {
        Entry {
            project: "demo".parse().expect("a project"),
            pipeline: "p-4f0c1d0f0d8e4c7c9b6f3a2e1d0c9b8a".parse().expect("a pipeline"),
            pipeline_name: text.to_owned(),
            hears: Hears::FailedAndFixed,
            branch: Some(text.to_owned()),
            mention: None,
            mention_starter: true,
            user: UserId(42),
            as_user: "dev.uid".parse::<Uid>().expect("a UID"),
            paused: false,
        }
    }

    fn rejection(message: &str) -> Rejection {
        let (message, request_id) = (message.to_owned(), None);
        Rejection { by: RejectedBy::BkCi, http: 400, code: 2_101_132, message, request_id, retry_after_s: None }
    }

    fn added(entry: Entry, callback: Callback) -> Watching {
        Watching::Added(Added { entry, replaced: false, unmentionable: true, poll_ms: 5_250, callback })
    }

    /// With this text wherever a stranger's stands.
    pub(in crate::text) fn replies(text: &str) -> Vec<Reply> {
        let Entry { project, pipeline, .. } = entry(text);
        let named = || PipelineNamed::Name(text.to_owned());
        let all = [Permission::ViewChannel, Permission::SendMessages, Permission::SendMessagesInThreads];
        let callbacks = [
            Callback::Off,
            Callback::Asked,
            Callback::AskedAgain,
            Callback::On,
            Callback::Refused(Failure::Rejected(rejection(text))),
            Callback::Refused(Failure::Unreachable),
        ];
        let mut said: Vec<Watching> = callbacks.into_iter().map(|callback| added(entry(text), callback)).collect();
        said.extend(Hears::ALL.map(|hears| {
            let entry = Entry { hears, paused: hears == Hears::All, ..entry(text) };
            Watching::List { entries: vec![entry; 12], total: 13 }
        }));
        said.extend(Hears::ALL.map(|hears| added(Entry { hears, branch: None, ..entry(text) }, Callback::Off)));
        said.extend([
            Watching::Refused(Refused::Missing(all.into_iter().chain([Permission::EmbedLinks]).collect())),
            Watching::Refused(Refused::Everyone),
            Watching::Refused(Refused::Branch { given: text.to_owned() }),
            Watching::Unread { project: project.clone(), pipeline: named(), failure: Failure::Unreachable },
            Watching::Removed { entry: entry(text), by: UserId(7) },
            Watching::Absent { project: project.clone(), pipeline: named() },
            Watching::Absent { project, pipeline: PipelineNamed::Id(pipeline) },
            Watching::List { entries: Vec::new(), total: 0 },
            Watching::Taken { entry: entry(text) },
            Watching::NotPaused,
        ]);
        said.into_iter().map(|said| Reply::Watching(Box::new(said))).collect()
    }

    fn body(watching: Watching, locale: Locale) -> String {
        say(&Reply::Watching(Box::new(watching)), locale).body
    }

    #[test]
    fn a_role_is_named_and_what_pinging_it_needs_is_said() {
        let role = RoleId(9);
        for locale in Locale::ALL {
            let entry = Entry { mention: Some(role), ..entry("nightly") };
            assert!(body(added(entry.clone(), Callback::Off), locale).contains("<@&9>"));
            let list = Watching::List { entries: vec![entry], total: 1 };
            assert!(body(list, locale).contains("<@&9>"));
            assert!(body(Watching::Refused(Refused::Unmentionable { role }), locale).contains("<@&9>"));
        }
        let added = |unmentionable| {
            let entry = Entry { mention: Some(role), ..entry("nightly") };
            let callback = Callback::Off;
            Watching::Added(Added { entry, replaced: false, unmentionable, poll_ms: 200, callback })
        };
        assert!(body(added(true), Locale::En).contains("only where the bot may"));
        assert!(!body(added(false), Locale::En).contains("only where the bot may"));
    }

    #[test]
    fn the_longest_list_fits_into_a_message() {
        let longest = Entry {
            pipeline_name: "*".repeat(200),
            branch: Some("`".repeat(200)),
            project: "p".repeat(64).parse().expect("a project"),
            as_user: "u".repeat(64).parse().expect("a UID"),
            mention: Some(RoleId(i64::MAX.unsigned_abs())),
            user: UserId(i64::MAX.unsigned_abs()),
            paused: true,
            ..entry("")
        };
        for locale in Locale::ALL {
            let list = body(Watching::List { entries: vec![longest.clone(); 25], total: 1_000 }, locale);
            assert!(list.chars().count() <= 4096, "{} in {}", list.chars().count(), locale.as_str());
            let shown = list.lines().count() - 1;
            assert!(shown >= 5, "{list}");
            assert!(list.lines().last().is_some_and(|line| line.contains(&(1_000 - shown).to_string())), "{list}");
        }
    }

    #[test]
    fn what_is_watched_reads_well() {
        let refused = Callback::Refused(Failure::Rejected(Rejection { code: 2_101_104, ..rejection("no") }));
        insta::assert_snapshot!(body(added(entry("nightly"), refused), Locale::En), @"
        This channel is told when a build fails, and when that is fixed.
        Only on branches like `nightly`.
        A failure mentions whoever started the build, where that is known.
        The pipeline is looked at as `dev.uid`, every 5.2 s.
        It will poll: BK-CI does not tell the bot by itself (2101104). Your DevOps user does not manage this project. Ask one of the project's managers.
        ");
        insta::assert_snapshot!(body(Watching::List { entries: vec![entry("nightly")], total: 2 }, Locale::En), @"
        **nightly** of `demo`: failed and fixed · `nightly` · mentions the starter; as `dev.uid`, added by <@42>
        … and 1 more
        ");
        assert_eq!([seconds(5_000), seconds(200), seconds(5_250)], ["5", "0.2", "5.2"]);
    }
}
