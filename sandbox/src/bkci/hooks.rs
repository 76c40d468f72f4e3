//! Callbacks as they are registered (bkci-api.md 11.1): rows of a project, one per address and event, and those of a
//! pipeline, one per name.
//!
//! Where the reference is silent this double chooses: which ports are high-risk ones, that the list of a pipeline's
//! callbacks needs the right to look at it, and that removing a name that is not there answers `true`.

use serde_json::{Map, Value, json};

use super::BkCi;
use super::detail::{Reading, object};
use super::endpoint::CallbackCall;
use super::errors::Failure;
use super::hook_url;
use super::incoming::Incoming;
use super::lists::{Page, Reader};
use super::world::{ProjectRight, Right, World};

/// `CallBackEvent` (11.2).
const EVENTS: &[&str] = &[
    "DELETE_PIPELINE",
    "CREATE_PIPELINE",
    "UPDATE_PIPELINE",
    "STREAM_ENABLED",
    "RESTORE_PIPELINE",
    "BUILD_START",
    "BUILD_END",
    "BUILD_STAGE_START",
    "BUILD_STAGE_END",
    "BUILD_JOB_START",
    "BUILD_JOB_END",
    "BUILD_TASK_START",
    "BUILD_TASK_END",
    "BUILD_TASK_PAUSE",
    "PROJECT_CREATE",
    "PROJECT_UPDATE",
    "PROJECT_ENABLE",
    "PROJECT_DISABLE",
];
/// `CallBackRegion` (11.1).
const REGIONS: &[&str] = &["DEVNET", "OSS", "IDC"];

/// A callback that is registered.
#[derive(Clone, Debug)]
pub(super) struct Hook {
    pub(super) project: String,
    pub(super) to: HookOf,
    pub(super) url: String,
    pub(super) event: String,
    pub(super) token: Option<String>,
    /// When it was registered.
    pub(super) since_ms: i64,
    region: Option<String>,
}

/// What it belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum HookOf {
    Project { id: i64 },
    Pipeline { pipeline: String, name: String },
}

impl Hook {
    /// Whether it wants to hear of this.
    pub(super) fn hears(&self, project: &str, pipeline: &str, event: &str) -> bool {
        let mine = match &self.to {
            HookOf::Project { .. } => true,
            HookOf::Pipeline { pipeline: of, .. } => of == pipeline,
        };
        mine && self.project == project && self.event == event
    }
}

/// A callback that is registered, as a test may see it: with its token, which the API never tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegisteredCallback {
    /// Its project.
    pub project: String,
    /// Its pipeline and its name there; `None`: it is the project's.
    pub of_pipeline: Option<(String, String)>,
    /// Where to.
    pub url: String,
    /// `CallBackEvent`.
    pub event: String,
    /// `secretToken`.
    pub token: Option<String>,
}

impl BkCi {
    /// The callbacks that are registered, in the order of their registration.
    pub fn registered_callbacks(&self) -> Vec<RegisteredCallback> {
        let seen = |hook: &Hook| RegisteredCallback {
            project: hook.project.clone(),
            of_pipeline: match &hook.to {
                HookOf::Project { .. } => None,
                HookOf::Pipeline { pipeline, name } => Some((pipeline.clone(), name.clone())),
            },
            url: hook.url.clone(),
            event: hook.event.clone(),
            token: hook.token.clone(),
        };
        self.look(|world| world.hooks.iter().map(seen).collect())
    }
}

/// What a registration says, whichever way it says it.
struct Wanted {
    url: String,
    event: String,
    token: Option<String>,
    region: Option<String>,
}

