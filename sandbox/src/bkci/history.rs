//! The rows of builds: a pipeline's history, and many builds at once (bkci-api.md 7.4 and 7.5).

use std::collections::BTreeSet;
use std::sync::OnceLock;

use serde_json::{Value, json};

use super::build::Build;
use super::detail::history_of;
use super::errors::{Failure, Language};
use super::lists::{Page, Reader};
use super::status::Status;
use super::world::{Right, World};

/// bkci-api.md 7.5.
const BATCH: usize = 100;

/// Which builds, in which order. v3 has the order alone (bkci-api.md 7.4).
#[derive(Clone, Debug, Default)]
pub(super) struct Filter {
    pub(super) update_time_desc: bool,
    pub(super) statuses: Vec<Status>,
    pub(super) number_from: Option<i64>,
    pub(super) number_to: Option<i64>,
    pub(super) start_users: Vec<String>,
}

impl Filter {
    fn lets_through(&self, build: &Build) -> bool {
        let number = i64::from(build.number);
        (self.statuses.is_empty() || self.statuses.contains(&build.status))
            && self.number_from.is_none_or(|from| number >= from)
            && self.number_to.is_none_or(|to| number <= to)
            && (self.start_users.is_empty() || self.start_users.contains(&build.starter))
    }
}

impl World {
    /// bkci-api.md 7.4: the pipeline is looked up before the permission is checked here.
    pub(super) fn history(&mut self, reader: &Reader<'_>, filter: &Filter, page: Page, now: i64) -> Text {
        self.step(now);
        let Reader { uid, project, pipeline } = *reader;
        let version = self.pipeline(project, pipeline).ok_or_else(|| Failure::code(2101038, &[]))?.version;
        self.require(uid, pipeline, Right::View)?;
        let language = self.language_of(Some(uid));
        let mine = |build: &&Build| filter.lets_through(build);
        let rows = if filter.update_time_desc {
            rows(page.records(self.builds.latest_changed(pipeline).filter(mine)), language, now)
        } else {
            rows(page.records(self.builds.of(pipeline).rev().filter(mine)), language, now)
        };
        let mut head = page.head(self.builds.of(pipeline).filter(mine).count());
        head["hasDownloadPermission"] = json!(self.may(uid, pipeline, Right::Execute));
        head["pipelineVersion"] = json!(version);
        Ok(format!(r#"{{"records":{rows},{}"#, &head.to_string()[1..]))
    }

    /// bkci-api.md 7.5: the right is checked on the pipeline that is named, then any build of the project is read;
    /// unknown ids are left out. That the number of ids is looked at first, and in which order the rows come, is this
    /// double's choice: of a set nothing is promised.
    pub(super) fn batch(&mut self, reader: &Reader<'_>, ids: &[Value], now: i64) -> Text {
        self.step(now);
        let ids = ids.iter().map(|id| id.as_str().ok_or_else(Failure::wrong_body));
        let ids = ids.collect::<Result<BTreeSet<&str>, Failure>>()?;
        if ids.len() > BATCH {
            return Err(Failure::code(2101282, &[&BATCH.to_string()]));
        }
        self.require(reader.uid, reader.pipeline, Right::View)?;
        let language = self.language_of(Some(reader.uid));
        let known = ids.into_iter().filter_map(|id| self.build_in(reader.project, id));
        Ok(rows(known, language, now))
    }
}

/// A BuildHistory (7.4), with the service's time in it.
fn rows<'a>(builds: impl Iterator<Item = &'a Build>, language: Language, now: i64) -> String {
    let row = |build: &Build| {
        let written = build.written.of(language, || write(build, language));
        format!(r#"{{"currentTimestamp":{now},{}"#, &written[1..])
    };
    format!("[{}]", builds.map(row).collect::<Vec<_>>().join(","))
}

/// All of a BuildHistory that does not change while the build does not.
fn write(build: &Build, language: Language) -> String {
    let mut row = history_of(build, language, 0);
    row.remove("currentTimestamp");
    row.insert("executeCount".into(), json!(build.execute_count));
    row.insert("pipelineVersionName".into(), json!(format!("V{}", build.version)));
    row.insert("updateTime".into(), json!(build.updated_ms));
    Value::Object(row).to_string()
}

/// What an answer says, as JSON.
pub(super) type Text = Result<String, Failure>;

/// The row of a build as it was last written, by language: a hundred of them are asked for many times between two
/// changes of one.
#[derive(Clone, Debug, Default)]
pub(super) struct Written([OnceLock<String>; 3]);

impl Written {
    fn of(&self, language: Language, write: impl FnOnce() -> String) -> &str {
        let [chinese, english, japanese] = &self.0;
        let place = match language {
            Language::Chinese => chinese,
            Language::English => english,
            Language::Japanese => japanese,
        };
        place.get_or_init(write)
    }
}
