//! The lists that are chosen from, as one person sees them: from what was read lately, else read now.

use std::sync::Arc;
use std::time::Duration;

use super::cache::{Cache, Filling, Known};
use crate::app::App;
use crate::bkci::{BuildFound, BuildsOf, Client, Error, Part, PipelinesOf, Walk, Walked};
use crate::model::build::Build;
use crate::model::ids::{BuildId, PipelineId, ProjectId, Uid};
use crate::model::named::{BuildNamed, PipelineNamed};
use crate::model::{BuildRef, Timestamp, listed};

/// Projects and pipelines come and go seldom.
const SLOW: Duration = Duration::from_secs(60);

/// Builds move.
const FAST: Duration = Duration::from_secs(3);

/// What was read lately, of everybody who types. The UID is part of every key: nobody is shown what another one sees.
#[derive(Debug)]
pub struct Lists {
    projects: Cache<Uid, Vec<listed::Project>>,
    pipelines: Cache<(Uid, ProjectId, String), Vec<listed::Pipeline>>,
    builds: Cache<(Uid, ProjectId, PipelineId, Option<u32>), Vec<listed::Build>>,
    details: Cache<(Uid, BuildRef), Build>,
}

impl Default for Lists {
    fn default() -> Self {
        let (projects, pipelines) = (Cache::new(SLOW), Cache::new(SLOW));
        Self { projects, pipelines, builds: Cache::new(FAST), details: Cache::new(FAST) }
    }
}

/// What one person sees, by a deadline.
pub(super) struct View<'a> {
    pub(super) app: &'a App,
    pub(super) lists: &'a Lists,
    pub(super) uid: Uid,
    pub(super) deadline: Timestamp,
}

