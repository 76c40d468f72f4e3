//! Reading logs (bkci-api.md 9).
//!
//! The reference leaves open what v3 tells of the *end* of a log that it does not know; here it is ended. Numbers of
//! lines start at 1.

use serde_json::{Value, json};

use super::build::Build;
use super::detail::{Reading, object};
use super::endpoint::LogCall;
use super::errors::{Failure, Language};
use super::incoming::Incoming;
use super::lists::Reader;
use super::log::{LogKind, LogLine, LoggedRun};
use super::world::{Right, World};

/// Lines per call.
const CAP: usize = 10_000;
/// `num` of a range, where none is given.
const RANGE: i64 = 100;
/// `status`: no lines.
const EMPTY: u32 = 1;
/// `status`: cleaned away by retention; also what v3 says of a build that it does not know.
const CLEANED: u32 = 2;

/// Which lines are wanted.
pub(super) struct LogFilter {
    tag: Option<String>,
    container: Option<String>,
    job_id: Option<String>,
    step_id: Option<String>,
    /// The first execution unless said: after a retry the old log is what one is shown.
    execution: i64,
    debug: bool,
    kind: Option<LogKind>,
}

impl LogFilter {
    fn read(incoming: &Incoming, v4_init: bool) -> Result<Self, Failure> {
        let text = |name| incoming.text(name).map(str::to_owned);
        let kind = incoming.text("logType").filter(|_| v4_init);
        Ok(Self {
            tag: text("tag"),
            container: text("containerHashId"),
            job_id: text("jobId"),
            step_id: text("stepId"),
            execution: incoming.maybe_number("executeCount")?.unwrap_or(1),
            debug: incoming.flag("debug"),
            kind: kind.map(|kind| LogKind::named(kind).ok_or_else(Failure::wrong_type)).transpose()?,
        })
    }

    fn lets_through(&self, line: &LogLine, run: &LoggedRun) -> bool {
        let is = |wanted: &Option<String>, found: Option<&String>| wanted.is_none() || wanted.as_ref() == found;
        is(&self.tag, Some(&run.tag))
            && is(&self.container, Some(&run.container))
            && is(&self.job_id, run.job_id.as_ref())
            && is(&self.step_id, run.step_id.as_ref())
            && self.execution == i64::from(run.execution)
            && (self.debug || line.kind != LogKind::Debug)
            && self.kind.is_none_or(|kind| kind == line.kind)
    }
}

/// A part of the lines that the filter lets through.
enum Part {
    First,
    Last,
    From(i64),
    Range { start: i64, end: i64, count: usize, from_start: bool },
}

impl World {
    /// The right is checked on the pipeline that is named; in v3 the build is whichever is named.
    pub(super) fn log(&mut self, call: LogCall, reader: &Reader<'_>, build: &str, incoming: &Incoming) -> Reading {
        if !self.may(reader.uid, reader.pipeline, Right::View) {
            let Reader { uid, project, pipeline } = *reader;
            return Err(Failure::code(2100054, &[uid, project, "view", pipeline]));
        }
        let in_path = incoming.route().is_some_and(|route| route.family.has_ids_in_the_path());
        let v4_init = call == LogCall::Init && !in_path;
        let filter = LogFilter::read(incoming, v4_init)?;
        let part = match call {
            LogCall::After => Part::From(incoming.long("start")?),
            LogCall::More => range(incoming)?,
            LogCall::Init if v4_init && incoming.flag("reverse") => Part::Last,
            LogCall::Init | LogCall::LastLine | LogCall::Mode => Part::First,
        };
        let language = self.language_of(Some(reader.uid));
        let Some(build) = self.build_in(reader.project, build) else { return Ok(unknown(call, build, language)) };
        let finished = is_over(build, &filter);
        Ok(match call {
            LogCall::LastLine => json!({
                "buildId": build.id, "finished": build.is_finished(), "lastLineNum": build.book.log.last_number(),
            }),
            LogCall::Mode => json!({"buildId": build.id, "finished": finished, "logMode": "UPLOAD"}),
            LogCall::Init | LogCall::More | LogCall::After => lines(build, &filter, &part, language),
        })
    }

