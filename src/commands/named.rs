//! From a project, a pipeline and a build as somebody typed them to one build. Nothing is guessed: a name or a number that
//! does not lead to exactly one is told back.

use crate::app::App;
use crate::bkci::{BuildFound, BuildsOf, Client, PAGES, PipelineFound, PipelinesOf};
use crate::model::BuildRef;
use crate::model::build::Build;
use crate::model::ids::{BuildId, PipelineId, ProjectId, Uid};
use crate::model::listed;
use crate::model::named::{BuildNamed, PipelineNamed};
use crate::reply::{Reply, RetryOption, Unfound};

use super::retry::{self, failure};

/// At most so many pipelines are told of.
const SIMILAR: usize = 5;

/// Well formed; nothing was looked up.
#[derive(Clone, Debug)]
pub(super) struct Named {
    project: ProjectId,
    pipeline: PipelineNamed,
    build: BuildNamed,
}

impl Named {
    /// Reads what was typed.
    ///
    /// # Errors
    /// What to say: an option is not of its form, or a link leads elsewhere than the other options.
    pub(super) fn read(project: &str, pipeline: &str, build: &str) -> Result<Self, Box<Reply>> {
        let named = Self {
            project: project.parse().map_err(|_| malformed(RetryOption::Project, project))?,
            pipeline: PipelineNamed::read(pipeline).map_err(|_| malformed(RetryOption::Pipeline, pipeline))?,
            build: BuildNamed::read(build).map_err(|_| malformed(RetryOption::Build, build))?,
        };
        let BuildNamed::Link(link) = &named.build else { return Ok(named) };
        if link.project != named.project {
            return Err(named.unfound(Unfound::OtherProject { linked: link.project.clone() }));
        }
        match &named.pipeline {
            PipelineNamed::Id(id) if *id != link.pipeline => Err(named.unfound(named.other_pipeline(&link.pipeline))),
            PipelineNamed::Id(_) | PipelineNamed::Name(_) => Ok(named),
        }
    }

    /// The build, as that user finds it. Ids are taken as they are: nothing is read for them.
    ///
    /// # Errors
    /// What to say. Nothing was changed.
    pub(super) async fn find(&self, bkci: &Client, uid: &Uid) -> Result<BuildRef, Box<Reply>> {
        let pipeline = match &self.pipeline {
            PipelineNamed::Id(id) => id.clone(),
            PipelineNamed::Name(name) => self.pipeline_named(bkci, uid, name).await?,
        };
        let builds = BuildsOf { uid, project: &self.project, pipeline: &pipeline };
        let build = match &self.build {
            BuildNamed::Id(id) => id.clone(),
            BuildNamed::Link(link) if link.pipeline == pipeline => link.build.clone(),
            BuildNamed::Link(link) => return Err(self.unfound(self.other_pipeline(&link.pipeline))),
            BuildNamed::Latest => self.latest(bkci, builds).await?,
            BuildNamed::Number(number) => self.numbered(bkci, builds, *number).await?,
        };
        Ok(BuildRef { project: self.project.clone(), pipeline, build })
    }

    /// The build, found and read as that user.
    ///
    /// # Errors
    /// As [`Self::find`].
    pub(super) async fn read_build(&self, app: &App, uid: &Uid) -> Result<(BuildRef, Build), Box<Reply>> {
        let named = self.find(&app.bkci, uid).await?;
        let build = retry::read(app, uid, &named).await?;
        Ok((named, build))
    }

    async fn pipeline_named(&self, bkci: &Client, uid: &Uid, name: &str) -> Result<PipelineId, Box<Reply>> {
        let pipelines = PipelinesOf { uid, project: &self.project, named: Some(name) };
        let found = bkci.pipeline_named(pipelines).await.map_err(|error| self.unread(error))?;
        let named = name.to_owned();
        Err(self.unfound(match found {
            PipelineFound::One(pipeline) => return Ok(pipeline.id),
            PipelineFound::None(similar) => Unfound::Pipeline { named, similar: few(similar) },
            PipelineFound::Several(candidates) => Unfound::Ambiguous { named, candidates: few(candidates) },
            PipelineFound::BoundHit(similar) => Unfound::PipelineTooFar { named, similar: few(similar) },
        }))
    }

    async fn latest(&self, bkci: &Client, builds: BuildsOf<'_>) -> Result<BuildId, Box<Reply>> {
        match bkci.latest_build(builds).await.map_err(|error| self.unread(error))? {
            Some(build) => Ok(build.id),
            None => Err(self.unfound(Unfound::NoBuild { pipeline: self.pipeline.clone() })),
        }
    }

    async fn numbered(&self, bkci: &Client, builds: BuildsOf<'_>, number: u32) -> Result<BuildId, Box<Reply>> {
        let pipeline = self.pipeline.clone();
        Err(self.unfound(match bkci.build_numbered(builds, number).await.map_err(|error| self.unread(error))? {
            BuildFound::One(build) => return Ok(build.id),
            BuildFound::None(latest) => Unfound::Number { pipeline, number, latest },
            BuildFound::BoundHit => Unfound::NumberTooFar { pipeline, number, pages: PAGES },
        }))
    }

    fn other_pipeline(&self, linked: &PipelineId) -> Unfound {
        Unfound::OtherPipeline { linked: linked.clone(), named: self.pipeline.clone() }
    }

    fn unread(&self, error: crate::bkci::Error) -> Box<Reply> {
        self.unfound(Unfound::Unread { pipeline: self.pipeline.clone(), failure: failure(error) })
    }

    fn unfound(&self, why: Unfound) -> Box<Reply> {
        Box::new(Reply::Unfound { project: self.project.clone(), why })
    }
}

/// What to say of an option that is not of its form.
pub(super) fn malformed(option: RetryOption, given: &str) -> Box<Reply> {
    Box::new(Reply::Malformed { option, given: given.to_owned() })
}

fn few(pipelines: Vec<listed::Pipeline>) -> Vec<(PipelineId, String)> {
    pipelines.into_iter().take(SIMILAR).map(|pipeline| (pipeline.id, pipeline.name)).collect()
}

/// A pipeline alone, as that user finds it. An id is taken as it is: nothing is read for it.
///
/// # Errors
/// What to say. Nothing was changed.
pub(super) async fn pipeline(
    bkci: &Client,
    uid: &Uid,
    (project, named): (&ProjectId, &PipelineNamed),
) -> Result<PipelineId, Box<Reply>> {
    let name = match named {
        PipelineNamed::Id(id) => return Ok(id.clone()),
        PipelineNamed::Name(name) => name,
    };
    let latest = Named { project: project.clone(), pipeline: named.clone(), build: BuildNamed::Latest };
    latest.pipeline_named(bkci, uid, name).await
}