impl View<'_> {
    pub(super) async fn projects(&self) -> Vec<listed::Project> {
        let (bkci, uid) = (self.app.bkci.clone(), self.uid.clone());
        let read = move |page| {
            let (bkci, uid) = (bkci.clone(), uid.clone());
            async move { bkci.projects(&uid, page).await }
        };
        let lists = &self.lists.projects;
        all(lists.get(self.uid.clone(), self.when(), |filling| fill(read, filling)).await)
    }

    /// Where BK-CI can search, what is typed is searched for, unless everything is known anyway; else all pages are read.
    pub(super) async fn pipelines(&self, project: &ProjectId, text: &str) -> Vec<listed::Pipeline> {
        let searches = self.app.bkci.searches();
        let unfiltered = || self.lists.pipelines.peek(&self.key(project, ""), self.app.clock.now());
        // An id cannot be searched for.
        let searched = searches && !text.is_empty() && !text.starts_with("p-") && !unfiltered().whole;
        all(self.listed(project, if searched { text.to_owned() } else { String::new() }).await)
    }

    fn key(&self, project: &ProjectId, named: &str) -> (Uid, ProjectId, String) {
        (self.uid.clone(), project.clone(), named.to_owned())
    }

    async fn listed(&self, project: &ProjectId, named: String) -> Known<Vec<listed::Pipeline>> {
        let (bkci, key) = (self.app.bkci.clone(), self.key(project, &named));
        let read = move |page| {
            let (bkci, (uid, project, named)) = (bkci.clone(), key.clone());
            async move {
                let of = PipelinesOf { uid: &uid, project: &project, named: Some(&named) };
                bkci.pipelines(of, page).await
            }
        };
        // Where BK-CI can search, nobody needs the further pages.
        let first_only = self.app.bkci.searches();
        let load = |filling| async move {
            if first_only { fill_with_first(read(1).await, filling) } else { fill(read, filling).await }
        };
        self.lists.pipelines.get(self.key(project, &named), self.when(), load).await
    }

    /// The latest builds, and the one of that number where BK-CI can be asked for it.
    pub(super) async fn builds(
        &self,
        project: &ProjectId,
        pipeline: &PipelineId,
        number: Option<u32>,
    ) -> Vec<listed::Build> {
        let mut latest = self.history(project, pipeline, None).await;
        let wanted = number.filter(|number| !latest.iter().any(|build| build.number == *number));
        let is_old = |number: &u32| latest.first().is_some_and(|newest| *number < newest.number);
        if let Some(number) = wanted.filter(|number| self.app.bkci.searches() && is_old(number)) {
            latest.extend(self.history(project, pipeline, Some(number)).await);
        }
        latest
    }

    async fn history(&self, project: &ProjectId, pipeline: &PipelineId, number: Option<u32>) -> Vec<listed::Build> {
        let key = (self.uid.clone(), project.clone(), pipeline.clone(), number);
        let (bkci, (uid, project, pipeline, number)) = (self.app.bkci.clone(), key.clone());
        let load = |filling| async move {
            let builds = BuildsOf { uid: &uid, project: &project, pipeline: &pipeline };
            fill_with_first(page_of(&bkci, builds, number).await, filling);
        };
        all(self.lists.builds.get(key, self.when(), load).await)
    }

    pub(super) async fn detail(&self, build: BuildRef) -> Option<Arc<Build>> {
        let key = (self.uid.clone(), build);
        let (bkci, (uid, build)) = (self.app.bkci.clone(), key.clone());
        let load = |filling: Filling<Build>| async move {
            match bkci.build_detail(&uid, &build).await {
                Ok(detail) => filling.done(detail, true),
                Err(error) => filling.failed(&error),
            }
        };
        let named = key.1.pipeline.clone();
        let known = self.lists.details.get(key, self.when(), load).await;
        known.value.filter(|detail| detail.pipeline == named)
    }

    /// What the option `pipeline` stands for, if it is certain by now.
    pub(super) async fn pipeline(&self, project: &ProjectId, named: &PipelineNamed) -> Option<PipelineId> {
        let name = match named {
            PipelineNamed::Id(id) => return Some(id.clone()),
            PipelineNamed::Name(name) => name,
        };
        let listed = self.pipelines(project, name).await;
        let mut exact = listed.into_iter().filter(|pipeline| pipeline.name == *name);
        exact.next().filter(|_| exact.next().is_none()).map(|pipeline| pipeline.id)
    }

    /// What the option `build` stands for, if it is known by now.
    pub(super) async fn build(
        &self,
        project: &ProjectId,
        pipeline: &PipelineId,
        named: &BuildNamed,
    ) -> Option<BuildId> {
        match named {
            BuildNamed::Id(id) => Some(id.clone()),
            BuildNamed::Link(link) => {
                (link.project == *project && link.pipeline == *pipeline).then(|| link.build.clone())
            }
            BuildNamed::Latest => self.builds(project, pipeline, None).await.into_iter().next().map(|build| build.id),
            BuildNamed::Number(number) => {
                let builds = self.builds(project, pipeline, Some(*number)).await;
                builds.into_iter().find(|build| build.number == *number).map(|build| build.id)
            }
        }
    }

    fn when(&self) -> (&crate::clock::Clock, Timestamp) {
        (&self.app.clock, self.deadline)
    }
}

fn all<T: Clone>(known: Known<Vec<T>>) -> Vec<T> {
    known.value.map(|value| value.as_ref().clone()).unwrap_or_default()
}

async fn page_of(bkci: &Client, of: BuildsOf<'_>, number: Option<u32>) -> Result<Part<listed::Build>, Error> {
    let Some(number) = number else { return bkci.builds(of, 1).await };
    let found = bkci.build_numbered(of, number).await?;
    let entries = if let BuildFound::One(build) = found { vec![build] } else { Vec::new() };
    Ok(Part { entries, more: false, pages: None })
}

fn fill_with_first<T>(part: Result<Part<T>, Error>, filling: Filling<Vec<T>>) {
    match part {
        Ok(part) => filling.done(part.entries, !part.more),
        Err(error) => filling.failed(&error),
    }
}

/// Reads page after page.
async fn fill<T: Clone, R>(read: impl Fn(u32) -> R, filling: Filling<Vec<T>>)
where
    R: Future<Output = Result<Part<T>, Error>>,
{
    let mut walk = Walk::default();
    loop {
        match read(walk.page()).await.map(|part| walk.goes_on(part)) {
            Ok(None) => filling.so_far(walk.seen().to_vec()),
            Ok(Some(Walked::All(all))) => return filling.done(all, true),
            Ok(Some(Walked::BoundHit(seen))) => return filling.done(seen, false),
            Err(error) => return filling.failed(&error),
        }
    }
}