    /// Lets the log of a build be written up to now.
    pub(super) fn write_up_log(&mut self, project: &str, build: &str, now: i64) {
        self.step(now);
        if self.build_in(project, build).is_some() {
            self.alter_build(build, now, |build| build.book.log.write_up(now));
        }
    }
}

fn range(incoming: &Incoming) -> Result<Part, Failure> {
    let count = incoming.maybe_number("num")?.unwrap_or(RANGE);
    Ok(Part::Range {
        start: incoming.long("start")?,
        end: incoming.long("end")?,
        count: usize::try_from(count).unwrap_or_default().min(CAP),
        from_start: incoming.parameter("fromStart").is_none() || incoming.flag("fromStart"),
    })
}

fn is_over(build: &Build, filter: &LogFilter) -> bool {
    let execution = u32::try_from(filter.execution).unwrap_or_default();
    let over = || build.is_finished() || execution < build.execute_count;
    filter.tag.as_ref().and_then(|tag| build.book.log.is_over(tag, execution)).unwrap_or_else(over)
}

fn lines(build: &Build, filter: &LogFilter, part: &Part, language: Language) -> Value {
    let ordered = build.book.log.status;
    let all = build.book.log.lines().filter(|(_, line, run)| ordered.is_none() && filter.lets_through(line, run));
    let (found, has_more): (Vec<_>, bool) = match *part {
        Part::First => cap(all),
        Part::Last => cap(all.rev()),
        Part::From(start) => cap(all.filter(|(number, ..)| *number >= start)),
        Part::Range { start, end, count, from_start } => {
            let within = all.filter(|(number, ..)| (start..=end).contains(number));
            if from_start {
                (within.take(count).collect(), false)
            } else {
                let mut last: Vec<_> = within.rev().take(count).collect();
                last.reverse();
                (last, false)
            }
        }
    };
    let status = ordered.unwrap_or(if found.is_empty() { EMPTY } else { 0 });
    let logs: Vec<Value> = found.iter().map(|(number, line, run)| line_json(*number, line, run)).collect();
    answer(&build.id, is_over(build, filter), status, language, (logs, has_more))
}

fn cap<T>(lines: impl Iterator<Item = T>) -> (Vec<T>, bool) {
    let mut lines = lines.peekable();
    let found = lines.by_ref().take(CAP).collect();
    (found, lines.peek().is_some())
}

fn line_json(number: i64, line: &LogLine, run: &LoggedRun) -> Value {
    object(json!({
        "lineNo": number, "timestamp": line.at_ms, "message": line.message, "priority": 0, "tag": run.tag,
        "subTag": "", "jobId": run.job_id.as_deref().unwrap_or_default(), "containerHashId": run.container,
        "stepId": run.step_id, "executeCount": run.execution,
    }))
}

/// What v3 answers about a build that it does not know: HTTP 200.
fn unknown(call: LogCall, build: &str, language: Language) -> Value {
    match call {
        LogCall::LastLine => json!({"buildId": build, "finished": true, "lastLineNum": 0}),
        LogCall::Mode => json!({"buildId": build, "finished": true, "logMode": "UPLOAD"}),
        LogCall::Init | LogCall::More | LogCall::After => answer(build, true, CLEANED, language, (Vec::new(), false)),
    }
}

fn answer(build: &str, finished: bool, status: u32, language: Language, lines: (Vec<Value>, bool)) -> Value {
    object(json!({
        "buildId": build, "finished": finished, "hasMore": lines.1, "logs": lines.0, "timeUsed": 3, "status": status,
        "subTags": [], "message": message(status, language),
    }))
}

/// For people, and this double's own words.
fn message(status: u32, language: Language) -> Option<&'static str> {
    let words = match status {
        CLEANED => ["日志已被清理", "the log was cleaned away", "ログは削除されました"],
        3 => ["日志索引已关闭", "the index of the log is closed", "ログのインデックスは閉じています"],
        999 => ["日志查询失败", "the search failed", "ログの検索に失敗しました"],
        _ => return None,
    };
    Some(match language {
        Language::Chinese => words[0],
        Language::English => words[1],
        Language::Japanese => words[2],
    })
}
