//! `/build status`, `/build log`, `/build stop`

use serenity::all::{CommandOptionType, CreateCommand, CreateCommandOption, ResolvedOption};

use super::{
    Describe, Unreadable, command, number, option, required_text, subcommand, suggested, text, used, which_build,
};
use crate::commands::{BuildOptions, Command, LogOptions};

/// How many lines of a log somebody may ask for (contract 4).
const LINES_MAX: u64 = 100;

pub(super) fn define(describe: &Describe) -> CreateCommand {
    let of_build = |path| {
        let sub = subcommand(path, describe);
        which_build(describe).into_iter().fold(sub, CreateCommandOption::add_sub_option)
    };
    let lines = option(CommandOptionType::Integer, "build log lines", describe);
    let log = of_build("build log")
        .add_sub_option(suggested("build log task", describe))
        .add_sub_option(lines.min_int_value(1).max_int_value(LINES_MAX));
    command("build", describe).add_option(of_build("build status")).add_option(log).add_option(of_build("build stop"))
}

pub(super) fn read(options: &[ResolvedOption<'_>]) -> Result<Command, Unreadable> {
    let (name, options) = used("build", options)?;
    let build = || {
        Ok(BuildOptions {
            project: required_text(options, "project")?,
            pipeline: required_text(options, "pipeline")?,
            build: required_text(options, "build")?,
        })
    };
    match name {
        "status" => build().map(Command::BuildStatus),
        "stop" => build().map(Command::BuildStop),
        "log" => {
            let (build, task) = (build()?, text(options, "task"));
            Ok(Command::BuildLog(LogOptions { build, task, lines: number(options, "lines", LINES_MAX) }))
        }
        other => Err(Unreadable::UnknownCommand(format!("build {other}"))),
    }
}
