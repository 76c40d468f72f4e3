//! What tasks write that no test has given lines to: what real logs are full of (bkci-api.md 9). Colours, groups,
//! markers, an anchor, masked secrets, a stack trace that is one line of many.

use super::log::LoggedRun;
use super::outcome::Fail;

/// When, and what: what it opens with, what it writes on the way, how it ends.
pub(super) fn made_up(run: &LoggedRun) -> Vec<(i64, String)> {
    let mut lines: Vec<(i64, String)> = opening(run).into_iter().zip(run.start_ms..).map(|(l, at)| (at, l)).collect();
    for quarter in 1..=3 {
        let at = run.start_ms + 10 + run.takes_ms * quarter / 4;
        lines.push((at, format!("\u{1b}[32m[{quarter}/3]\u{1b}[m {} is at work", run.name)));
    }
    if let Some(end_ms) = run.end_ms {
        // What was broken off or took no time writes no more than it came to.
        lines.retain(|(at, _)| *at <= end_ms);
        let ending = run.error.as_ref().map_or_else(|| success(run), failure);
        lines.extend(ending.into_iter().map(|line| (end_ms, line)));
    }
    lines
}

fn opening(run: &LoggedRun) -> Vec<String> {
    vec![
        format!("##[group]{}", run.name),
        format!("\u{1b}[1mPlugin: {} (1.*)\u{1b}[0m", run.atom),
        "##[command]/bin/bash -e run.sh --user ci --token ******".into(),
        "##[debug]42 variables in the environment".into(),
        format!("##[endgroup]{}", run.name),
        "##[warning]\u{1b}[33mthe cache is older than a week\u{1b}[0m".into(),
    ]
}

fn success(run: &LoggedRun) -> Vec<String> {
    vec![
        "Report: <a target='_blank' href='https://devops.example.com/report'>open it</a>".into(),
        format!("\u{1b}[1;32m{} is done\u{1b}[0m", run.name),
    ]
}

fn failure(fail: &Fail) -> Vec<String> {
    vec![
        "\u{1b}[1;31mFAILED\u{1b}[0m login::a_stale_session_is_renewed".into(),
        "thread 'login' panicked at src/login.rs:42:9:\n  left: 401\n right: 200\nstack backtrace:\n   0: \
         app::login::renew\n             at ./src/login.rs:42:9\n   1: app::main\n             at ./src/main.rs:7:5"
            .into(),
        format!("##[error]\u{1b}[31m{}\u{1b}[m", fail.message),
        format!(
            "##[error]{} <a target='_blank' href='https://devops.example.com/errors/{}'>what it means</a>",
            fail.code, fail.code
        ),
    ]
}

/// What the start of a machine writes.
pub(super) fn machine(job: &str, fail: Option<&Fail>) -> Vec<String> {
    let looking = format!("##[section]Looking for a machine for {job}");
    match fail {
        Some(fail) => vec![looking, format!("##[error]{}", fail.message)],
        None => vec![looking, "agent 10.0.0.7 is ready".into()],
    }
}
