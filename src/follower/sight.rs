//! What one look sees: the builds of a pipeline that may have changed, in as few calls as the address family allows.
//!
//! v4 tells many builds in one call, whichever are asked for; it checks the right on the pipeline that is named and then
//! reads any build of the project, so never more than one pipeline goes into a call (bkci-api 7.5). v3 tells the builds
//! of a pipeline, those that changed last first; what is older than the mark of the last look is known (bkci-api 7.4).

use std::time::Duration;

use super::pace::Pace;
use crate::bkci::{BuildsOf, Client, Error, PAGES};
use crate::model::Timestamp;
use crate::model::ids::BuildId;
use crate::model::listed::Build;
use crate::store::looks::Look;

/// So many builds go into one call (bkci-api 7.5).
const BATCH: usize = 100;

/// BK-CI keeps the time of an update in whole seconds: what was written in the second of the mark may be news.
const OVERLAP: Duration = Duration::from_secs(1);

/// What a look saw.
#[derive(Debug, Default)]
pub struct Sight {
    /// Builds that may have changed.
    pub builds: Vec<Build>,
    /// The newest update that was seen (BK-CI's clock).
    pub mark: Option<Timestamp>,
}

/// Whether a look asks for what is followed by name: what is left out is gone then. Where a pipeline's history is read
/// in any case it tells of those builds too, from the mark on, and one call does.
pub fn by_name(bkci: &Client, look: &Look, watched: bool) -> bool {
    bkci.batches() && (!watched || look.mark.is_none())
}

/// Looks: at the builds that are `followed`, and at whatever happened in the pipeline if it is `watched`.
///
/// # Errors
/// A call failed; nothing was changed, and the look is repeated as a whole.
pub async fn look(
    bkci: &Client,
    pace: &Pace,
    look: &Look,
    (followed, watched): (&[BuildId], bool),
) -> Result<Sight, Error> {
    let of = BuildsOf { uid: &look.as_user, project: &look.project, pipeline: &look.pipeline };
    let mut sight = Sight { builds: Vec::new(), mark: look.mark };
    if by_name(bkci, look, watched) {
        for ids in followed.chunks(BATCH) {
            pace.turn().await;
            sight.builds.extend(bkci.builds_named(of, ids).await?);
        }
    }
    if bkci.batches() && !watched {
        return Ok(sight);
    }
    for page in 1..=PAGES {
        pace.turn().await;
        let part = bkci.builds_by_update(of, page).await?;
        sight.mark = sight.mark.max(part.entries.iter().filter_map(|build| build.updated).max());
        let oldest = part.entries.iter().filter_map(|build| build.updated).min();
        let news = part.entries.into_iter().filter(|build| is_news(build.updated, look.mark));
        for build in news {
            if !sight.builds.iter().any(|seen| seen.id == build.id) {
                sight.builds.push(build);
            }
        }
        if !part.more || oldest.is_none() || !is_news(oldest, look.mark) || look.mark.is_none() {
            break;
        }
    }
    Ok(sight)
}

fn is_news(updated: Option<Timestamp>, mark: Option<Timestamp>) -> bool {
    match (updated, mark) {
        (Some(updated), Some(mark)) => updated.plus(OVERLAP) >= mark,
        (Some(_) | None, _) => true,
    }
}
