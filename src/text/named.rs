//! Words for what was named and not found.

use i18n_embed::fluent::FluentLanguageLoader;
use i18n_embed_fl::fl;

use super::{GIVEN_MAX, NAME_MAX, Sentence, Tone, code, field, plain, simple, unread};
use crate::model::ids::{PipelineId, ProjectId};
use crate::model::named::PipelineNamed;
use crate::reply::Unfound;

/// Why what was named does not lead to one build, and how to name it.
pub(super) fn unfound(t: &FluentLanguageLoader, project: &ProjectId, why: &Unfound) -> Sentence {
    let project = code(project.as_str(), 64);
    let given = |named: &String| code(named, GIVEN_MAX);
    let body = match why {
        Unfound::Pipeline { named, similar } if similar.is_empty() => {
            fl!(t, "unfound-pipeline", project = project, named = given(named))
        }
        Unfound::Pipeline { named, similar } => {
            fl!(t, "unfound-similar", project = project, named = given(named), candidates = list(similar))
        }
        Unfound::Ambiguous { named, candidates } => {
            fl!(t, "unfound-ambiguous", project = project, named = given(named), candidates = list(candidates))
        }
        Unfound::PipelineTooFar { named, similar } if similar.is_empty() => {
            fl!(t, "unfound-too-far", project = project, named = given(named))
        }
        Unfound::PipelineTooFar { named, similar } => {
            fl!(t, "unfound-too-far-similar", project = project, named = given(named), candidates = list(similar))
        }
        Unfound::Number { pipeline, number, latest: None } => {
            fl!(t, "unfound-number", pipeline = pipeline_text(pipeline), number = number.to_string())
        }
        Unfound::Number { pipeline, number, latest: Some(latest) } => {
            let (number, latest) = (number.to_string(), latest.to_string());
            fl!(t, "unfound-number-latest", pipeline = pipeline_text(pipeline), number = number, latest = latest)
        }
        Unfound::NumberTooFar { pipeline, number, pages } => {
            let (number, pages) = (number.to_string(), pages.to_string());
            fl!(t, "unfound-number-too-far", pipeline = pipeline_text(pipeline), number = number, pages = pages)
        }
        Unfound::NoBuild { pipeline } => fl!(t, "unfound-no-build", pipeline = pipeline_text(pipeline)),
        Unfound::OtherProject { linked } => {
            fl!(t, "unfound-other-project", linked = code(linked.as_str(), 64), named = project)
        }
        Unfound::OtherPipeline { linked, named } => {
            fl!(t, "unfound-other-pipeline", linked = code(linked.as_str(), 64), named = pipeline_text(named))
        }
        Unfound::Unread { pipeline, failure } => {
            let fields = vec![
                field(fl!(t, "label-project"), project, true),
                field(fl!(t, "label-pipeline"), pipeline_text(pipeline), true),
            ];
            return unread(t, fields, failure);
        }
    };
    let title = match why {
        Unfound::Pipeline { .. } | Unfound::Ambiguous { .. } | Unfound::PipelineTooFar { .. } => {
            fl!(t, "unfound-pipeline-title")
        }
        Unfound::Number { .. } | Unfound::NumberTooFar { .. } | Unfound::NoBuild { .. } => {
            fl!(t, "unfound-build-title")
        }
        Unfound::OtherProject { .. } | Unfound::OtherPipeline { .. } => fl!(t, "unfound-link-title"),
        Unfound::Unread { .. } => fl!(t, "not-read-title"),
    };
    simple(Tone::Bad, title, body)
}

pub(super) fn pipeline_text(pipeline: &PipelineNamed) -> String {
    match pipeline {
        PipelineNamed::Id(id) => code(id.as_str(), 64),
        PipelineNamed::Name(name) => plain(name, NAME_MAX),
    }
}

fn list(pipelines: &[(PipelineId, String)]) -> String {
    let listed = pipelines.iter().map(|(id, name)| format!("{} {}", plain(name, NAME_MAX), code(id.as_str(), 64)));
    listed.collect::<Vec<_>>().join(" · ")
}
