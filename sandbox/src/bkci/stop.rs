//! Stopping a build (bkci-api.md 8): answered at once, carried out later.

use super::build::{Build, Cancel};
use super::errors::Failure;
use super::world::{ProjectRight, Right, World};

/// How long a second stop is refused (bkci-api.md 8, 14).
const AGAIN_AFTER_MS: i64 = 60_000;
/// How long this double takes to carry a stop out: "cancellation is asynchronous".
const TAKES_MS: i64 = 1000;

impl World {
    /// The reference names no check that the build belongs to the pipeline of the path, so there is none here: as in
    /// `status`, the right is checked on one and the other is stopped.
    pub(super) fn stop(&mut self, uid: &str, project: &str, pipeline: &str, id: &str, now: i64) -> Result<(), Failure> {
        self.step(now);
        if !self.may(uid, pipeline, Right::Execute) {
            return Err(Failure::code(2101008, &["Run"]).with_http(400));
        }
        let build = self.build_in(project, id).ok_or_else(|| Failure::code(2101163, &[id]))?;
        if build.is_finished() {
            return Err(Failure::code(2101182, &[]));
        }
        if !self.policy_lets_stop(uid, pipeline, build) {
            return Err(Failure::code(2101340, &[uid, id]));
        }
        let asked_ms = build.cancel.as_ref().map(|cancel| cancel.asked_ms);
        match asked_ms {
            // The name in the text is the caller's, not the first canceller's: an upstream quirk (8).
            Some(asked) if now - asked < AGAIN_AFTER_MS => {
                let left_s = (AGAIN_AFTER_MS - (now - asked) + 999) / 1000;
                return Err(Failure::code(2101019, &[uid, &left_s.to_string()]));
            }
            Some(_) => self.alter_build(id, now, |build| build.kill(now)),
            None => {
                let cancel = Cancel { by: uid.into(), asked_ms: now, due_ms: Some(now + TAKES_MS) };
                self.alter_build(id, now, |build| build.cancel = Some(cancel));
            }
        }
        Ok(())
    }

    /// Whether this user may stop the build (`cancelBuildPerm`, bkci-api.md 7.2). The reference can be read so that the
    /// restricted policy stands in for the right to execute; this double asks for both.
    pub(super) fn may_stop(&self, uid: &str, build: &Build) -> bool {
        self.may(uid, &build.pipeline, Right::Execute) && self.policy_lets_stop(uid, &build.pipeline, build)
    }

    fn policy_lets_stop(&self, uid: &str, pipeline: &str, build: &Build) -> bool {
        let restricted = self.pipeline(&build.project, pipeline).is_some_and(|pipeline| pipeline.restricted_stop);
        !restricted || build.starter == uid || self.may_in_project(uid, &build.project, ProjectRight::Manage)
    }
}
