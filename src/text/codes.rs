//! From the codes that BK-CI and its gateway answer to what happened and what to do next.
//!
//! Every code of the reference has words (bkci-api 3.3, 3.4, 6.3, 6.4, 7, 8, 9, 11, 15): a test reads them out of it. A
//! code that is not there keeps BK-CI's own message, neutralised, and its number.

use i18n_embed::fluent::FluentLanguageLoader;
use i18n_embed_fl::fl;

use super::plain::plain;
use crate::model::{RejectedBy, Rejection, Unpaired};

/// A message as it came is cut to this.
const MESSAGE_MAX: usize = 200;

/// Why a refusal, in words.
pub(super) fn refusal(t: &FluentLanguageLoader, rejection: &Rejection) -> String {
    let known = match rejection.by {
        RejectedBy::Gateway => of_gateway(t, rejection),
        RejectedBy::BkCi => {
            of_call(t, rejection).or_else(|| of_part(t, rejection)).or_else(|| of_request(t, rejection))
        }
    };
    known.unwrap_or_else(|| match rejection.by {
        RejectedBy::Gateway => fl!(t, "cause-unknown-gateway", message = message(rejection)),
        RejectedBy::BkCi => fl!(t, "cause-unknown", message = message(rejection)),
    })
}

/// What the operator has to mend, where the code tells (`bkci::Error::Misconfigured`).
pub(super) fn set_up(t: &FluentLanguageLoader, said: &Rejection) -> Option<String> {
    Some(match said.code {
        1_640_001 | 1_640_101 => fl!(t, "set-up-credentials"),
        1_640_102 => fl!(t, "set-up-user"),
        1_640_301 => fl!(t, "set-up-grant"),
        1_640_302 => fl!(t, "set-up-ip"),
        404 | 405 | 415 | 1_640_401 | 1_640_501 => fl!(t, "set-up-address"),
        403 => fl!(t, "set-up-project"),
        _ => return None,
    })
}

/// Why there was no answer, where the code tells (`bkci::Error::Unanswered`).
pub(super) fn silence(t: &FluentLanguageLoader, said: &Rejection) -> Option<String> {
    Some(match said.code {
        408 | 504 | 1_650_401 => fl!(t, "cause-late"),
        502 | 503 | 1_650_200 | 1_650_201 | 1_650_300 => fl!(t, "cause-down"),
        500..=599 | 1_650_001 => fl!(t, "cause-inside"),
        2_100_110 => fl!(t, "cause-garbled"),
        _ => return None,
    })
}

/// bkci-api 3.4. What else the gateway says is a matter of [`set_up`] or [`silence`].
fn of_gateway(t: &FluentLanguageLoader, rejection: &Rejection) -> Option<String> {
    match (rejection.http, rejection.code) {
        (429, _) | (_, 1_642_901..=1_642_904) => Some(match rejection.retry_after_s {
            Some(seconds) => fl!(t, "cause-rate", seconds = seconds),
            None => fl!(t, "cause-rate-unknown"),
        }),
        (413, _) | (_, 1_641_301) => Some(fl!(t, "cause-size")),
        _ => None,
    }
}

/// About the project, the pipeline or the build as a whole (bkci-api 3.3 and 6.3).
fn of_call(t: &FluentLanguageLoader, rejection: &Rejection) -> Option<String> {
    Some(match rejection.code {
        // v4 has one code for much (bkci-api 3.3), so BK-CI's words stay where they say nothing that is known.
        400 | 2_112_009 => match rejection.unpaired() {
            Some(Unpaired::NoBuild) => fl!(t, "cause-no-build"),
            Some(Unpaired::OtherPipeline) => fl!(t, "cause-other-pipeline"),
            None => fl!(t, "cause-ids", message = message(rejection)),
        },
        403 | 2_100_054 | 2_101_008 => fl!(t, "cause-permission"),
        404 => fl!(t, "cause-no-project"),
        2_101_163 => fl!(t, "cause-no-build"),
        2_101_058 => fl!(t, "cause-other-pipeline"),
        2_101_258 => fl!(t, "cause-old"),
        2_101_038 | 2_101_164 => fl!(t, "cause-no-pipeline"),
        2_101_039 | 2_101_184 => fl!(t, "cause-no-model"),
        2_101_047 => fl!(t, "cause-locked"),
        2_101_080 => fl!(t, "cause-disabled"),
        2_101_020 => fl!(t, "cause-often"),
        2_101_049 => fl!(t, "cause-queue"),
        2_101_139 => fl!(t, "cause-summary"),
        2_101_021 => fl!(t, "cause-disabled-start"),
        2_101_190 => fl!(t, "cause-unreleased"),
        2_101_133 => fl!(t, "cause-no-project-right"),
        2_101_104 => fl!(t, "cause-no-manager"),
        _ => return None,
    })
}

/// About what state the build or a part of it is in (bkci-api 6.3 from 8a on, 6.4, 8).
fn of_part(t: &FluentLanguageLoader, rejection: &Rejection) -> Option<String> {
    Some(match rejection.code {
        // "A parameter is empty" is how "already running" looks in practice (bkci-api 6.4).
        2_100_002 | 2_101_129 => fl!(t, "cause-running"),
        2_101_081 => fl!(t, "cause-outdated"),
        2_101_114 => fl!(t, "cause-stage-not-failed"),
        2_101_221 => fl!(t, "cause-skip"),
        2_101_273 => fl!(t, "cause-stage-stopped"),
        2_101_110 => fl!(t, "cause-job-running"),
        2_101_277 => fl!(t, "cause-task-not-failed"),
        2_101_166 => fl!(t, "cause-no-stage"),
        2_101_182 => fl!(t, "cause-ended"),
        2_101_019 => match last_number(&rejection.message) {
            Some(seconds) => fl!(t, "cause-stopping-wait", seconds = seconds),
            None => fl!(t, "cause-stopping"),
        },
        2_101_340 => fl!(t, "cause-stop-right"),
        2_101_141 => fl!(t, "cause-restarting"),
        2_101_018 | 2_101_073 => fl!(t, "cause-not-reviewer"),
        2_101_107 | 2_101_167 | 2_101_279 => fl!(t, "cause-not-waiting"),
        2_101_012 => fl!(t, "cause-fault", message = message(rejection)),
        _ => return None,
    })
}

/// About how the bot itself asked (bkci-api 7.4, 7.5, 11.1, 15).
fn of_request(t: &FluentLanguageLoader, rejection: &Rejection) -> Option<String> {
    Some(match rejection.code {
        2_101_132 | 2_101_286 | 2_101_366 => fl!(t, "cause-callback", message = message(rejection)),
        2_101_134 | 2_101_136 => fl!(t, "cause-no-callback"),
        2_100_015 | 2_101_282 => fl!(t, "cause-bot", message = message(rejection)),
        2_112_005 => fl!(t, "cause-gateway-trust"),
        _ => return None,
    })
}

/// "Please try again after {1} seconds": whoever stopped it is named before (bkci-api 8).
fn last_number(text: &str) -> Option<u32> {
    let after = text.trim_end_matches(|character: char| !character.is_ascii_digit());
    let digits = after.rsplit(|character: char| !character.is_ascii_digit()).next()?;
    digits.parse().ok()
}

fn message(rejection: &Rejection) -> String {
    plain(&rejection.message, MESSAGE_MAX)
}

#[cfg(test)]
mod tests;
