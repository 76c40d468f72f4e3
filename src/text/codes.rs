//! From the codes that BK-CI and its gateway answer to a cause and a next step (bkci-api 3.3, 3.4, 6.3, 6.4, 15).

use i18n_embed::fluent::FluentLanguageLoader;
use i18n_embed_fl::fl;

use super::plain::plain;
use crate::model::{RejectedBy, Rejection};

/// Codes of BK-CI that a retry or the read before it can meet, and that have words of ours.
pub const KNOWN: [i64; 24] = [
    400, 403, 404, 2_100_002, 2_101_008, 2_101_020, 2_101_038, 2_101_039, 2_101_047, 2_101_049, 2_101_058, 2_101_080,
    2_101_081, 2_101_110, 2_101_114, 2_101_129, 2_101_139, 2_101_163, 2_101_164, 2_101_184, 2_101_221, 2_101_258,
    2_101_273, 2_101_277,
];

/// The gateway's "request body size too large" (bkci-api 3.4).
const BODY_TOO_LARGE: i64 = 1_641_301;

/// A message as it came is cut to this.
const MESSAGE_MAX: usize = 200;

/// Cause and next step of a refusal.
pub(super) fn cause(t: &FluentLanguageLoader, rejection: &Rejection) -> String {
    match rejection.by {
        RejectedBy::Gateway if rejection.http == 429 || (1_642_901..=1_642_904).contains(&rejection.code) => {
            match rejection.retry_after_s {
                Some(seconds) => fl!(t, "cause-rate", seconds = seconds),
                None => fl!(t, "cause-rate-unknown"),
            }
        }
        RejectedBy::Gateway if rejection.http == 413 || rejection.code == BODY_TOO_LARGE => fl!(t, "cause-size"),
        RejectedBy::Gateway => unknown(t, &fl!(t, "by-gateway"), rejection),
        RejectedBy::BkCi => known(t, rejection).unwrap_or_else(|| unknown(t, &fl!(t, "by-bkci"), rejection)),
    }
}

fn known(t: &FluentLanguageLoader, rejection: &Rejection) -> Option<String> {
    Some(match rejection.code {
        // How v4 says that build and pipeline do not fit (bkci-api 3.3). Other mistakes have the same code, so its words stay.
        400 => fl!(t, "cause-ids", message = plain(&rejection.message, MESSAGE_MAX)),
        403 | 2_101_008 => fl!(t, "cause-permission"),
        404 => fl!(t, "cause-no-project"),
        2_101_163 => fl!(t, "cause-no-build"),
        2_101_058 => fl!(t, "cause-other-pipeline"),
        2_101_258 => fl!(t, "cause-old"),
        2_101_038 | 2_101_039 | 2_101_164 | 2_101_184 => fl!(t, "cause-no-pipeline"),
        2_101_047 => fl!(t, "cause-locked"),
        2_101_081 => fl!(t, "cause-outdated"),
        2_101_114 => fl!(t, "cause-stage-not-failed"),
        2_101_221 => fl!(t, "cause-skip"),
        // "A parameter is empty" is how "already running" looks in practice (bkci-api 6.4).
        2_100_002 | 2_101_129 => fl!(t, "cause-running"),
        2_101_110 | 2_101_273 | 2_101_277 => fl!(t, "cause-task-state"),
        2_101_080 => fl!(t, "cause-disabled"),
        2_101_020 => fl!(t, "cause-often"),
        2_101_049 => fl!(t, "cause-queue"),
        2_101_139 => fl!(t, "cause-summary"),
        _ => return None,
    })
}

fn unknown(t: &FluentLanguageLoader, by: &str, rejection: &Rejection) -> String {
    fl!(t, "cause-unknown", by = by, message = plain(&rejection.message, MESSAGE_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Locale;

    fn rejection(by: RejectedBy, http: u16, code: i64) -> Rejection {
        Rejection { by, http, code, message: "as it came".into(), request_id: None, retry_after_s: None }
    }

    #[test]
    fn every_code_that_is_listed_has_words_in_every_language() {
        for locale in Locale::ALL {
            let t = super::super::loader(locale);
            for code in KNOWN {
                let words = known(t, &rejection(RejectedBy::BkCi, 400, code));
                assert!(words.is_some_and(|text| !text.is_empty()), "{code}");
            }
            assert_eq!(known(t, &rejection(RejectedBy::BkCi, 400, 1)), None);
        }
    }

    #[test]
    fn the_gateways_refusals_have_words_and_what_is_unknown_keeps_its_own() {
        for locale in Locale::ALL {
            let t = super::super::loader(locale);
            for (http, code) in
                [(429, 1_642_901), (429, 1_642_904), (200, 1_642_902), (413, 1_641_301), (200, 1_641_301)]
            {
                let words = cause(t, &rejection(RejectedBy::Gateway, http, code));
                assert!(!words.contains("as it came"), "{code}: {words}");
            }
            for other in [rejection(RejectedBy::Gateway, 400, 1_640_999), rejection(RejectedBy::BkCi, 400, 1)] {
                assert!(cause(t, &other).contains("as it came"));
            }
        }
    }
}
