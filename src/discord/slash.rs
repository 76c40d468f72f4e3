//! The slash commands: for each its definition and its reading, side by side.

use std::time::Duration;

use serde_json::Value;
use serenity::all::{
    CommandInteraction, CommandOptionType, CreateCommand, CreateCommandOption, InstallationContext, InteractionContext,
    Member, Permissions, ResolvedOption, ResolvedValue,
};

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
    let mut commands = vec![retry(describe), mapping(describe), command("whoami", describe), command("help", describe)];
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

fn option(kind: CommandOptionType, path: &str, describe: &Describe) -> CreateCommandOption {
    let name = path.rsplit(' ').next().unwrap_or(path);
    let option = CreateCommandOption::new(kind, name, describe(path, Locale::En))
        .description_localized(Locale::ZhCn.as_str(), describe(path, Locale::ZhCn))
        .description_localized(Locale::Ja.as_str(), describe(path, Locale::Ja));
    if kind == CommandOptionType::String { option.max_length(OPTION_MAX) } else { option }
}

fn retry(describe: &Describe) -> CreateCommand {
    let text = |path| option(CommandOptionType::String, path, describe);
    command("retry", describe)
        .add_option(text("retry project").required(true).set_autocomplete(true))
        .add_option(text("retry pipeline").required(true).set_autocomplete(true))
        .add_option(text("retry build").required(true).set_autocomplete(true))
        .add_option(text("retry task").set_autocomplete(true))
        .add_option(text("retry skip").set_autocomplete(true))
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
    let sub = |path| option(CommandOptionType::SubCommand, path, describe);
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
    let Some((name, options)) = options.iter().find_map(|option| match &option.value {
        ResolvedValue::SubCommand(options) => Some((option.name, options.as_slice())),
        _ => None,
    }) else {
        return Err(Unreadable::UnknownCommand("mapping".to_owned()));
    };
    match name {
        "set" => Ok(Command::MappingSet { user: user(options)?, uid: required_text(options, "uid")? }),
        "remove" => Ok(Command::MappingRemove { user: user(options)? }),
        "show" => Ok(Command::MappingShow { user: user(options)? }),
        "list" => Ok(Command::MappingList { filter: text(options, "filter") }),
        other => Err(Unreadable::UnknownCommand(format!("mapping {other}"))),
    }
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
    let focus = match focused.name {
        "project" => Focus::Project,
        "pipeline" => Focus::Pipeline,
        "build" => Focus::Build,
        "task" => Focus::Task,
        "skip" => Focus::Skip,
        _ => return None,
    };
    let options = interaction.data.options();
    let typed = |name| text(&options, name).unwrap_or_default();
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

/// What the server adds to a command, or says of it without having been told (discord-rules 3).
const ADDED: [&str; 9] = [
    "id",
    "version",
    "application_id",
    "guild_id",
    "dm_permission",
    "default_permission",
    "handler",
    "name_localized",
    "description_localized",
];

/// Whether what is registered is not what this version defines, so that it must be registered anew. The order of
/// commands means nothing, that of options does.
pub fn differs(scope: Scope, defined: &[CreateCommand], registered: &[Value]) -> bool {
    let defined: Vec<Value> = defined.iter().map(|command| serde_json::to_value(command).unwrap_or_default()).collect();
    let plain = |commands: &[Value]| {
        let mut plain: Vec<String> = commands.iter().map(|command| stripped(scope, command).to_string()).collect();
        plain.sort();
        plain
    };
    plain(&defined) != plain(registered)
}

fn stripped(scope: Scope, command: &Value) -> Value {
    let Value::Object(fields) = command else { return command.clone() };
    let mut kept = serde_json::Map::new();
    for (name, value) in fields {
        let of_global = matches!(name.as_str(), "contexts" | "integration_types");
        if ADDED.contains(&name.as_str()) || (of_global && scope == Scope::Guild) || means_nothing(name, value) {
            continue;
        }
        let value = match (name.as_str(), value) {
            ("options", Value::Array(options)) => options.iter().map(|option| stripped(scope, option)).collect(),
            // The document says integer, the server sends text (stack.md 9).
            ("default_member_permissions", Value::Number(number)) => Value::String(number.to_string()),
            (_, value) => value.clone(),
        };
        kept.insert(name.clone(), value);
    }
    Value::Object(kept)
}

/// Absent, or what the server says by default: `false`, an empty list, the command type for slash commands.
fn means_nothing(name: &str, value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Array(list) => list.is_empty(),
        Value::Object(map) => map.is_empty(),
        Value::Number(_) => name == "type" && value == 1,
        Value::Bool(true) | Value::String(_) => false,
    }
}

