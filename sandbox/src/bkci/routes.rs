//! What the service does with a request: openapi's checks in their order, then the process service's function.

use axum::http::Method;
use serde_json::{Value, json};

use super::build::Build;
use super::detail::Reading;
use super::endpoint::{Endpoint, LogCall};
use super::errors::{Failure, GatewayFailure};
use super::families::{Door, Found, Route};
use super::gateway::Answer;
use super::history::Text;
use super::incoming::Incoming;
use super::lists::Reader;
use super::looking::Via;
use super::retry::{Ask, Wish};
use super::world::World;

impl World {
    /// The true answer to a request, and all that it does: gateway, openapi service, process service.
    pub(super) fn answer(&mut self, incoming: &Incoming, now: i64) -> Answer {
        let application = match incoming.door {
            Door::Gateway => match self.pass_the_gateway(incoming) {
                Ok(application) => Some(application),
                Err(failure) => return Answer::gateway(&failure),
            },
            Door::Backend => match self.pass_the_filters(incoming) {
                None => None,
                Some(turned_away) => return turned_away,
            },
        };
        match self.serve(incoming, application.as_deref(), now) {
            Ok(data) => Answer::success(&data),
            Err(failure) => self.refusal(&failure, incoming),
        }
    }

    pub(super) fn refusal(&self, failure: &Failure, incoming: &Incoming) -> Answer {
        Answer::json(failure.http, &failure.body(self.language_of(incoming.uid())))
    }

    fn pass_the_gateway(&self, incoming: &Incoming) -> Result<String, GatewayFailure> {
        match &incoming.found {
            Found::Nothing | Found::NotOfTheApi => Err(GatewayFailure::of(1640401, None)),
            Found::WrongMethod => Err(GatewayFailure::of(1640501, None)),
            Found::Route(_) => self.verify_application(&incoming.headers, &incoming.query),
        }
    }

    /// What the service does where no gateway is in front (bkci-api.md 2.2 points 1 and 2): it looks at no credentials
    /// of the application. A deployment that demands the gateway's token lets nobody in.
    fn pass_the_filters(&self, incoming: &Incoming) -> Option<Answer> {
        if matches!(incoming.found, Found::NotOfTheApi) {
            let text = format!("Devops OpenAPI Auth fail: path({})", incoming.path);
            return Some(Answer::text(400, "text/plain", &text));
        }
        let refused = self.settings.demands_gateway;
        refused.then(|| Answer::text(403, "text/plain", "You do not have permission to access"))
    }

    /// The openapi service: path, media type, query types, project and application, the user (bkci-api.md 2.2, 3.3).
    /// Project and application are looked at only where the gateway vouches for the application.
    fn serve(&mut self, incoming: &Incoming, application: Option<&str>, now: i64) -> Text {
        let route = match &incoming.found {
            Found::Route(route) => route,
            Found::WrongMethod => return Err(Failure::wrong_method()),
            Found::Nothing | Found::NotOfTheApi => return Err(Failure::no_such_path()),
        };
        if incoming.method == Method::POST && !incoming.sends_json() {
            return Err(Failure::unsupported_media_type());
        }
        let in_path = route.family.has_ids_in_the_path();
        let (page, filter) = (incoming.page()?, incoming.filter(route.family)?);
        if let Some(application) = application.filter(|_| !route.project.is_empty()) {
            self.authorise(application, &route.project, now)?;
        }
        let uid = incoming.uid().ok_or_else(|| Failure::missing_argument("userId"))?;
        let (pipeline, build) = self.pairing(route, incoming)?;
        let (project, pipeline, build) = (route.project.as_str(), pipeline.as_str(), build.as_str());
        let reader = Reader { uid, project, pipeline };
        let data = match route.endpoint {
            Endpoint::Retry => self.retry_answer(&reader, build, incoming, now),
            Endpoint::Detail => self.detail(uid, project, pipeline, build, now),
            Endpoint::Status => self.status(uid, project, pipeline, build, now),
            Endpoint::Stop => self.stop(uid, project, pipeline, build, now).map(|()| Value::Bool(true)),
            Endpoint::History => return self.history(&reader, &filter, page, now),
            Endpoint::Batch => return self.batch(&reader, &incoming.items("buildIds")?, now),
            Endpoint::Log(call) => {
                self.write_up_log(project, build, now);
                self.log(call, &reader, build, incoming)
            }
            Endpoint::Callback(call) => self.callbacks(call, &reader, (incoming, now)),
            Endpoint::Projects => Ok(self.project_list(uid, (!in_path).then_some(page))),
            Endpoint::Project => self.one_project(uid, project),
            Endpoint::Pipelines => {
                let named = incoming.text("filterByPipelineName").filter(|_| !in_path);
                self.pipeline_list(&reader, named.unwrap_or_default(), page, now)
            }
            Endpoint::PipelineSearch => {
                self.pipeline_search(uid, project, incoming.text("pipelineName").unwrap_or_default())
            }
            Endpoint::PipelineStatus => self.pipeline_status(&reader, now),
        };
        data.map(|data| data.to_string())
    }

