//! What is suggested for an option, as facts. Every name and message is text of a stranger.

use std::time::Duration;

use super::listed;
use super::scope::Part;

/// One suggestion.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Choice {
    /// A project.
    Project(listed::Project),
    /// A pipeline.
    Pipeline {
        /// Which.
        pipeline: listed::Pipeline,
        /// Another one that is suggested has the same name.
        has_namesake: bool,
    },
    /// A build.
    Build {
        /// Which.
        build: listed::Build,
        /// How long ago it began, where known.
        age: Option<Duration>,
    },
    /// A part of a build.
    Part {
        /// Which.
        part: Part,
        /// What went wrong in it, where BK-CI says so.
        trouble: Option<String>,
    },
}
