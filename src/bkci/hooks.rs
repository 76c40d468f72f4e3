//! Callbacks: asking BK-CI to tell us of builds (bkci-api 11.1).
//!
//! What is told is only a hint to look sooner, so losing a callback costs nothing but time. The token is a bearer secret:
//! in project-level calls it stands in the address, so nothing here hands an address or a body on.

use std::collections::BTreeSet;

use secrecy::SecretString;

use super::address::Family;
use super::endpoint::Endpoint;
use super::error::{self, Answer};
use super::lists::unusable;
use super::{Client, Error, wire};
use crate::model::ids::{PipelineId, ProjectId, Uid};
use crate::model::{RejectedBy, Rejection};

/// Which events we want to be told of, and under which names they are registered with a pipeline: a pipeline keeps one
/// event under one name, and the second of two with the same name would replace the first (bkci-api 11.1).
pub(super) const EVENTS: [(&str, &str); 2] = [("BUILD_START", "reprise-start"), ("BUILD_END", "reprise-end")];

/// Required, and without effect in the open-source build (bkci-api 11.1).
pub(super) const REGION: &str = "IDC";

/// A project has a handful of callbacks. However long a page is at BK-CI, this ends the walk.
const PAGES: u32 = 50;

/// "Callback record does not exist" (bkci-api 15): somebody else took it out.
const NO_CALLBACK: i64 = 2_101_136;

/// Where BK-CI shall tell of builds.
#[derive(Clone, Copy, Debug)]
pub struct Hook<'a> {
    /// English name.
    pub project: &'a ProjectId,
    /// Our address, as BK-CI reaches it.
    pub url: &'a str,
    /// What BK-CI is to send with each callback.
    pub token: &'a SecretString,
}

impl Client {
    /// Whether a callback can be registered with a single pipeline.
    pub fn hooks_pipelines(&self) -> bool {
        self.family() != Family::V3
    }

    /// Registers our address with a pipeline, or renews it; needs the right to edit it (bkci-api 11.1). May be repeated:
    /// the same again is the same.
    ///
    /// # Errors
    /// As [`Self::retry`]. [`Error::NotSent`] also where [`Self::hooks_pipelines`] is false.
    pub async fn hook_pipeline(&self, uid: &Uid, pipeline: &PipelineId, hook: &Hook<'_>) -> Result<(), Error> {
        self.has_pipeline_hooks()?;
        self.ask(Endpoint::HookPipeline(pipeline, *hook), Some(uid), done).await
    }

    /// Takes our address out of a pipeline; fine when BK-CI says that it is not there.
    ///
    /// # Errors
    /// As [`Self::hook_pipeline`]. It may be repeated.
    pub async fn unhook_pipeline(&self, uid: &Uid, project: &ProjectId, pipeline: &PipelineId) -> Result<(), Error> {
        self.has_pipeline_hooks()?;
        for (_, name) in EVENTS {
            gone(self.ask(Endpoint::UnhookPipeline { project, pipeline, name }, Some(uid), done).await)?;
        }
        Ok(())
    }

    /// Registers our address with a whole project; needs its manager (bkci-api 11.1). May be repeated.
    ///
    /// # Errors
    /// As [`Self::retry`]. An event that BK-CI could not register is an [`Error::Rejected`] with code 0 and BK-CI's
    /// reason; another one may have been registered then, which [`Self::unhook_project`] takes out.
    pub async fn hook_project(&self, uid: &Uid, hook: &Hook<'_>) -> Result<(), Error> {
        let read = |answer: &Answer<'_>| match wire::hooks::registered(answer.accepted()?) {
            Ok(None) => Ok(()),
            Ok(Some(message)) => Err(Error::Rejected(Rejection {
                by: RejectedBy::BkCi,
                http: answer.head.http,
                code: 0,
                message,
                request_id: None,
                retry_after_s: None,
            })),
            Err(hint) => Err(error::unusable(answer.endpoint, hint)),
        };
        self.ask(Endpoint::HookProject(*hook), Some(uid), read).await
    }

    /// Takes this address out of a project, with however many events it is there; fine when it is not there.
    ///
    /// # Errors
    /// As for every read while looking, as [`Self::retry`] while taking out. It may be repeated.
    pub async fn unhook_project(&self, uid: &Uid, project: &ProjectId, url: &str) -> Result<(), Error> {
        let (ours, all_seen) = self.project_hooks(uid, project, url).await?;
        for id in ours {
            gone(self.ask(Endpoint::UnhookProject { project, id }, Some(uid), done).await)?;
        }
        let hint = "the project has more callbacks than are looked through".to_owned();
        if all_seen { Ok(()) } else { Err(Error::Unreadable { hint }) }
    }

    /// Everything is listed before anything is taken out, which would move the pages. How long they are is BK-CI's
    /// business: the one that brings nothing new is the last.
    async fn project_hooks(&self, uid: &Uid, project: &ProjectId, url: &str) -> Result<(BTreeSet<i64>, bool), Error> {
        let (mut seen, mut ours) = (BTreeSet::new(), BTreeSet::new());
        for page in 1..=PAGES {
            let read = |answer: &Answer<'_>| wire::hooks::listed(answer.accepted()?).map_err(unusable(answer));
            let listed = self.ask(Endpoint::Hooks { project, page }, Some(uid), read).await?;
            let before = seen.len();
            seen.extend(listed.iter().map(|(id, _)| *id));
            ours.extend(listed.into_iter().filter(|(_, to)| to == url).map(|(id, _)| id));
            if seen.len() == before {
                return Ok((ours, true));
            }
        }
        Ok((ours, false))
    }

    fn has_pipeline_hooks(&self) -> Result<(), Error> {
        let hint = "v3 has no callbacks of single pipelines (bkci.api)".to_owned();
        if self.hooks_pipelines() { Ok(()) } else { Err(Error::NotSent { hint }) }
    }
}

fn done(answer: &Answer<'_>) -> Result<(), Error> {
    wire::done(answer.accepted()?).map_err(unusable(answer))
}

/// What is not there need not be taken out.
fn gone(taken_out: Result<(), Error>) -> Result<(), Error> {
    match taken_out {
        Err(Error::Rejected(said)) if said.by == RejectedBy::BkCi && said.code == NO_CALLBACK => Ok(()),
        other => other,
    }
}
