//! Measures following: many builds at once, or one for hours. No test: it takes minutes of real time.
//!
//! `cargo run --release -p reprise --example follows -- --family v4` fills a store with builds that are followed, plays
//! BK-CI and Discord, runs the bot beside them, and tells how many requests it sends to BK-CI and how long a change
//! stays unseen. `--edits` tells how often the one message about a build of hours is edited.
//!
//! It prints a table and one line of JSON, and exits with 1 when a limit that is promised does not hold.

mod edits;
mod fill;
mod measure;
mod scene;

use std::process::ExitCode;

use clap::{Parser, ValueEnum};
use sandbox::bkci::Family;

/// Measure what following many builds costs BK-CI, and how long a change stays unseen.
#[derive(Clone, Debug, Parser)]
struct Arguments {
    /// Builds that are followed
    #[arg(long, default_value_t = 10_000)]
    builds: usize,
    /// Pipelines over which they are spread
    #[arg(long, default_value_t = 100)]
    pipelines: usize,
    /// The form of BK-CI's addresses
    #[arg(long, value_enum, default_value_t = Api::V4)]
    family: Api,
    /// How long is measured
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// How long before that the bot runs already
    #[arg(long, default_value_t = 15)]
    settle: u64,
    /// How many of the builds have a notice
    #[arg(long, default_value_t = 500)]
    noticed: usize,
    /// Over how many channels the notices are spread
    #[arg(long, default_value_t = 50)]
    channels: usize,
    /// How long each build takes: all are on their way at first, evenly spread, in six stages
    #[arg(long, default_value_t = 60, value_name = "MINUTES")]
    length: u64,
    /// Also watch every pipeline
    #[arg(long)]
    watched: bool,
    /// How long BK-CI thinks about each request
    #[arg(long, default_value_t = 0, value_name = "MS")]
    latency: u64,
    /// Measure the edits of one notice instead, of a build whose steps change every half minute
    #[arg(long)]
    edits: bool,
    /// How long that build takes
    #[arg(long, default_value_t = 3)]
    hours: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Api {
    V3,
    V4,
}

impl Api {
    fn key(self) -> &'static str {
        match self {
            Self::V3 => "v3",
            Self::V4 => "v4",
        }
    }

    fn family(self) -> Family {
        match self {
            Self::V3 => Family::V3,
            Self::V4 => Family::V4,
        }
    }
}

#[tokio::main]
#[expect(clippy::print_stderr, reason = "the last word, for a person")]
async fn main() -> ExitCode {
    let level = std::env::var("REPRISE__LOG__LEVEL").unwrap_or_else(|_| "warn".to_owned());
    reprise::telemetry::init(reprise::config::LogFormat::Text, &level);
    let arguments = Arguments::parse();
    let measured = if arguments.edits { edits::measure(&arguments).await } else { measure::measure(&arguments).await };
    match measured {
        Ok(report) => {
            report.print();
            if report.holds() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(error) => {
            eprintln!("Error: {error:#}");
            ExitCode::from(2)
        }
    }
}
