//! The slash commands: for each its definition and its reading, side by side.

mod build;
mod difference;
mod watch;

use std::time::Duration;

use serenity::all::{
    CommandInteraction, CommandOptionType, CreateCommand, CreateCommandOption, InstallationContext, InteractionContext,
    Member, Permissions, ResolvedOption, ResolvedValue,
};

pub use self::difference::differs;
use crate::commands::complete::{Focus, Typed};
use crate::commands::{Command, Origin, Request, RetryOptions};
use crate::model::ids::{ChannelId, GuildId, InteractionId, RoleId, UserId};
use crate::model::{Actor, Locale, Place, Timestamp};

/// How long an interaction's token works (discord-rules 1).
const TOKEN_LIFE: Duration = Duration::from_mins(15);

/// A snowflake's upper 42 bits count milliseconds from here: the start of 2015 (Discord's reference, Snowflakes).
const DISCORD_EPOCH_MS: i64 = 1_420_070_400_000;

/// Nothing the commands take is longer; Discord would allow 6000 (discord-rules 3).
const OPTION_MAX: u16 = 200;

/// The text of a command or option by its path (`mapping set uid`), in a language.
pub type Describe = dyn Fn(&str, Locale) -> String + Send + Sync;

/// Where commands are registered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// For every server the bot is in.
    Global,
    /// For one server.
    Guild,
}

impl From<bool> for Scope {
    /// Without a list of servers, commands are global (contract 2).
    fn from(every_server: bool) -> Self {
        if every_server { Self::Global } else { Self::Guild }
    }
}

/// Why an interaction cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// Not from a server, though commands are for servers only.
    #[error("it does not come from a server")]
    NotInServer,
    /// An older or newer version registered it.
    #[error("no such command: {0}")]
    UnknownCommand(String),
    /// A required option is missing or of another type.
    #[error("the option {0} is missing")]
    Missing(&'static str),
}

/// Every command, as it is registered.
pub fn definitions(scope: Scope, describe: &Describe) -> Vec<CreateCommand> {
    let mut commands = vec![
        retry(describe),
        build::define(describe),
        watch::define(describe),
        mapping(describe),
        command("whoami", describe),
        command("help", describe),
    ];
    if scope == Scope::Global {
        // Guild commands must not carry these (discord-rules 3).
        commands = commands
            .into_iter()
            .map(|command| {
                command.contexts(vec![InteractionContext::Guild]).integration_types(vec![InstallationContext::Guild])
            })
            .collect();
    }
    commands
}

/// Descriptions are in the person's language, names are not: what an answer tells somebody to run (`/mapping set user: …`),
/// what colleagues tell each other and what is typed in words is the same for everybody, whatever their language.
fn command(name: &str, describe: &Describe) -> CreateCommand {
    CreateCommand::new(name)
        .description(describe(name, Locale::En))
        .description_localized(Locale::ZhCn.as_str(), describe(name, Locale::ZhCn))
        .description_localized(Locale::Ja.as_str(), describe(name, Locale::Ja))
}

fn bare_option(kind: CommandOptionType, path: &str, describe: &Describe) -> CreateCommandOption {
    CreateCommandOption::new(kind, last_word(path), describe(path, Locale::En))
        .description_localized(Locale::ZhCn.as_str(), describe(path, Locale::ZhCn))
        .description_localized(Locale::Ja.as_str(), describe(path, Locale::Ja))
}

fn option(kind: CommandOptionType, path: &str, describe: &Describe) -> CreateCommandOption {
    let option = bare_option(kind, path, describe);
    if kind == CommandOptionType::String { option.max_length(OPTION_MAX) } else { option }
}

/// What an option or a choice is called.
fn last_word(path: &str) -> &str {
    path.rsplit(' ').next().unwrap_or(path)
}

fn subcommand(path: &str, describe: &Describe) -> CreateCommandOption {
    option(CommandOptionType::SubCommand, path, describe)
}

/// A text that is looked up while it is typed.
fn suggested(path: &str, describe: &Describe) -> CreateCommandOption {
    option(CommandOptionType::String, path, describe).set_autocomplete(true)
}

/// The two options that name a pipeline. They are the same for every command, and so are their descriptions.
fn which_pipeline(describe: &Describe) -> [CreateCommandOption; 2] {
    ["retry project", "retry pipeline"].map(|path| suggested(path, describe).required(true))
}

/// The three options that name a build.
fn which_build(describe: &Describe) -> [CreateCommandOption; 3] {
    let [project, pipeline] = which_pipeline(describe);
    [project, pipeline, suggested("retry build", describe).required(true)]
}

fn retry(describe: &Describe) -> CreateCommand {
    let which = which_build(describe).into_iter();
    which
        .fold(command("retry", describe), CreateCommand::add_option)
        .add_option(suggested("retry task", describe))
        .add_option(suggested("retry skip", describe))
        .add_option(option(CommandOptionType::Boolean, "retry failed_jobs", describe))
        .add_option(option(CommandOptionType::Boolean, "retry preview", describe))
}

