use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::path::PathBuf;

use super::*;
use crate::model::Locale;

/// Every code that the reference names as an answer to a call, with the sections that name it. What stands in sections
/// 5 (errors of tasks, not of calls) and 16 (open questions) is left out.
const REFERENCE: [(i64, &str); 71] = [
    (400, "3.3"),
    (403, "2.2 3.3"),
    (404, "2.2 3.3"),
    (405, "3.3"),
    (408, "3.3"),
    (415, "3.3"),
    (500, "3.3"),
    (1_640_001, "3.4"),
    (1_640_101, "3.4"),
    (1_640_102, "3.4"),
    (1_640_301, "3.4"),
    (1_640_302, "3.4"),
    (1_640_401, "3.4"),
    (1_640_501, "3.4"),
    (1_641_301, "3.4"),
    (1_642_901, "3.4"),
    (1_642_902, "3.4"),
    (1_642_903, "3.4"),
    (1_642_904, "3.4"),
    (1_650_001, "3.4"),
    (1_650_200, "3.4"),
    (1_650_201, "3.4"),
    (1_650_300, "3.4"),
    (1_650_401, "3.4 14"),
    (2_100_002, "6.3 6.4 15"),
    (2_100_015, "7.4"),
    (2_100_054, "9 15"),
    (2_100_110, "3.3 15"),
    (2_101_008, "3.3 6.3 8 15"),
    (2_101_012, "8 15"),
    (2_101_018, "8 15"),
    (2_101_019, "8 15"),
    (2_101_020, "6.3 8 15"),
    (2_101_021, "8 15"),
    (2_101_038, "6.3 7.4 8 15"),
    (2_101_039, "6.3 15"),
    (2_101_047, "6.3 8 15"),
    (2_101_049, "6.3 8 15"),
    (2_101_058, "6.3 7.1 8 15"),
    (2_101_073, "8 15"),
    (2_101_080, "6.3 8 15"),
    (2_101_081, "6.3 15"),
    (2_101_104, "11.1 15"),
    (2_101_107, "8 15"),
    (2_101_110, "6.3 6.4 15"),
    (2_101_114, "6.3 6.4 15"),
    (2_101_129, "6.3 6.4 15"),
    (2_101_132, "11.1 15"),
    (2_101_133, "11.1 15"),
    (2_101_134, "11.1 15"),
    (2_101_136, "11.1 15"),
    (2_101_139, "6.3 15"),
    (2_101_141, "8 15"),
    (2_101_163, "3.2 6.3 7.1 8 15"),
    (2_101_164, "15"),
    (2_101_166, "8 15"),
    (2_101_167, "8 15"),
    (2_101_182, "8 15"),
    (2_101_184, "6.3 15"),
    (2_101_190, "8 15"),
    (2_101_221, "6.3 15"),
    (2_101_258, "6.3 15"),
    (2_101_273, "6.3 6.4 15"),
    (2_101_277, "6.3 6.4 15"),
    (2_101_279, "8 15"),
    (2_101_282, "7.5 15"),
    (2_101_286, "11.1 15"),
    (2_101_340, "8 15"),
    (2_101_366, "11.1 15"),
    (2_112_005, "15"),
    (2_112_009, "15"),
];

const AS_IT_CAME: &str = "as it came";

fn rejection(by: RejectedBy, http: u16, code: i64) -> Rejection {
    Rejection { by, http, code, message: AS_IT_CAME.into(), request_id: None, retry_after_s: None }
}

/// Everything that is said of a code, whatever kind of error it comes in.
fn said(t: &FluentLanguageLoader, code: i64) -> Vec<String> {
    let bkci = rejection(RejectedBy::BkCi, 400, code);
    let refused = [of_gateway(t, &rejection(RejectedBy::Gateway, 400, code)), of_call(t, &bkci), of_part(t, &bkci)];
    let others = [of_request(t, &bkci), set_up(t, &bkci), silence(t, &bkci)];
    refused.into_iter().chain(others).flatten().collect()
}

#[test]
fn every_code_of_the_reference_has_a_cause_and_a_next_step_in_every_language() {
    for locale in Locale::ALL {
        let t = super::super::loader(locale);
        for (code, sections) in REFERENCE {
            let words = said(t, code);
            assert!(!words.is_empty(), "bkci-api {sections}: {code} has no words");
            for text in words {
                let sentences = text.split_inclusive(['.', '。', ';', '；']).filter(|part| part.trim().len() > 3);
                assert!(sentences.count() >= 2, "{code}: {text}");
            }
        }
        assert_eq!(said(t, 1), Vec::<String>::new(), "no words for everything");
    }
}

