//! Words: from the facts of a [`Reply`] to a sentence in the reader's language. Pure.
//!
//! The catalogues are `i18n/*/reprise.ftl`. A key that English lacks does not compile; one that another language lacks
//! fails a test. Every text of a stranger goes through [`plain()`] or [`code()`] here.

mod build;
mod choices;
mod codes;
mod log;
mod named;
mod notice;
mod offers;
mod plain;
mod plan;
mod scopes;
mod typed;
mod watches;

use std::sync::LazyLock;

use i18n_embed::LanguageLoader as _;
use i18n_embed::fluent::{FluentLanguageLoader, fluent_language_loader};
use i18n_embed_fl::fl;
use rust_embed::RustEmbed;

pub use choices::{Suggestion, suggestion};
pub use log::{clean, mask};
pub use plain::{code, cut, plain};

use crate::model::ids::{OfferId, Uid, UserId};
use crate::model::scope::Refusal;
use crate::model::status::BuildStatus;
use crate::model::{BuildRef, Locale, Rejection, Timestamp};
use crate::reply::notice::Ping;
use crate::reply::{About, Failure, Outcome, Reply, RetryOption, Verb};

/// Names of pipelines, stages, jobs and tasks are cut to this.
const NAME_MAX: usize = 60;

/// What a person typed is shown up to this.
const GIVEN_MAX: usize = 80;

/// Hints for operators are our own words, with parts of answers in them.
const HINT_MAX: usize = 300;

/// What the bot says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sentence {
    /// Good or bad news.
    pub tone: Tone,
    /// The outcome, in a few words.
    pub title: String,
    /// Why, and what next.
    pub body: String,
    /// Facts.
    pub fields: Vec<Field>,
    /// Where to look.
    pub link: Option<Link>,
    /// What can be done about it.
    pub buttons: Vec<Button>,
    /// What can be chosen to be done about it.
    pub lists: Vec<List>,
    /// Whom a new message pings.
    pub ping: Ping,
}

/// A list under the message, from which one thing is chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct List {
    /// What it says while nothing is chosen.
    pub placeholder: String,
    /// What choosing is for.
    pub verb: Verb,
    /// Which offer it belongs to.
    pub offer: OfferId,
    /// At most 25 (discord-rules 4).
    pub choices: Vec<ListChoice>,
}

/// One of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListChoice {
    /// What it says.
    pub label: String,
    /// Where it is.
    pub detail: String,
    /// What comes back when it is chosen.
    pub value: String,
}

/// A button under the message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Button {
    /// What it says.
    pub label: String,
    /// What it is for.
    pub verb: Verb,
    /// Which offer it belongs to.
    pub offer: OfferId,
}

/// Good or bad news.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// Done as wished.
    Good,
    /// Not done.
    Bad,
    /// Not known yet, or not for certain.
    Waiting,
    /// An answer to a question.
    Neutral,
}

/// A fact with its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// Its name.
    pub name: String,
    /// The fact.
    pub value: String,
    /// Short enough to stand beside others.
    pub inline: bool,
}

/// Where to look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// What the button says.
    pub label: String,
    /// Address of a page.
    pub url: String,
}

#[derive(RustEmbed)]
#[folder = "i18n"]
struct Catalogues;

static EN: LazyLock<FluentLanguageLoader> = LazyLock::new(|| load(Locale::En));
static ZH_CN: LazyLock<FluentLanguageLoader> = LazyLock::new(|| load(Locale::ZhCn));
static JA: LazyLock<FluentLanguageLoader> = LazyLock::new(|| load(Locale::Ja));

fn loader(locale: Locale) -> &'static FluentLanguageLoader {
    match locale {
        Locale::En => &EN,
        Locale::ZhCn => &ZH_CN,
        Locale::Ja => &JA,
    }
}

fn load(locale: Locale) -> FluentLanguageLoader {
    let loader = fluent_language_loader!();
    let language = locale.as_str().parse().expect("the name of a language of ours");
    loader.load_languages(&Catalogues, &[language]).expect("the catalogues are part of the program");
    // Isolating marks would become invisible characters in the message.
    loader.set_use_isolating(false);
    loader
}

