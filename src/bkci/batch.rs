//! The state of many builds in one call.
//!
//! BK-CI checks the right to look on the pipeline that is named and then tells of *any* build of the project
//! (bkci-api 7.5). Whoever asks must have established that each build belongs to that pipeline.

use std::collections::BTreeSet;

use super::address::Family;
use super::endpoint::Endpoint;
use super::error::Answer;
use super::lists::{BuildsOf, unusable};
use super::{Client, Error, wire};
use crate::model::ids::BuildId;
use crate::model::listed;

/// So many builds may be asked about at once (bkci-api 7.5).
pub const BATCH: usize = 100;

impl Client {
    /// Whether many builds can be looked at in one call.
    pub fn batches(&self) -> bool {
        self.family() != Family::V3
    }

    /// These builds, in no particular order; those that BK-CI does not know are missing. At most [`BATCH`]. All have to be
    /// of that pipeline: BK-CI does not check it.
    ///
    /// # Errors
    /// As for every read: nothing was changed. [`Error::NotSent`] also where [`Self::batches`] is false, and for too many.
    pub async fn builds_named(&self, of: BuildsOf<'_>, ids: &[BuildId]) -> Result<Vec<listed::Build>, Error> {
        debug_assert!(ids.len() <= BATCH, "the caller asks in parts");
        if ids.len() > BATCH {
            return Err(Error::NotSent { hint: format!("more than {BATCH} builds were asked about at once") });
        }
        if !self.batches() {
            return Err(Error::NotSent { hint: "v3 cannot tell of many builds in one call (bkci.api)".to_owned() });
        }
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let BuildsOf { uid, project, pipeline } = of;
        let read = |answer: &Answer<'_>| wire::lists::batch(answer.accepted()?).map_err(unusable(answer));
        let told = self.ask(Endpoint::Batch { project, pipeline, builds: ids }, Some(uid), read).await?;
        let mut missing: BTreeSet<&BuildId> = ids.iter().collect();
        Ok(told.into_iter().filter(|build| missing.remove(&build.id)).collect())
    }
}