impl World {
    pub(super) fn callbacks(
        &mut self,
        call: CallbackCall,
        reader: &Reader<'_>,
        (incoming, now): (&Incoming, i64),
    ) -> Reading {
        self.step(now);
        match call {
            CallbackCall::Create => {
                let event = named(incoming, "event", EVENTS)?;
                let asked = self.of_project(reader, incoming)?;
                self.put_of_project(reader.project, Wanted { event, ..asked }, now);
                Ok(Value::Bool(true))
            }
            CallbackCall::CreateMany => self.create_many(reader, incoming, now),
            CallbackCall::List => self.callback_list(reader, incoming.page()?),
            CallbackCall::Delete => {
                let in_path = incoming.route().is_some_and(|route| route.family.has_ids_in_the_path());
                let last = incoming.path.rsplit('/').next().unwrap_or_default();
                let id =
                    if in_path { last.parse().map_err(|_| Failure::wrong_type())? } else { incoming.long("id")? };
                self.require_manager(reader)?;
                self.delete_of_project(reader.project, id)
            }
            CallbackCall::PutOfPipeline => self.put_of_pipeline(reader, &incoming.items("callbackInfo")?, now),
            CallbackCall::ListOfPipeline => {
                let event = incoming.text("event").map(|_| named(incoming, "event", EVENTS)).transpose()?;
                self.list_of_pipeline(reader, event.as_deref())
            }
            CallbackCall::DeleteOfPipeline => {
                let name = incoming.text("callbackName").ok_or_else(|| Failure::missing_argument("callbackName"))?;
                self.require(reader.uid, reader.pipeline, Right::Edit)?;
                let to = HookOf::Pipeline { pipeline: reader.pipeline.into(), name: name.into() };
                self.hooks.retain(|hook| hook.to != to);
                Ok(Value::Bool(true))
            }
        }
    }

    /// 2101104 with HTTP 400: only a manager of the project may.
    fn require_manager(&self, reader: &Reader<'_>) -> Result<(), Failure> {
        if self.may_in_project(reader.uid, reader.project, ProjectRight::Manage) {
            return Ok(());
        }
        Err(Failure::code(2101104, &[reader.uid, reader.project]))
    }

    /// The query of a registration for a project, all but its events.
    fn of_project(&self, reader: &Reader<'_>, incoming: &Incoming) -> Result<Wanted, Failure> {
        let url = incoming.text("url").ok_or_else(|| Failure::missing_argument("url"))?.to_owned();
        let region = Some(named(incoming, "region", REGIONS)?);
        self.require_manager(reader)?;
        hook_url::check(&url, self.settings.internal_callbacks)?;
        let token = incoming.text("secretToken").map(str::to_owned);
        Ok(Wanted { url, event: String::new(), token, region })
    }

    fn create_many(&mut self, reader: &Reader<'_>, incoming: &Incoming, now: i64) -> Reading {
        let events = incoming.text("event").ok_or_else(|| Failure::missing_argument("event"))?;
        let asked = self.of_project(reader, incoming)?;
        let (mut done, mut refused) = (Vec::new(), Map::new());
        for event in events.split(',') {
            if EVENTS.contains(&event) {
                let Wanted { url, token, region, .. } = &asked;
                let (url, token, region) = (url.clone(), token.clone(), region.clone());
                self.put_of_project(reader.project, Wanted { url, event: event.into(), token, region }, now);
                done.push(event);
            } else {
                refused.insert(event.into(), json!(format!("no event {event}")));
            }
        }
        Ok(json!({"successEvents": done, "failureEvents": refused}))
    }

    /// One row per project, address and event.
    fn put_of_project(&mut self, project: &str, wanted: Wanted, since_ms: i64) {
        let Wanted { url, event, token, region } = wanted;
        self.known_secrets.extend(token.clone());
        let same = |hook: &&mut Hook| {
            hook.project == project
                && hook.url == url
                && hook.event == event
                && matches!(hook.to, HookOf::Project { .. })
        };
        if let Some(hook) = self.hooks.iter_mut().find(same) {
            (hook.token, hook.region) = (token, region);
            return;
        }
        self.last_hook += 1;
        let to = HookOf::Project { id: self.last_hook };
        self.hooks.push(Hook { project: project.into(), to, url, event, token, since_ms, region });
    }