/// Puts a reply into words.
pub fn say(reply: &Reply, locale: Locale) -> Sentence {
    let t = loader(locale);
    match reply {
        Reply::Retry { about, outcome, again, notice } => {
            let answer = Sentence { buttons: offers::again(t, again.as_ref()), ..retry(t, about, outcome) };
            notice::elsewhere(t, answer, notice.as_ref())
        }
        Reply::Notice(notice) => notice::notice(t, notice),
        Reply::Log(log) => build::log(t, log),
        Reply::NoLog { about, why } => build::no_log(t, about, why),
        Reply::Stop { about, outcome } => build::stop(t, about, outcome),
        Reply::Watching(watching) => watches::watching(t, watching),
        Reply::Followed { about, as_user } => notice::followed(t, about, as_user),
        Reply::WatchPaused(paused) => notice::paused(t, paused),
        Reply::NotRetried { about, refusal, status } => not_retried(t, about, refusal, *status),
        Reply::NotRead { build, failure } => not_read(t, build, failure),
        Reply::Unfound { project, why } => named::unfound(t, project, why),
        Reply::Malformed { option, given } => malformed(t, *option, given),
        Reply::TaskAndSkip => simple(Tone::Bad, fl!(t, "task-and-skip-title"), fl!(t, "task-and-skip-body")),
        Reply::SkipAndFailedJobs => {
            simple(Tone::Bad, fl!(t, "skip-and-failed-jobs-title"), fl!(t, "skip-and-failed-jobs-body"))
        }
        Reply::Mistaken { typed, mistake } => typed::mistaken(t, typed, *mistake),
        Reply::SeeWhoami => simple(Tone::Neutral, fl!(t, "see-whoami-title"), fl!(t, "see-whoami-body")),
        Reply::Reading => simple(Tone::Waiting, fl!(t, "reading-title"), fl!(t, "reading-body")),
        Reply::NotMapped { user } => {
            simple(Tone::Bad, fl!(t, "not-mapped-title"), fl!(t, "not-mapped-body", command = link_command(*user)))
        }
        Reply::Preview(proposal) => offers::preview(t, proposal),
        Reply::Confirm(proposal, why) => offers::confirm(t, proposal, *why),
        Reply::PreviewClosed => simple(Tone::Good, fl!(t, "preview-closed-title"), fl!(t, "preview-closed-body")),
        Reply::Declined { about } => offers::declined(t, about),
        Reply::Changed { about, change } => offers::changed(t, about, change),
        Reply::Unusable(why) => offers::unusable(t, why),
        Reply::NotAdministrator => {
            simple(Tone::Bad, fl!(t, "not-administrator-title"), fl!(t, "not-administrator-body"))
        }
        Reply::ServerNotServed => simple(Tone::Bad, fl!(t, "server-title"), fl!(t, "server-body")),
        Reply::Whoami { user, uid, administrator } => whoami(t, *user, uid.as_ref(), *administrator),
        Reply::Help { uid, administrator, words } => help(t, uid.as_ref(), (*administrator, *words)),
        Reply::MappingSet { user, uid, before, shared_with } => {
            let mut lines = vec![fl!(t, "mapping-set-body", user = mention(*user), uid = code(uid.as_str(), 64))];
            lines.extend(before.as_ref().map(|before| fl!(t, "mapping-before", uid = code(before.as_str(), 64))));
            lines.extend(shared(t, shared_with));
            simple(Tone::Good, fl!(t, "mapping-set-title"), lines.join("\n"))
        }
        Reply::MappingRemoved { user, uid } => {
            let body = fl!(t, "mapping-removed-body", user = mention(*user), uid = code(uid.as_str(), 64));
            simple(Tone::Good, fl!(t, "mapping-removed-title"), body)
        }
        Reply::MappingAbsent { user } => {
            let body = fl!(t, "mapping-absent-body", user = mention(*user));
            simple(Tone::Neutral, fl!(t, "mapping-absent-title"), body)
        }
        Reply::MappingShown { user, uid, set_by, set_at, shared_with } => {
            let mut lines = vec![fl!(t, "mapping-set-body", user = mention(*user), uid = code(uid.as_str(), 64))];
            lines.push(match set_by {
                Some(by) => fl!(t, "mapping-set-by", by = mention(*by), when = moment(*set_at)),
                None => fl!(t, "mapping-from-file", when = moment(*set_at)),
            });
            lines.extend(shared(t, shared_with));
            simple(Tone::Neutral, fl!(t, "mapping-shown-title"), lines.join("\n"))
        }
        Reply::MappingList { filter: _, entries, total } => mapping_list(t, entries, *total),
        Reply::BadUid { given } => {
            let body = fl!(t, "bad-uid-body", given = code(given, GIVEN_MAX));
            simple(Tone::Bad, fl!(t, "bad-uid-title"), body)
        }
        Reply::NothingDone => simple(Tone::Bad, fl!(t, "nothing-done-title"), fl!(t, "nothing-done-body")),
        Reply::Incident { number } => {
            simple(Tone::Bad, fl!(t, "incident-title"), fl!(t, "incident-body", number = code(number, 30)))
        }
    }
}

