//! What can be chosen while somebody types `project`, `pipeline`, `build`, `task` or `skip`, of whichever command.
//!
//! Everything is read as the person's own UID and kept per UID, for a short time. Somebody without a UID gets no list.
//! Nobody waits for long: what is not known in time is left out, and is there for the next keystroke. Whatever goes wrong,
//! there is an answer, if only an empty one: a list to choose from is a help, and what was typed is looked at anew when
//! the command is sent.

mod cache;
mod choose;
mod lists;

use std::time::Duration;

pub use self::lists::Lists;
use self::lists::View;
use crate::app::App;
use crate::model::build::Build;
use crate::model::choice::Choice;
use crate::model::ids::{GuildId, PipelineId, ProjectId, UserId};
use crate::model::named::{BuildNamed, PipelineNamed};
use crate::model::scope::{self, Part};
use crate::model::{BuildRef, Timestamp};
use crate::policy;

/// How long somebody waits for a list. One call to BK-CI of 200 ms fits, and all is said within 300 ms.
const WAIT: Duration = Duration::from_millis(265);

/// Should our own store not answer either: well before Discord's 3 s (discord-rules 2).
const GIVE_UP: Duration = Duration::from_millis(1_500);

/// Discord shows no more (discord-rules 2).
pub const SHOWN: usize = 25;

/// Which option is being typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Focus {
    /// `project`
    Project,
    /// `pipeline`
    Pipeline,
    /// `build`
    Build,
    /// `task` of a retry
    Task,
    /// `skip`
    Skip,
    /// `task` whose log is wanted
    Logged,
}

/// What somebody has typed so far. None of it is validated, and everything may be missing.
#[derive(Clone, Debug)]
pub struct Typed {
    /// Who types.
    pub user: UserId,
    /// Where.
    pub guild: GuildId,
    /// Which option.
    pub focus: Focus,
    /// What stands in that option.
    pub text: String,
    /// The option `project`.
    pub project: String,
    /// The option `pipeline`.
    pub pipeline: String,
    /// The option `build`.
    pub build: String,
}

/// At most [`SHOWN`] suggestions, the best first.
pub async fn suggest(app: &App, lists: &Lists, typed: &Typed, arrived: Timestamp) -> Vec<Choice> {
    tokio::select! {
        choices = choices((app, lists), typed, arrived.plus(WAIT)) => choices,
        () = app.clock.until(arrived.plus(GIVE_UP)) => Vec::new(),
    }
}

async fn choices((app, lists): (&App, &Lists), typed: &Typed, deadline: Timestamp) -> Vec<Choice> {
    if !policy::serves(&app.settings.discord, typed.guild) {
        return Vec::new();
    }
    let uid = match app.store.mapping(typed.user).await {
        Ok(Some(mapping)) => mapping.uid,
        Ok(None) => return Vec::new(),
        Err(error) => {
            tracing::warn!(error = format!("{error:#}"), "nothing can be suggested");
            return Vec::new();
        }
    };
    let view = View { app, lists, uid, deadline };
    let text = typed.text.trim();
    let found = match typed.focus {
        Focus::Project => Some(choose::projects(&view.projects().await, text)),
        Focus::Pipeline => pipelines(&view, typed, text).await,
        Focus::Build => builds(&view, typed, text).await,
        Focus::Task => parts(&view, typed, scope::retryable).await,
        Focus::Skip => parts(&view, typed, scope::skippable).await,
        Focus::Logged => parts(&view, typed, scope::ran).await,
    };
    found.unwrap_or_default()
}

async fn pipelines(view: &View<'_>, typed: &Typed, text: &str) -> Option<Vec<Choice>> {
    let project = typed.project.parse().ok()?;
    Some(choose::pipelines(view.pipelines(&project, text).await, text))
}

/// The pipeline that was typed, if it is known by now which one that is.
async fn pipeline(view: &View<'_>, typed: &Typed) -> Option<(ProjectId, PipelineId)> {
    let project = typed.project.parse().ok()?;
    let named = PipelineNamed::read(&typed.pipeline).ok()?;
    let pipeline = view.pipeline(&project, &named).await?;
    Some((project, pipeline))
}

async fn builds(view: &View<'_>, typed: &Typed, text: &str) -> Option<Vec<Choice>> {
    let (project, pipeline) = pipeline(view, typed).await?;
    let number = match BuildNamed::read(text) {
        Ok(BuildNamed::Number(number)) => Some(number),
        Ok(BuildNamed::Id(_) | BuildNamed::Latest | BuildNamed::Link(_)) | Err(_) => None,
    };
    Some(choose::builds(view.builds(&project, &pipeline, number).await, text))
}

async fn parts(view: &View<'_>, typed: &Typed, which: fn(&Build) -> Vec<Part>) -> Option<Vec<Choice>> {
    let (project, pipeline) = pipeline(view, typed).await?;
    let build = view.build(&project, &pipeline, &BuildNamed::read(&typed.build).ok()?).await?;
    let detail = view.detail(BuildRef { project, pipeline, build }).await?;
    let choice = |part| Choice::Part { trouble: choose::trouble(&detail, &part), part };
    Some(choose::parts(which(&detail).into_iter().map(choice).collect(), typed.text.trim()))
}
