//! The program: reads its arguments and does what they say.

use std::process::ExitCode;

use clap::Parser as _;
use reprise::cli;

#[tokio::main]
async fn main() -> ExitCode {
    cli::main(cli::Arguments::parse()).await
}