fn read_retry(options: &[ResolvedOption<'_>]) -> Result<Command, Unreadable> {
    Ok(Command::Retry(RetryOptions {
        project: required_text(options, "project")?,
        pipeline: required_text(options, "pipeline")?,
        build: required_text(options, "build")?,
        task: text(options, "task"),
        skip: text(options, "skip"),
        failed_jobs: flag(options, "failed_jobs"),
        preview: flag(options, "preview"),
    }))
}

fn mapping(describe: &Describe) -> CreateCommand {
    let sub = |path| subcommand(path, describe);
    let user = |path| option(CommandOptionType::User, path, describe).required(true);
    let uid = option(CommandOptionType::String, "mapping set uid", describe).required(true);
    let set = sub("mapping set").add_sub_option(user("mapping set user")).add_sub_option(uid);
    let filter = option(CommandOptionType::String, "mapping list filter", describe);
    command("mapping", describe)
        // Only hides the command from others; the bot checks by itself.
        .default_member_permissions(Permissions::MANAGE_GUILD)
        .add_option(set)
        .add_option(sub("mapping remove").add_sub_option(user("mapping remove user")))
        .add_option(sub("mapping show").add_sub_option(user("mapping show user")))
        .add_option(sub("mapping list").add_sub_option(filter))
}

fn read_mapping(options: &[ResolvedOption<'_>]) -> Result<Command, Unreadable> {
    let (name, options) = used("mapping", options)?;
    match name {
        "set" => Ok(Command::MappingSet { user: user(options)?, uid: required_text(options, "uid")? }),
        "remove" => Ok(Command::MappingRemove { user: user(options)? }),
        "show" => Ok(Command::MappingShow { user: user(options)? }),
        "list" => Ok(Command::MappingList { filter: text(options, "filter") }),
        other => Err(Unreadable::UnknownCommand(format!("mapping {other}"))),
    }
}

/// Which subcommand was used, with its options.
fn used<'a>(
    command: &str,
    options: &'a [ResolvedOption<'a>],
) -> Result<(&'a str, &'a [ResolvedOption<'a>]), Unreadable> {
    nested(options).ok_or_else(|| Unreadable::UnknownCommand(command.to_owned()))
}

fn nested<'a>(options: &'a [ResolvedOption<'a>]) -> Option<(&'a str, &'a [ResolvedOption<'a>])> {
    options.iter().find_map(|option| match &option.value {
        ResolvedValue::SubCommand(options) => Some((option.name, options.as_slice())),
        _ => None,
    })
}

/// Reads what somebody typed.
///
/// # Errors
/// This version does not know the command, or Discord left out what it requires.
pub fn read(interaction: &CommandInteraction) -> Result<Request, Unreadable> {
    let (Some(guild), Some(member)) = (interaction.guild_id, interaction.member.as_deref()) else {
        return Err(Unreadable::NotInServer);
    };
    let options = interaction.data.options();
    let command = match interaction.data.name.as_str() {
        "retry" => read_retry(&options)?,
        "build" => build::read(&options)?,
        "watch" => watch::read(interaction, member, &options)?,
        "mapping" => read_mapping(&options)?,
        "whoami" => Command::Whoami,
        "help" => Command::Help,
        other => return Err(Unreadable::UnknownCommand(other.to_owned())),
    };
    Ok(Envelope {
        interaction: interaction.id,
        token: &interaction.token,
        user: interaction.user.id,
        member,
        guild,
        channel: interaction.channel_id,
        locale: &interaction.locale,
        guild_locale: interaction.guild_locale.as_deref(),
    }
    .request(Origin::Command, command))
}

/// What every interaction of a server says beside what was asked.
pub(super) struct Envelope<'a> {
    pub(super) interaction: serenity::all::InteractionId,
    pub(super) token: &'a str,
    pub(super) user: serenity::all::UserId,
    pub(super) member: &'a Member,
    pub(super) guild: serenity::all::GuildId,
    pub(super) channel: serenity::all::ChannelId,
    pub(super) locale: &'a str,
    pub(super) guild_locale: Option<&'a str>,
}

impl Envelope<'_> {
    pub(super) fn request(&self, origin: Origin, command: Command) -> Request {
        let permissions = self.member.permissions.unwrap_or_else(Permissions::empty);
        let made = made(self.interaction.get());
        Request {
            interaction: InteractionId(self.interaction.get()),
            token: Some((self.token.to_owned().into(), made.plus(TOKEN_LIFE))),
            actor: Actor {
                user: UserId(self.user.get()),
                roles: self.member.roles.iter().map(|role| RoleId(role.get())).collect(),
                manage_server: permissions.intersects(Permissions::MANAGE_GUILD | Permissions::ADMINISTRATOR),
            },
            place: Place { guild: GuildId(self.guild.get()), channel: ChannelId(self.channel.get()) },
            locale: Locale::from_discord(self.locale),
            guild_locale: Locale::from_discord(self.guild_locale.unwrap_or_default()),
            origin,
            command,
        }
    }
}