/// The description of a command or option by its path (`mapping set uid`): 1–100 characters (discord-rules 3).
pub fn command_description(path: &str, locale: Locale) -> String {
    loader(locale).get(&format!("cmd-{}", path.replace(' ', "-")))
}

fn simple(tone: Tone, title: String, body: String) -> Sentence {
    Sentence {
        tone,
        title,
        body,
        fields: Vec::new(),
        link: None,
        buttons: Vec::new(),
        lists: Vec::new(),
        ping: Ping::default(),
    }
}

fn retry(t: &FluentLanguageLoader, about: &About, outcome: &Outcome) -> Sentence {
    let who = mention(about.asked_by);
    let scope = about.scope.as_ref().map_or_else(|| fl!(t, "scope-whole"), |scope| scopes::scope_text(t, scope));
    let (tone, title, body) = match outcome {
        Outcome::Accepted { seen_later, .. } => {
            let name = plain(&about.pipeline_name, NAME_MAX);
            let title = fl!(t, "accepted-title", pipeline = name, number = about.number.to_string());
            let body = if *seen_later {
                fl!(t, "accepted-later-body", scope = scope, who = who)
            } else {
                fl!(t, "accepted-body", scope = scope, who = who)
            };
            (Tone::Good, title, body)
        }
        Outcome::Sent => (Tone::Waiting, fl!(t, "sent-title"), fl!(t, "sent-body", scope = scope, who = who)),
        Outcome::Unreachable => {
            (Tone::Waiting, fl!(t, "unreachable-title"), fl!(t, "unreachable-body", scope = scope, who = who))
        }
        Outcome::Rejected(rejection) => {
            let cause = codes::refusal(t, rejection);
            (Tone::Bad, fl!(t, "rejected-title"), fl!(t, "rejected-body", cause = cause, scope = scope, who = who))
        }
        Outcome::NotSent => (Tone::Bad, fl!(t, "not-sent-title"), fl!(t, "not-sent-body", scope = scope, who = who)),
        Outcome::Misconfigured { hint, said } => {
            let body = match said.as_ref().and_then(|said| codes::set_up(t, said)) {
                Some(cause) => fl!(t, "rejected-body", cause = cause, scope = scope, who = who),
                None => fl!(t, "misconfigured-body", hint = code(hint, HINT_MAX)),
            };
            (Tone::Bad, fl!(t, "misconfigured-title"), body)
        }
        Outcome::Unconfirmed { looked_for_s, readable } => {
            let seconds = looked_for_s.to_string();
            let body = if *readable {
                fl!(t, "unconfirmed-body", who = who, seconds = seconds)
            } else {
                fl!(t, "unconfirmed-unreadable-body", who = who, seconds = seconds)
            };
            (Tone::Waiting, fl!(t, "unconfirmed-title"), body)
        }
        Outcome::Overtaken { by, attempt } => {
            let (by, attempt) = (code(by, 64), attempt.to_string());
            (Tone::Waiting, fl!(t, "overtaken-title"), fl!(t, "overtaken-body", by = by, attempt = attempt, who = who))
        }
        Outcome::CannotTell { attempt } => {
            let body = fl!(t, "cannot-tell-body", attempt = attempt.to_string(), who = who);
            (Tone::Waiting, fl!(t, "cannot-tell-title"), body)
        }
        Outcome::CannotTellTask => {
            let body = fl!(t, "cannot-tell-task-body", scope = scope, who = who);
            (Tone::Waiting, fl!(t, "cannot-tell-task-title"), body)
        }
        Outcome::Superseded => (Tone::Neutral, fl!(t, "superseded-title"), fl!(t, "superseded-body", who = who)),
        Outcome::AlreadyAsked { first, accepted } => {
            let first = mention(*first);
            let body = if *accepted {
                fl!(t, "already-accepted-body", first = first)
            } else {
                fl!(t, "already-pending-body", first = first)
            };
            (Tone::Neutral, fl!(t, "already-title"), body)
        }
    };
    let mut fields = Vec::new();
    match outcome {
        Outcome::Accepted { build_id, attempt, .. } => {
            fields.push(field(fl!(t, "label-build"), code(build_id, 64), false));
            fields.push(field(fl!(t, "label-number"), format!("#{}", about.number), true));
            fields.extend(attempt.map(|attempt| field(fl!(t, "label-attempt"), attempt.to_string(), true)));
        }
        Outcome::Rejected(rejection) => {
            fields.push(field(fl!(t, "label-build"), code(about.build.build.as_str(), 64), false));
            fields.extend(rejection_fields(t, rejection));
        }
        Outcome::Misconfigured { said, .. } => {
            fields.push(field(fl!(t, "label-build"), code(about.build.build.as_str(), 64), false));
            fields.extend(said.iter().flat_map(|said| rejection_fields(t, said)));
        }
        Outcome::Sent
        | Outcome::Unreachable
        | Outcome::NotSent
        | Outcome::Superseded
        | Outcome::Unconfirmed { .. }
        | Outcome::Overtaken { .. }
        | Outcome::CannotTell { .. }
        | Outcome::CannotTellTask
        | Outcome::AlreadyAsked { .. } => {
            fields.push(field(fl!(t, "label-build"), code(about.build.build.as_str(), 64), false));
        }
    }
    fields.extend(place_fields(t, about));
    Sentence { fields, link: link(t, about), ..simple(tone, title, body) }
}