#[cfg(test)]
mod reading;

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn describe(path: &str, locale: Locale) -> String {
        format!("{path} in {}", locale.as_str())
    }

    fn registered(scope: Scope) -> Vec<Value> {
        let mut commands: Vec<Value> =
            definitions(scope, &describe).iter().map(|c| serde_json::to_value(c).expect("JSON")).collect();
        for command in &mut commands {
            let fields = command.as_object_mut().expect("an object");
            for (name, value) in [
                ("id", json!("1")),
                ("version", json!("2")),
                ("application_id", json!("3")),
                ("nsfw", json!(false)),
                ("dm_permission", json!(true)),
                ("name_localizations", json!(null)),
                ("type", json!(1)),
            ] {
                fields.insert(name.to_owned(), value);
            }
            if scope == Scope::Guild {
                fields.insert("guild_id".to_owned(), json!("9"));
                fields.insert("integration_types".to_owned(), json!([0]));
                fields.insert("contexts".to_owned(), json!(null));
            }
        }
        commands.reverse();
        commands
    }

    #[test]
    fn what_the_server_adds_makes_no_difference() {
        for scope in [Scope::Global, Scope::Guild] {
            assert!(!differs(scope, &definitions(scope, &describe), &registered(scope)), "{scope:?}");
        }
    }

    #[test]
    fn every_difference_that_somebody_would_see_counts() {
        let changed = |pointer: &str, value: Value| {
            let mut commands = registered(Scope::Guild);
            let retry = commands.iter_mut().find(|c| c["name"] == "retry").expect("retry");
            *retry.pointer_mut(pointer).expect(pointer) = value;
            differs(Scope::Guild, &definitions(Scope::Guild, &describe), &commands)
        };
        assert!(changed("/description", json!("another")));
        assert!(changed("/description_localizations/ja", json!("another")));
        assert!(changed("/options/0/required", json!(false)));
        assert!(changed("/options/0/description_localizations", json!({})));
        let mut fewer = registered(Scope::Guild);
        fewer.pop();
        assert!(differs(Scope::Guild, &definitions(Scope::Guild, &describe), &fewer));
    }

    /// An option of which Discord says that it has suggestions, and for which there never are any, looks broken.
    #[test]
    fn exactly_what_is_named_by_looking_it_up_has_suggestions() {
        let commands = serde_json::to_value(definitions(Scope::Guild, &describe)).expect("JSON");
        let options = commands.as_array().expect("a list").iter().flat_map(|command| command["options"].as_array());
        let suggested = options.flatten().filter(|option| option["autocomplete"] == true);
        let names: Vec<&str> = suggested.filter_map(|option| option["name"].as_str()).collect();
        assert_eq!(names, ["project", "pipeline", "build", "task", "skip"]);
    }

    #[test]
    fn guild_commands_carry_no_contexts_and_mapping_is_for_administrators() {
        let guild = serde_json::to_value(definitions(Scope::Guild, &describe)).expect("JSON");
        assert!(guild.as_array().expect("a list").iter().all(|c| c.get("contexts").is_none_or(Value::is_null)));
        assert_eq!(guild[1]["default_member_permissions"], json!("32"));
        let global = serde_json::to_value(definitions(Scope::Global, &describe)).expect("JSON");
        assert_eq!((&global[0]["contexts"], &global[0]["integration_types"]), (&json!([0]), &json!([0])));
    }
}