/// When Discord made what has this id.
pub(super) fn made(id: u64) -> Timestamp {
    Timestamp((id >> 22).cast_signed() + DISCORD_EPOCH_MS)
}

/// Reads what somebody is typing; nothing when this version has nothing to suggest for it.
pub fn read_typed(interaction: &CommandInteraction) -> Option<Typed> {
    let focused = interaction.data.autocomplete()?;
    let focus = match (interaction.data.name.as_str(), focused.name) {
        (_, "project") => Focus::Project,
        (_, "pipeline") => Focus::Pipeline,
        (_, "build") => Focus::Build,
        ("build", "task") => Focus::Logged,
        (_, "task") => Focus::Task,
        (_, "skip") => Focus::Skip,
        _ => return None,
    };
    let options = interaction.data.options();
    let options = nested(&options).map_or(options.as_slice(), |(_, options)| options);
    let typed = |name| text(options, name).unwrap_or_default();
    Some(Typed {
        user: UserId(interaction.user.id.get()),
        guild: GuildId(interaction.guild_id?.get()),
        focus,
        text: focused.value.to_owned(),
        project: typed("project"),
        pipeline: typed("pipeline"),
        build: typed("build"),
    })
}

fn text(options: &[ResolvedOption<'_>], name: &str) -> Option<String> {
    options.iter().find(|option| option.name == name).and_then(|option| match option.value {
        ResolvedValue::String(text) => Some(text.to_owned()),
        _ => None,
    })
}

/// Left out is no.
fn flag(options: &[ResolvedOption<'_>], name: &str) -> bool {
    options.iter().any(|option| option.name == name && matches!(option.value, ResolvedValue::Boolean(true)))
}

/// From 1 to `max`. Discord lets nothing else through.
fn number(options: &[ResolvedOption<'_>], name: &str, max: u64) -> Option<u32> {
    options.iter().find(|option| option.name == name).and_then(|option| match option.value {
        ResolvedValue::Integer(number) => {
            u64::try_from(number).ok().and_then(|number| number.clamp(1, max).try_into().ok())
        }
        _ => None,
    })
}

fn required_text(options: &[ResolvedOption<'_>], name: &'static str) -> Result<String, Unreadable> {
    text(options, name).ok_or(Unreadable::Missing(name))
}

fn user(options: &[ResolvedOption<'_>]) -> Result<UserId, Unreadable> {
    let found = options.iter().find(|option| option.name == "user").and_then(|option| match &option.value {
        ResolvedValue::User(user, _) => Some(UserId(user.id.get())),
        _ => None,
    });
    found.ok_or(Unreadable::Missing("user"))
}

#[cfg(test)]
mod reading;

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn describe(path: &str, locale: Locale) -> String {
        format!("{path} in {}", locale.as_str())
    }

    /// The names of a command's options that have suggestions, and those of its subcommands.
    fn suggested_in(command: &Value, before: &str, found: &mut Vec<String>) {
        let path = format!("{before}{}", command["name"].as_str().expect("a name"));
        let options = command["options"].as_array().map(Vec::as_slice).unwrap_or_default();
        let suggested = options.iter().filter(|option| option["autocomplete"] == true);
        let names: Vec<&str> = suggested.filter_map(|option| option["name"].as_str()).collect();
        if !names.is_empty() {
            found.push(format!("{path}: {}", names.join(" ")));
        }
        for nested in options.iter().filter(|option| option["type"] == 1) {
            suggested_in(nested, &format!("{path} "), found);
        }
    }

    /// An option of which Discord says that it has suggestions, and for which there never are any, looks broken.
    #[test]
    fn exactly_what_is_named_by_looking_it_up_has_suggestions() {
        let commands = serde_json::to_value(definitions(Scope::Guild, &describe)).expect("JSON");
        let mut found = Vec::new();
        for command in commands.as_array().expect("a list") {
            suggested_in(command, "", &mut found);
        }
        let expected = [
            "retry: project pipeline build task skip",
            "build status: project pipeline build",
            "build log: project pipeline build task",
            "build stop: project pipeline build",
            "watch add: project pipeline",
            "watch remove: project pipeline",
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn guild_commands_carry_no_contexts_and_mapping_is_for_administrators() {
        let guild = serde_json::to_value(definitions(Scope::Guild, &describe)).expect("JSON");
        assert!(guild.as_array().expect("a list").iter().all(|c| c.get("contexts").is_none_or(Value::is_null)));
        let for_some = |command: &&Value| !command["default_member_permissions"].is_null();
        let limited: Vec<&Value> = guild.as_array().expect("a list").iter().filter(for_some).collect();
        let [mapping] = limited.as_slice() else { panic!("one command is for administrators: {limited:?}") };
        assert_eq!((&mapping["name"], &mapping["default_member_permissions"]), (&json!("mapping"), &json!("32")));
        let global = serde_json::to_value(definitions(Scope::Global, &describe)).expect("JSON");
        assert_eq!((&global[0]["contexts"], &global[0]["integration_types"]), (&json!([0]), &json!([0])));
    }
}
