//! How people name a pipeline and a build: an id, a name, a number, `latest`, or the address of the build's page. Pure:
//! what a name or a number stands for is found out by reading BK-CI.

use serde::{Deserialize, Serialize};

use super::ids::{BuildId, Malformed, PipelineId, ProjectId};

/// A pipeline as somebody typed it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PipelineNamed {
    /// `p-…`
    Id(PipelineId),
    /// Anything else may be a name.
    Name(String),
}

/// A build as somebody typed it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum BuildNamed {
    /// `b-…`
    Id(BuildId),
    /// `128` or `#128`
    Number(u32),
    /// `latest`
    Latest,
    /// The address of the build's page (bkci-api 13).
    Link(BuildLink),
}

/// What the address of a build's page says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BuildLink {
    /// English name.
    pub project: ProjectId,
    /// `p-…`
    pub pipeline: PipelineId,
    /// `b-…`
    pub build: BuildId,
}

impl PipelineNamed {
    /// Reads what was typed.
    ///
    /// # Errors
    /// There is nothing in it.
    pub fn read(text: &str) -> Result<Self, Malformed> {
        let text = text.trim();
        match text.parse() {
            Ok(id) => Ok(Self::Id(id)),
            Err(_) if text.is_empty() => Err(Malformed { expected: "a pipeline's name or id" }),
            Err(_) => Ok(Self::Name(text.to_owned())),
        }
    }
}

impl BuildNamed {
    /// Reads what was typed.
    ///
    /// # Errors
    /// It is none of these.
    pub fn read(text: &str) -> Result<Self, Malformed> {
        let text = text.trim();
        let malformed = Malformed { expected: "`b-…`, a number, `latest` or the address of the build's page" };
        if let Ok(id) = text.parse() {
            return Ok(Self::Id(id));
        }
        if text.eq_ignore_ascii_case("latest") {
            return Ok(Self::Latest);
        }
        if let Some(number) = number(text) {
            return Ok(Self::Number(number));
        }
        link(text).map(Self::Link).ok_or(malformed)
    }
}

/// Builds are counted from 1 (bkci-api 4).
fn number(text: &str) -> Option<u32> {
    let digits = text.strip_prefix('#').unwrap_or(text);
    let is_number = digits.bytes().all(|byte| byte.is_ascii_digit());
    digits.parse().ok().filter(|number| is_number && *number > 0)
}