    /// 2101133 with HTTP 400 for who is no member. The token is never told.
    fn callback_list(&self, reader: &Reader<'_>, page: Page) -> Reading {
        if !self.is_member(reader.uid, reader.project) {
            return Err(Failure::code(2101133, &[reader.uid, reader.project]));
        }
        let row = |hook: &Hook| match hook.to {
            HookOf::Project { id } => Some(json!({
                "id": id, "projectId": hook.project, "callBackUrl": hook.url, "events": hook.event, "enable": true,
            })),
            HookOf::Pipeline { .. } => None,
        };
        let mine = self.hooks.iter().filter(|hook| hook.project == reader.project);
        let rows: Vec<Value> = mine.filter_map(row).collect();
        Ok(page.cut(rows.len(), rows.into_iter(), |row| row))
    }

    fn delete_of_project(&mut self, project: &str, id: i64) -> Reading {
        let before = self.hooks.len();
        self.hooks.retain(|hook| hook.project != project || hook.to != HookOf::Project { id });
        if self.hooks.len() == before {
            return Err(Failure::code(2101136, &[&id.to_string()]));
        }
        Ok(Value::Bool(true))
    }

    /// Keyed by name: a name that is there already gets this address and event in place of its own, also within one
    /// request.
    fn put_of_pipeline(&mut self, reader: &Reader<'_>, items: &[Value], since_ms: i64) -> Reading {
        let wanted = items.iter().map(of_body).collect::<Result<Vec<_>, _>>()?;
        self.require(reader.uid, reader.pipeline, Right::Edit)?;
        self.pipeline(reader.project, reader.pipeline).ok_or_else(|| Failure::code(2101038, &[]))?;
        for (_, one) in &wanted {
            hook_url::check(&one.url, self.settings.internal_callbacks)?;
        }
        for (name, Wanted { url, event, token, region }) in wanted {
            self.known_secrets.extend(token.clone());
            let to = HookOf::Pipeline { pipeline: reader.pipeline.into(), name };
            self.hooks.retain(|hook| hook.to != to);
            let project = reader.project.into();
            self.hooks.push(Hook { project, to, url, event, token, since_ms, region });
        }
        Ok(Value::Bool(true))
    }

    fn list_of_pipeline(&self, reader: &Reader<'_>, event: Option<&str>) -> Reading {
        self.require(reader.uid, reader.pipeline, Right::View)?;
        self.pipeline(reader.project, reader.pipeline).ok_or_else(|| Failure::code(2101038, &[]))?;
        let row = |hook: &Hook| match &hook.to {
            HookOf::Pipeline { pipeline, name } if pipeline == reader.pipeline => Some(object(json!({
                "callbackEvent": hook.event, "callbackUrl": hook.url, "callbackName": name, "region": hook.region,
            }))),
            HookOf::Pipeline { .. } | HookOf::Project { .. } => None,
        };
        let wanted = self.hooks.iter().filter(|hook| event.is_none_or(|event| hook.event == event));
        Ok(wanted.filter_map(row).collect())
    }
}

/// A value of a query enum: absent is a missing argument, unknown is of a wrong type (3.3).
fn named(incoming: &Incoming, name: &str, known: &[&str]) -> Result<String, Failure> {
    let value = incoming.text(name).ok_or_else(|| Failure::missing_argument(name))?;
    if known.contains(&value) { Ok(value.to_owned()) } else { Err(Failure::wrong_type()) }
}

/// An entry of the body: its name, and what it wants (3.3, the rows on bodies).
fn of_body(item: &Value) -> Result<(String, Wanted), Failure> {
    let item = item.as_object().ok_or_else(Failure::wrong_body)?;
    let maybe = |name: &str| match item.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(Failure::wrong_body()),
    };
    let text = |name: &str| maybe(name)?.ok_or_else(|| Failure::incomplete_body(name));
    let (event, region) = (text("callbackEvent")?, maybe("region")?);
    if !EVENTS.contains(&event.as_str()) || region.as_ref().is_some_and(|region| !REGIONS.contains(&region.as_str())) {
        return Err(Failure::wrong_body());
    }
    let token = maybe("secretToken")?.filter(|token| !token.is_empty());
    Ok((text("callbackName")?, Wanted { url: text("callbackUrl")?, event, token, region }))
}
