//! From the codes that BK-CI and its gateway answer to a cause and a next step (bkci-api 3.3, 3.4, 6.3, 6.4, 15).

use i18n_embed::fluent::FluentLanguageLoader;
use i18n_embed_fl::fl;

use super::plain::plain;
use crate::model::{RejectedBy, Rejection};

/// Codes of BK-CI that a retry or the read before it can meet, and that have words of ours.
pub const KNOWN: [i64; 23] = [
    403, 404, 2_100_002, 2_101_008, 2_101_020, 2_101_038, 2_101_039, 2_101_047, 2_101_049, 2_101_058, 2_101_080,
    2_101_081, 2_101_110, 2_101_114, 2_101_129, 2_101_139, 2_101_163, 2_101_164, 2_101_184, 2_101_221, 2_101_258,
    2_101_273, 2_101_277,
];

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
        RejectedBy::Gateway => unknown(t, &fl!(t, "by-gateway"), rejection),
        RejectedBy::BkCi => known(t, rejection.code).unwrap_or_else(|| unknown(t, &fl!(t, "by-bkci"), rejection)),
    }
}

fn known(t: &FluentLanguageLoader, code: i64) -> Option<String> {
    Some(match code {
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

    #[test]
    fn every_code_that_is_listed_has_words_in_every_language() {
        for locale in Locale::ALL {
            for code in KNOWN {
                assert!(known(super::super::loader(locale), code).is_some_and(|text| !text.is_empty()), "{code}");
            }
            assert_eq!(known(super::super::loader(locale), 1), None);
        }
    }
}