#[test]
fn the_gateway_names_the_seconds_and_what_is_unknown_keeps_its_own_words() {
    for locale in Locale::ALL {
        let t = super::super::loader(locale);
        for (http, code) in
            [(429, 1_642_901), (429, 429), (200, 1_642_902), (429, 1_642_904), (413, 1), (200, 1_641_301)]
        {
            let plain = rejection(RejectedBy::Gateway, http, code);
            assert!(!refusal(t, &plain).contains(AS_IT_CAME), "{code}");
            let limit = Rejection { retry_after_s: Some(17), ..plain };
            assert_eq!(refusal(t, &limit).contains("17"), http != 413 && code != 1_641_301, "{code}");
        }
        for other in [rejection(RejectedBy::Gateway, 400, 1_640_999), rejection(RejectedBy::BkCi, 400, 1)] {
            let hostile = Rejection { message: "**now** @everyone".into(), ..other };
            let words = refusal(t, &hostile);
            assert!(words.contains(r"\*\*now\*\*") && !words.contains("@everyone"), "{words}");
        }
    }
}

/// bkci-api 3.3: one code, and words that are in no catalogue.
#[test]
fn what_v4_says_of_ids_that_do_not_fit_is_told_apart() {
    let t = super::super::loader(Locale::En);
    let of = |by, message: &str| Rejection { message: message.into(), ..rejection(by, 400, 400) };
    let said = |message| refusal(t, &of(RejectedBy::BkCi, message));
    assert!(said("Parameter verification failed: {0} PipelineId is invalid ").contains("another pipeline"));
    assert!(said("参数校验失败:{0} PipelineId is invalid ").contains("another pipeline"));
    assert!(said("参数校验失败:{0} parameter content of the request is empty").contains("no such build"));
    let other = said("Parameter verification failed: request param userId cannot be empty");
    assert!(other.contains("userId"), "{other}");
    assert_eq!(of(RejectedBy::Gateway, "{0} PipelineId is invalid ").unpaired(), None);
}

/// The same code says something else when it is about the call's address or the application (bkci-api 3.3).
#[test]
fn an_unknown_address_is_not_told_as_an_unknown_project() {
    let t = super::super::loader(Locale::En);
    for code in [403, 404] {
        let by = rejection(RejectedBy::BkCi, 404, code);
        assert_ne!(set_up(t, &by), Some(refusal(t, &by)), "{code}");
    }
}

/// Where the reference is: named by the environment, or where it lies beside this repository.
fn reference() -> Option<String> {
    let beside = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/reference/bkci-api.md");
    let path = std::env::var_os("BKCI_REFERENCE").map_or(beside, PathBuf::from);
    std::fs::read_to_string(path).ok()
}

/// Code → sections, read from the reference's own text.
fn codes_of(reference: &str) -> BTreeMap<i64, BTreeSet<String>> {
    let mut found: BTreeMap<i64, BTreeSet<String>> = BTreeMap::new();
    let mut section = String::new();
    for line in reference.lines() {
        if let Some(heading) = line.strip_prefix("## ").or_else(|| line.strip_prefix("### ")) {
            section = heading.split(' ').next().unwrap_or_default().trim_end_matches('.').to_owned();
        }
        if section == "16" {
            continue;
        }
        let long = numbers(line).filter(|number| number.len() == 7);
        let long = long.filter(|number| ["164", "165", "210", "211"].iter().any(|class| number.starts_with(class)));
        let in_bodies = line.split(r#""status":"#).skip(1).filter_map(|rest| numbers(rest).next());
        // The table of 3.3 gives the status of an envelope that it does not repeat in its second column.
        let in_table = line.split('|').nth(2).filter(|_| section == "3.3").into_iter().flat_map(numbers);
        let short = in_bodies.chain(in_table).filter(|number| number.len() == 3);
        for number in long.chain(short) {
            let code = number.parse().expect("digits");
            found.entry(code).or_default().insert(section.clone());
        }
    }
    found
}

fn numbers(text: &str) -> impl Iterator<Item = &str> {
    text.split(|character: char| !character.is_ascii_digit()).filter(|number| !number.is_empty())
}

#[test]
fn the_list_of_codes_is_the_references() {
    let Some(reference) = reference() else {
        assert!(std::env::var_os("REPRISE_TEST_SKIPS").is_none(), "BKCI_REFERENCE names no document");
        // Past the capture of the test runner.
        let _ =
            writeln!(std::io::stderr(), "SKIPPED: the list of codes; set BKCI_REFERENCE=…/bkci-api.md to compare it");
        return;
    };
    let listed: BTreeMap<i64, BTreeSet<String>> =
        REFERENCE.iter().map(|(code, sections)| (*code, sections.split(' ').map(str::to_owned).collect())).collect();
    assert_eq!(codes_of(&reference), listed);
}