    /// Pipeline and build: those of the path, or in v4 those of the query, which must fit each other before anything
    /// else is looked at (bkci-api.md 3.3, 6.1, 6.3 #0b).
    fn pairing(&self, route: &Route, incoming: &Incoming) -> Result<(String, String), Failure> {
        if route.family.has_ids_in_the_path() {
            return Ok((route.pipeline.clone(), route.build.clone()));
        }
        let [pipeline, build] = ["pipelineId", "buildId"].map(|name| incoming.text(name));
        let build = match route.endpoint {
            Endpoint::Log(LogCall::LastLine) if pipeline.is_none() => {
                return Err(Failure::missing_argument("pipelineId"));
            }
            Endpoint::Detail | Endpoint::Status | Endpoint::Stop | Endpoint::Log(_) => {
                self.build_in(&route.project, build.ok_or_else(|| Failure::missing_argument("buildId"))?)
            }
            Endpoint::Retry => self.build_to_retry(&route.project, incoming)?,
            Endpoint::History | Endpoint::Batch | Endpoint::PipelineStatus => {
                let pipeline = pipeline.ok_or_else(|| Failure::missing_argument("pipelineId"))?;
                return Ok((pipeline.to_owned(), String::new()));
            }
            Endpoint::Callback(_) => return Ok((route.pipeline.clone(), String::new())),
            Endpoint::Projects | Endpoint::Project | Endpoint::Pipelines | Endpoint::PipelineSearch => {
                return Ok((String::new(), String::new()));
            }
        };
        let build = build.ok_or_else(|| Failure::unpaired("parameter content of the request is empty"))?;
        if pipeline.is_some_and(|pipeline| pipeline != build.pipeline) {
            return Err(Failure::unpaired("PipelineId is invalid "));
        }
        Ok((build.pipeline.clone(), build.id.clone()))
    }

    /// By its id, or by its pipeline and number (bkci-api.md 6.1). An unknown number is told as an unknown id is: that
    /// is this double's choice, as the reference is silent.
    fn build_to_retry(&self, project: &str, incoming: &Incoming) -> Result<Option<&Build>, Failure> {
        match (incoming.text("pipelineId"), incoming.text("buildId"), incoming.maybe_number("buildNumber")?) {
            (_, Some(build), _) => Ok(self.build_in(project, build)),
            (None, None, _) => Err(Failure::unpaired("pipelineId and buildId cannot be empty at the same time")),
            (Some(_), None, None) => Err(Failure::unpaired("buildId and buildNumber cannot be empty at the same time")),
            (Some(pipeline), None, Some(number)) => {
                let mut builds = self.builds.of(pipeline).filter(|build| build.project == project);
                Ok(builds.find(|build| i64::from(build.number) == number))
            }
        }
    }

    fn retry_answer(&mut self, reader: &Reader<'_>, build: &str, incoming: &Incoming, now: i64) -> Reading {
        let ask = Ask {
            uid: reader.uid,
            project: reader.project,
            pipeline: reader.pipeline,
            build,
            wish: Wish {
                task_id: incoming.parameter("taskId").map(str::to_owned),
                failed_container: incoming.flag("failedContainer"),
                skip: incoming.flag("skip"),
            },
            via: Via::Api,
        };
        let accepted = self.retry(&ask, now)?;
        if self.settings.old_server {
            return Ok(json!({"id": build}));
        }
        Ok(json!({
            "id": build, "executeCount": accepted.execute_count, "projectId": reader.project,
            "pipelineId": reader.pipeline, "num": accepted.number,
        }))
    }
}
