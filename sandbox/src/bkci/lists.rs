//! What lists answer: projects and pipelines (bkci-api.md 10), and how a list is cut into pages.

use serde_json::{Value, json};

use super::build::Build;
use super::detail::{Reading, object};
use super::errors::Failure;
use super::world::{Pipeline, Project, ProjectRight, Right, World};

/// bkci-api.md 7.4, 10: default of a page, and the cap, which is silent.
const PAGE: usize = 20;
const PAGE_CAP: usize = 100;
/// bkci-api.md 10: v4's list of projects has another default.
pub(super) const PROJECT_PAGE: usize = 10;
/// bkci-api.md 10: the search by name finds no more.
const SEARCHED: usize = 10;

/// Which part of a list.
#[derive(Clone, Copy, Debug)]
pub(super) struct Page {
    pub(super) page: i64,
    pub(super) page_size: i64,
}

impl Page {
    /// How many to leave out and how many to take. A missing or senseless number is the first page of the default
    /// length; more than 100 is silently 100 (bkci-api.md 3.3, 7.4).
    fn window(self, default: usize) -> (usize, usize, usize) {
        let page = usize::try_from(self.page).unwrap_or_default().max(1);
        let size = match usize::try_from(self.page_size).unwrap_or_default() {
            0 => default,
            size => size.min(PAGE_CAP),
        };
        (page, (page - 1).saturating_mul(size), size)
    }

    pub(super) fn cut<T>(self, count: usize, all: impl Iterator<Item = T>, record: impl Fn(T) -> Value) -> Value {
        let mut head = self.head(count);
        head["records"] = self.records(all).map(record).collect();
        head
    }

    /// The page without its records.
    pub(super) fn head(self, count: usize) -> Value {
        let (page, _, size) = self.window(PAGE);
        json!({"count": count, "page": page, "pageSize": size, "totalPages": count.div_ceil(size)})
    }

    /// Those that are on it.
    pub(super) fn records<T>(self, all: impl Iterator<Item = T>) -> impl Iterator<Item = T> {
        let (_, skip, size) = self.window(PAGE);
        all.skip(skip).take(size)
    }
}

/// Whose list of which pipeline.
pub(super) struct Reader<'a> {
    pub(super) uid: &'a str,
    pub(super) project: &'a str,
    pub(super) pipeline: &'a str,
}

impl World {
    /// The projects of the user (bkci-api.md 10): no page object. v3 has them all at once.
    pub(super) fn project_list(&self, uid: &str, page: Option<Page>) -> Value {
        let (_, skip, size) = page.map_or((1, 0, usize::MAX), |page| page.window(PROJECT_PAGE));
        let mine = self.projects.iter().enumerate().filter(|(_, project)| self.is_member(uid, &project.name));
        mine.skip(skip).take(size).map(|(index, project)| self.project_vo(uid, index, project)).collect()
    }

    /// bkci-api.md 10. Nobody but a member is answered; that this double says so with 403 is its own choice, as the
    /// reference is silent.
    pub(super) fn one_project(&self, uid: &str, name: &str) -> Reading {
        let mine = self.projects.iter().enumerate().find(|(_, project)| project.name == name);
        match mine.filter(|_| self.is_member(uid, name)) {
            Some((index, project)) => Ok(self.project_vo(uid, index, project)),
            None => Err(Failure::forbidden()),
        }
    }

    fn project_vo(&self, uid: &str, index: usize, project: &Project) -> Value {
        json!({
            "id": index + 1, "projectId": project.hex_id, "projectName": project.title, "projectCode": project.name,
            "englishName": project.name, "enabled": project.enabled, "creator": "admin", "channelCode": "BS",
            "gray": false, "managePermission": self.may_in_project(uid, &project.name, ProjectRight::Manage),
            "project_id": project.hex_id, "project_name": project.title, "project_code": project.name,
        })
    }

    /// The pipelines of a project whose name contains `named` (bkci-api.md 10), with `hasPermission` saying which the
    /// user may look at. That members get it is this double's choice, as the reference is silent.
    pub(super) fn pipeline_list(&mut self, reader: &Reader<'_>, named: &str, page: Page, now: i64) -> Reading {
        self.step(now);
        if !self.is_member(reader.uid, reader.project) {
            return Err(Failure::forbidden());
        }
        let listed: Vec<&Pipeline> = self.pipelines_named(reader.project, named).collect();
        Ok(page.cut(listed.len(), listed.into_iter(), |pipeline| self.pipeline_row(reader.uid, pipeline, now)))
    }

    /// At most ten, by a part of the name, and only for who may look at the whole project (bkci-api.md 10).
    pub(super) fn pipeline_search(&self, uid: &str, project: &str, named: &str) -> Reading {
        if !self.may_in_project(uid, project, ProjectRight::View) {
            return Err(Failure::forbidden());
        }
        let found = self.pipelines_named(project, named).take(SEARCHED);
        let entry = |pipeline: &Pipeline| json!({"pipelineId": pipeline.id.0, "pipelineName": pipeline.name, "channelCode": "BS"});
        Ok(found.map(entry).collect())
    }

    fn pipelines_named<'a>(&'a self, project: &'a str, named: &'a str) -> impl Iterator<Item = &'a Pipeline> {
        let known = self.pipelines.iter().filter(move |pipeline| pipeline.project == project && !pipeline.deleted);
        known.filter(move |pipeline| pipeline.name.contains(named))
    }

    /// One pipeline, or nothing at all when it is unknown (bkci-api.md 10).
    pub(super) fn pipeline_status(&mut self, reader: &Reader<'_>, now: i64) -> Reading {
        self.step(now);
        let Some(pipeline) = self.pipeline(reader.project, reader.pipeline) else { return Ok(Value::Null) };
        self.require(reader.uid, reader.pipeline, Right::View)?;
        Ok(self.pipeline_row(reader.uid, pipeline, now))
    }

    fn pipeline_row(&self, uid: &str, pipeline: &Pipeline, now: i64) -> Value {
        let builds = || self.builds.of(&pipeline.id.0);
        let latest = builds().next_back();
        let tasks = latest.map_or(0, |build| build.stages.iter().flat_map(|stage| &stage.jobs).count());
        object(json!({
            "projectId": pipeline.project, "pipelineId": pipeline.id.0, "pipelineName": pipeline.name,
            "taskCount": tasks, "buildCount": builds().len(), "lock": pipeline.locked, "canManualStartup": true,
            "latestBuildStartTime": latest.and_then(|build| build.start_ms),
            "latestBuildEndTime": latest.and_then(|build| build.end_ms),
            "latestBuildStatus": latest.map(Build::said),
            "latestBuildNum": latest.map(|build| build.number), "latestBuildId": latest.map(|build| &build.id),
            "latestBuildUserId": latest.map_or("", |build| &build.starter),
            "runningBuildCount": builds().filter(|build| !build.is_finished()).count(),
            "hasPermission": self.may(uid, &pipeline.id.0, Right::View), "hasCollect": false,
            "pipelineVersion": pipeline.version, "deploymentTime": pipeline.created_ms,
            "createTime": pipeline.created_ms, "updateTime": pipeline.created_ms, "currentTimestamp": now,
            "updater": pipeline.creator, "creator": pipeline.creator,
            "lastBuildMsg": latest.and_then(|build| build.message.as_ref()),
        }))
    }
}
