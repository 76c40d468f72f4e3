//! Callbacks (bkci-api 11.1).

use std::collections::BTreeMap;

use serde::Deserialize;

use super::scalar::{Scalar, lenient};
use super::{Fault, data};

/// Why an event was not registered, if one was not; text of a stranger.
pub(in crate::bkci) fn registered(body: &[u8]) -> Result<Option<String>, Fault> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct RegisteredWire {
        #[serde(default, deserialize_with = "lenient")]
        success_events: Vec<Scalar>,
        #[serde(default, deserialize_with = "lenient")]
        failure_events: BTreeMap<String, Scalar>,
    }
    let RegisteredWire { success_events, failure_events } = data(body)?;
    let failed = failure_events.into_iter().next();
    match failed {
        Some((event, reason)) => Ok(Some(format!("{event}: {}", reason.text().unwrap_or_default()))),
        None if success_events.is_empty() => Err("BK-CI's answer names no event that it registered".to_owned()),
        None => Ok(None),
    }
}

/// A page of a project's callbacks: each one's id and where it goes. One without an id cannot be taken out.
pub(in crate::bkci) fn listed(body: &[u8]) -> Result<Vec<(i64, String)>, Fault> {
    #[derive(Deserialize)]
    struct HooksWire {
        records: Option<Vec<HookWire>>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct HookWire {
        #[serde(default)]
        id: Scalar,
        #[serde(default)]
        call_back_url: Scalar,
    }
    let records = data::<HooksWire>(body)?.records.ok_or("BK-CI's list has no records")?;
    let hook = |wire: HookWire| Some((wire.id.int()?, wire.call_back_url.text().unwrap_or_default()));
    Ok(records.into_iter().filter_map(hook).collect())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn body(data: &Value) -> Vec<u8> {
        json!({"status": 0, "data": data}).to_string().into_bytes()
    }

    #[test]
    fn an_event_that_failed_is_told_with_its_reason() {
        let read = |data: Value| registered(&body(&data));
        assert_eq!(read(json!({"successEvents": ["BUILD_START", "BUILD_END"], "failureEvents": {}})), Ok(None));
        assert_eq!(read(json!({"successEvents": ["BUILD_START"]})), Ok(None));
        let half = json!({"successEvents": ["BUILD_START"], "failureEvents": {"BUILD_END": "no room"}});
        assert_eq!(read(half), Ok(Some("BUILD_END: no room".to_owned())));
        assert_eq!(read(json!({"failureEvents": {"BUILD_END": {"a": 1}}})), Ok(Some("BUILD_END: ".to_owned())));
        for odd in [json!({}), json!({"successEvents": []}), json!({"successEvents": 7}), Value::Null, json!(true)] {
            assert!(read(odd.clone()).is_err(), "{odd}");
        }
    }

    #[test]
    fn a_callback_is_known_by_its_id_and_address() {
        let page = json!({"page": 1, "records": [
            {"projectId": "gamecore", "callBackUrl": "https://a/", "events": "BUILD_END", "id": 7, "enable": true},
            {"callBackUrl": "https://b/", "id": "8"}, {"id": 9}, {"callBackUrl": "https://a/"}]});
        let listed = |data: &Value| super::listed(&body(data));
        let expected = [(7, "https://a/"), (8, "https://b/"), (9, "")].map(|(id, url)| (id, url.to_owned()));
        assert_eq!(listed(&page), Ok(expected.to_vec()));
        assert_eq!(listed(&json!({"records": []})), Ok(Vec::new()));
        for odd in [json!({}), json!([]), Value::Null, json!({"records": 1})] {
            assert!(listed(&odd).is_err(), "{odd}");
        }
    }
}