fn not_retried(t: &FluentLanguageLoader, about: &About, refusal: &Refusal, status: BuildStatus) -> Sentence {
    let pipeline = plain(&about.pipeline_name, NAME_MAX);
    let title = fl!(t, "not-retried-title", pipeline = pipeline, number = about.number.to_string());
    let mut fields = vec![field(fl!(t, "label-build"), code(about.build.build.as_str(), 64), false)];
    fields.extend(place_fields(t, about));
    let body = scopes::refusal_text(t, refusal, status);
    Sentence { fields, link: link(t, about), ..simple(Tone::Bad, title, body) }
}

fn not_read(t: &FluentLanguageLoader, build: &BuildRef, failure: &Failure) -> Sentence {
    let fields = vec![
        field(fl!(t, "label-build"), code(build.build.as_str(), 64), false),
        field(fl!(t, "label-project"), code(build.project.as_str(), 64), true),
        field(fl!(t, "label-pipeline"), code(build.pipeline.as_str(), 64), true),
    ];
    unread(t, fields, failure)
}

fn unread(t: &FluentLanguageLoader, mut fields: Vec<Field>, failure: &Failure) -> Sentence {
    let body = match failure {
        Failure::Rejected(rejection) => {
            fields.extend(rejection_fields(t, rejection));
            codes::refusal(t, rejection)
        }
        Failure::Unreachable => fl!(t, "read-unreachable"),
        Failure::Unanswered { said } => {
            fields.extend(said.iter().flat_map(|said| rejection_fields(t, said)));
            let cause = said.as_ref().and_then(|said| codes::silence(t, said));
            cause.unwrap_or_else(|| fl!(t, "read-unanswered"))
        }
        Failure::Unreadable { hint } => fl!(t, "read-unreadable", hint = code(hint, HINT_MAX)),
        Failure::Misconfigured { hint, said } => {
            fields.extend(said.iter().flat_map(|said| rejection_fields(t, said)));
            let cause = said.as_ref().and_then(|said| codes::set_up(t, said));
            cause.unwrap_or_else(|| fl!(t, "read-misconfigured", hint = code(hint, HINT_MAX)))
        }
        Failure::OtherPipeline => fl!(t, "read-other-pipeline"),
    };
    Sentence { fields, ..simple(Tone::Bad, fl!(t, "not-read-title"), body) }
}

