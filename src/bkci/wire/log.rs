//! Logs (bkci-api 9).

use serde::Deserialize;

use super::scalar::{Scalar, list};
use super::{Fault, data};
use crate::bkci::log::{LOG_LINE_MAX, LogState, LogTail};

/// The number of a build's last line; 0 where it has none.
pub(in crate::bkci) fn last_line(body: &[u8]) -> Result<u64, Fault> {
    #[derive(Deserialize)]
    struct LastLineWire {
        #[serde(default, rename = "lastLineNum")]
        last_line_num: Scalar,
    }
    let number = data::<LastLineWire>(body)?.last_line_num.int().ok_or("BK-CI's answer names no last line")?;
    Ok(u64::try_from(number).unwrap_or_default())
}

/// The last `max` lines.
pub(in crate::bkci) fn tail(body: &[u8], max: usize) -> Result<LogTail, Fault> {
    #[derive(Deserialize)]
    struct LogsWire {
        #[serde(default)]
        status: Scalar,
        #[serde(default, deserialize_with = "list")]
        logs: Vec<LineWire>,
    }
    #[derive(Deserialize)]
    struct LineWire {
        #[serde(default)]
        message: Scalar,
    }
    let LogsWire { status, logs } = data(body)?;
    let state = match status.int() {
        None | Some(0) if !logs.is_empty() => LogState::Here,
        None | Some(0 | 1) => LogState::Empty,
        Some(2) => LogState::CleanedAway,
        Some(3) => LogState::Closed,
        Some(_) => LogState::Failed,
    };
    if state != LogState::Here {
        return Ok(LogTail { lines: Vec::new(), state });
    }
    let messages = logs.into_iter().rev().map(|line| line.message.text().unwrap_or_default());
    let mut lines: Vec<String> = messages.flat_map(|message| last_lines(&message, max)).take(max).collect();
    lines.reverse();
    Ok(LogTail { lines, state })
}

/// The lines of a message, the last one first. An empty message is one line.
fn last_lines(message: &str, max: usize) -> Vec<String> {
    let cut = |line: &str| line.chars().take(LOG_LINE_MAX).collect::<String>();
    let message = message.strip_suffix('\n').unwrap_or(message);
    message.rsplit('\n').take(max).map(|line| cut(line.trim_end_matches('\r'))).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn read(data: &Value, max: usize) -> Result<LogTail, Fault> {
        tail(json!({"status": 0, "data": data}).to_string().as_bytes(), max)
    }

    fn logs(messages: &[&str]) -> Value {
        let logs: Vec<Value> = messages.iter().map(|message| json!({"lineNo": 1, "message": message})).collect();
        json!({"buildId": "b-1", "finished": true, "timeUsed": 3, "status": 0, "logs": logs})
    }

    #[test]
    fn lines_come_as_they_are_and_a_message_of_several_is_several() {
        let red = "\u{1b}[31m##[error]no\u{1b}[0m";
        let tail = read(&logs(&["one", "two\r\nthree\n", "", red]), 10).expect("readable");
        assert_eq!(
            (tail.state, tail.lines),
            (LogState::Here, ["one", "two", "three", "", red].map(String::from).to_vec())
        );
        let tail = read(&logs(&["one", "two\nthree\nfour"]), 2).expect("readable");
        assert_eq!(tail.lines, ["three", "four"], "the last ones");
        let many: Vec<&str> = vec!["x"; 30];
        assert_eq!(read(&logs(&many), 20).expect("readable").lines.len(), 20, "never more than asked for");
    }

    #[test]
    fn a_line_has_a_bound() {
        let long = "构".repeat(5_000);
        let tail = read(&logs(&[&long, &format!("{long}\n{long}")]), 10).expect("readable");
        assert_eq!(tail.lines, vec!["构".repeat(LOG_LINE_MAX); 3]);
    }

    #[test]
    fn why_there_is_no_log_is_told_by_its_status() {
        let table = [
            (json!({"status": 0, "logs": []}), LogState::Empty),
            (json!({"status": 0}), LogState::Empty),
            (json!({}), LogState::Empty),
            (json!({"status": 0, "logs": null}), LogState::Empty),
            (json!({"status": 1, "logs": []}), LogState::Empty),
            (json!({"status": 2, "logs": [], "message": "cleaned"}), LogState::CleanedAway),
            (json!({"status": "3"}), LogState::Closed),
            (json!({"status": 999, "logs": [{"message": "half"}]}), LogState::Failed),
            (json!({"status": 7}), LogState::Failed),
        ];
        for (data, state) in table {
            assert_eq!(read(&data, 10), Ok(LogTail { lines: Vec::new(), state }), "{data}");
        }
        assert_eq!(read(&json!({"logs": [{"message": 1}, {}]}), 10).map(|tail| tail.lines.len()), Ok(2));
        for odd in [Value::Null, json!("x"), json!({"logs": "x"}), json!({"logs": [1]})] {
            assert!(read(&odd, 10).is_err(), "{odd}");
        }
    }

    #[test]
    fn the_last_line_is_a_number() {
        let read = |data: Value| last_line(json!({"status": 0, "data": data}).to_string().as_bytes());
        assert_eq!(read(json!({"buildId": "b-1", "finished": true, "lastLineNum": 1234})), Ok(1234));
        assert_eq!(read(json!({"lastLineNum": "7"})), Ok(7));
        assert_eq!(read(json!({"lastLineNum": -1})), Ok(0));
        for odd in [json!({}), json!({"lastLineNum": null}), json!({"lastLineNum": []}), Value::Null, json!(3)] {
            assert!(read(odd.clone()).is_err(), "{odd}");
        }
    }
}