/// The page of a build, of one execution of it, or a tab of either (bkci-api 13). The host is not looked at: nothing but
/// the ids is taken from an address, and they are held against what else was named.
fn link(text: &str) -> Option<BuildLink> {
    // People paste `<https://…>` to keep Discord from showing a preview.
    let text = text.strip_prefix('<').and_then(|inner| inner.strip_suffix('>')).unwrap_or(text);
    let address = text.split(['?', '#']).next()?;
    let (_, path) = address.split_once("/console/")?;
    let segments: Vec<&str> = path.split('/').collect();
    let [project, pipeline, build] = match segments.as_slice() {
        ["pipeline", project, pipeline, "detail", build, ..] => [project, pipeline, build],
        ["creative-stream", project, "flow", pipeline, "execute", build, ..] => [project, pipeline, build],
        _ => return None,
    };
    Some(BuildLink { project: project.parse().ok()?, pipeline: pipeline.parse().ok()?, build: build.parse().ok()? })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PIPELINE: &str = "p-4f0c1d0f0d8e4c7c9b6f3a2e1d0c9b8a";
    const BUILD: &str = "b-7a1d9e3c5b2f4a6d8c0e1f2a3b4c5d6e";

    fn the_link() -> BuildNamed {
        BuildNamed::Link(BuildLink {
            project: "gamecore".parse().expect("a project"),
            pipeline: PIPELINE.parse().expect("a pipeline"),
            build: BUILD.parse().expect("a build"),
        })
    }

    #[test]
    fn a_build_is_an_id_a_number_the_latest_or_a_link() {
        let id = BuildNamed::Id(BUILD.parse().expect("a build"));
        for (text, expected) in [
            (BUILD, id.clone()),
            (&format!(" {BUILD}\n"), id),
            ("128", BuildNamed::Number(128)),
            ("#128", BuildNamed::Number(128)),
            (" #0128 ", BuildNamed::Number(128)),
            ("latest", BuildNamed::Latest),
            ("Latest", BuildNamed::Latest),
        ] {
            assert_eq!(BuildNamed::read(text), Ok(expected), "{text:?}");
        }
        for bad in
            ["", " ", "#", "0", "#0", "-1", "+1", "##1", "1.5", "４", "12a", "4294967296", "last", "b-1", PIPELINE]
        {
            assert!(BuildNamed::read(bad).is_err(), "{bad:?}");
        }
    }

    /// The table of bkci-api 13.
    #[test]
    fn a_link_is_any_page_of_the_build() {
        let page = format!("https://devops.example.com/console/pipeline/gamecore/{PIPELINE}/detail/{BUILD}");
        let flow =
            format!("http://ci:8080/console/creative-stream/gamecore/flow/{PIPELINE}/execute/{BUILD}/execute-detail");
        for link in [
            page.clone(),
            format!("<{page}>"),
            format!("{page}/"),
            format!("{page}/executeDetail"),
            format!("{page}/executeDetail/2"),
            format!("{page}?reviewStageSeq=1"),
            format!("{page}?reviewTaskId=e-1#top"),
            format!("devops.example.com/console/pipeline/gamecore/{PIPELINE}/detail/{BUILD}"),
            format!("/console/pipeline/gamecore/{PIPELINE}/detail/{BUILD}"),
            flow,
        ] {
            assert_eq!(BuildNamed::read(&link), Ok(the_link()), "{link}");
        }
        for no in [
            format!("https://h/console/pipeline/gamecore/{PIPELINE}/history"),
            format!("https://h/console/pipeline/gamecore/{PIPELINE}/detail/"),
            format!("https://h/console/pipeline/gamecore/{PIPELINE}/detail/b-1"),
            format!("https://h/console/pipeline/gamecore/nightly/detail/{BUILD}"),
            format!("https://h/console/pipeline/a%2Fb/{PIPELINE}/detail/{BUILD}"),
            format!("https://h/console/pipeline/../{PIPELINE}/detail/{BUILD}"),
            format!("https://h/?to=/console/pipeline/gamecore/{PIPELINE}/detail/{BUILD}"),
            format!("{BUILD}/x"),
            format!("look: {BUILD}"),
        ] {
            assert!(BuildNamed::read(&no).is_err(), "{no}");
        }
    }

    #[test]
    fn a_pipeline_is_an_id_or_a_name() {
        assert_eq!(
            PipelineNamed::read(&format!(" {PIPELINE} ")),
            Ok(PipelineNamed::Id(PIPELINE.parse().expect("an id")))
        );
        for name in ["nightly", "p-1", "Nightly full", "每日构建", "#1"] {
            assert_eq!(PipelineNamed::read(&format!(" {name} ")), Ok(PipelineNamed::Name(name.into())), "{name}");
        }
        assert!(PipelineNamed::read(" \n").is_err());
    }

    proptest! {
        #[test]
        fn reading_anything_ends_well(text in "\\PC{0,80}|[/?#<>a-z0-9-]{0,80}") {
            let _ = (BuildNamed::read(&text), PipelineNamed::read(&text));
        }

        #[test]
        fn every_number_is_read_as_it_was_typed(number in 1..=u32::MAX) {
            prop_assert_eq!(BuildNamed::read(&number.to_string()), Ok(BuildNamed::Number(number)));
            prop_assert_eq!(BuildNamed::read(&format!("#{number}")), Ok(BuildNamed::Number(number)));
        }
    }
}