fn malformed(t: &FluentLanguageLoader, option: RetryOption, given: &str) -> Sentence {
    let given = code(given, GIVEN_MAX);
    let page = "`/console/pipeline/PROJECT/p-…/detail/b-…`";
    let (name, body) = match option {
        RetryOption::Project => ("`project`", fl!(t, "malformed-project", given = given, page = page)),
        RetryOption::Pipeline => ("`pipeline`", fl!(t, "malformed-pipeline", given = given, page = page)),
        RetryOption::Build => ("`build`", fl!(t, "malformed-build", given = given, page = page)),
    };
    simple(Tone::Bad, fl!(t, "malformed-title", option = name), body)
}

fn whoami(t: &FluentLanguageLoader, user: UserId, uid: Option<&Uid>, administrator: bool) -> Sentence {
    let id = code(&user.to_string(), 30);
    let mut lines = vec![match uid {
        Some(uid) => fl!(t, "whoami-mapped", user = mention(user), id = id, uid = code(uid.as_str(), 64)),
        None => fl!(t, "whoami-unmapped", user = mention(user), id = id, command = link_command(user)),
    }];
    lines.extend(administrator.then(|| fl!(t, "administrator-line")));
    simple(Tone::Neutral, fl!(t, "whoami-title"), lines.join("\n"))
}

fn help(t: &FluentLanguageLoader, uid: Option<&Uid>, (administrator, words): (bool, bool)) -> Sentence {
    let mut lines = match uid {
        Some(uid) => {
            vec![fl!(t, "help-retry", uid = code(uid.as_str(), 64)), fl!(t, "help-build"), fl!(t, "help-watch")]
        }
        None => vec![fl!(t, "help-unmapped")],
    };
    lines.push(fl!(t, "help-whoami"));
    lines.extend(uid.map(|_| fl!(t, "watch-help")));
    lines.extend(administrator.then(|| fl!(t, "help-mapping")));
    lines.extend(words.then(|| fl!(t, "help-words", usage = typed::USAGE)));
    simple(Tone::Neutral, fl!(t, "help-title"), lines.join("\n"))
}

fn mapping_list(t: &FluentLanguageLoader, entries: &[(UserId, Uid)], total: u32) -> Sentence {
    let title = fl!(t, "mapping-list-title", total = total.to_string());
    if entries.is_empty() {
        return simple(Tone::Neutral, title, fl!(t, "mapping-list-none"));
    }
    let mut lines: Vec<String> =
        entries.iter().map(|(user, uid)| format!("{} {}", code(uid.as_str(), 64), mention(*user))).collect();
    let more = usize::try_from(total).unwrap_or(0).saturating_sub(entries.len());
    lines.extend((more > 0).then(|| fl!(t, "mapping-list-more", more = more.to_string())));
    simple(Tone::Neutral, title, lines.join("\n"))
}

fn place_fields(t: &FluentLanguageLoader, about: &About) -> [Field; 2] {
    [
        field(fl!(t, "label-project"), code(about.build.project.as_str(), 64), true),
        field(fl!(t, "label-pipeline"), plain(&about.pipeline_name, NAME_MAX), true),
    ]
}

fn rejection_fields(t: &FluentLanguageLoader, rejection: &Rejection) -> Vec<Field> {
    let http = format!("HTTP {}", rejection.http);
    let of_its_own = rejection.code != i64::from(rejection.http);
    let text = if of_its_own { format!("{} ({http})", rejection.code) } else { http };
    let mut fields = vec![field(fl!(t, "label-code"), text, true)];
    let request = rejection.request_id.as_ref();
    fields.extend(request.map(|id| field(fl!(t, "label-request"), code(id, 64), true)));
    fields
}

fn link(t: &FluentLanguageLoader, about: &About) -> Option<Link> {
    about.link.clone().map(|url| Link { label: fl!(t, "label-open"), url })
}

fn field(name: String, value: String, inline: bool) -> Field {
    Field { name, value, inline }
}

fn mention(user: UserId) -> String {
    format!("<@{user}>")
}

/// To be copied by an administrator.
fn link_command(user: UserId) -> String {
    format!("`/mapping set user:<@{user}> uid:<DevOps id>`")
}

fn moment(at: Timestamp) -> String {
    format!("<t:{}:f>", at.0.div_euclid(1000))
}

fn shared(t: &FluentLanguageLoader, users: &[UserId]) -> Option<String> {
    let listed: Vec<String> = users.iter().take(8).map(|user| mention(*user)).collect();
    (!listed.is_empty()).then(|| fl!(t, "mapping-shared", users = listed.join(", ")))
}

#[cfg(test)]
mod tests;
