//! `/watch add`, `/watch remove`, `/watch list`

use serenity::all::{
    ChannelType, CommandInteraction, CommandOptionType, CreateCommand, CreateCommandOption, Member, Permissions,
    ResolvedOption, ResolvedValue,
};

use super::{
    Describe, Unreadable, bare_option, command, flag, option, required_text, subcommand, text, used, which_pipeline,
};
use crate::commands::{Command, WatchOptions};
use crate::model::Locale;
use crate::model::ids::RoleId;
use crate::model::watch::{Hears, Permission, Role};

pub(super) fn define(describe: &Describe) -> CreateCommand {
    let of_pipeline = |path| {
        let sub = subcommand(path, describe);
        which_pipeline(describe).into_iter().fold(sub, CreateCommandOption::add_sub_option)
    };
    let add = of_pipeline("watch add")
        .add_sub_option(which_ends(describe))
        .add_sub_option(option(CommandOptionType::String, "watch add branch", describe))
        .add_sub_option(option(CommandOptionType::Role, "watch add mention", describe))
        .add_sub_option(option(CommandOptionType::Boolean, "watch add mention_starter", describe));
    command("watch", describe)
        .add_option(add)
        .add_option(of_pipeline("watch remove"))
        .add_option(subcommand("watch list", describe))
}

/// Of several texts one is chosen: it has no length of its own.
fn which_ends(describe: &Describe) -> CreateCommandOption {
    let path = "watch add on";
    let plain = bare_option(CommandOptionType::String, path, describe);
    Hears::ALL.into_iter().fold(plain, |option, hears| {
        let path = format!("{path} {}", hears.as_str());
        let others = [Locale::ZhCn, Locale::Ja].map(|locale| (locale.as_str(), describe(&path, locale)));
        option.add_string_choice_localized(describe(&path, Locale::En), hears.as_str(), others)
    })
}

/// `interaction` says what the bot may do in the channel, `member` what the person may.
pub(super) fn read(
    interaction: &CommandInteraction,
    member: &Member,
    options: &[ResolvedOption<'_>],
) -> Result<Command, Unreadable> {
    let (name, options) = used("watch", options)?;
    let pipeline = || Ok((required_text(options, "project")?, required_text(options, "pipeline")?));
    match name {
        "add" => {
            let (project, pipeline) = pipeline()?;
            let may = member.permissions.unwrap_or_else(Permissions::empty);
            Ok(Command::WatchAdd(WatchOptions {
                project,
                pipeline,
                on: hears(options)?,
                branch: text(options, "branch"),
                mention: role(options)?,
                mention_starter: flag(options, "mention_starter"),
                may_mention: may.intersects(Permissions::MENTION_EVERYONE | Permissions::ADMINISTRATOR),
                missing: missing(interaction),
            }))
        }
        "remove" => pipeline().map(|(project, pipeline)| Command::WatchRemove { project, pipeline }),
        "list" => Ok(Command::WatchList),
        other => Err(Unreadable::UnknownCommand(format!("watch {other}"))),
    }
}

fn hears(options: &[ResolvedOption<'_>]) -> Result<Hears, Unreadable> {
    let chosen = text(options, "on").map(|on| Hears::from_text(&on).ok_or(Unreadable::Missing("on")));
    chosen.transpose().map(Option::unwrap_or_default)
}

/// A role that was named and is not described must not be taken for none.
fn role(options: &[ResolvedOption<'_>]) -> Result<Option<Role>, Unreadable> {
    let named = options.iter().find(|option| option.name == "mention");
    let role = named.map(|option| match &option.value {
        ResolvedValue::Role(role) => Ok(Role { id: RoleId(role.id.get()), mentionable: role.mentionable }),
        _ => Err(Unreadable::Missing("mention")),
    });
    role.transpose()
}

/// What the bot may not do in the channel and would have to, to post notices with an embed there (discord-rules 5).
/// `app_permissions` is computed for the channel (discord-rules 1); an administrator may do everything.
fn missing(interaction: &CommandInteraction) -> Vec<Permission> {
    let held = interaction.app_permissions.unwrap_or_else(Permissions::empty);
    if held.contains(Permissions::ADMINISTRATOR) {
        return Vec::new();
    }
    let kind = interaction.channel.as_ref().map(|channel| channel.kind);
    let in_thread =
        matches!(kind, Some(ChannelType::PublicThread | ChannelType::PrivateThread | ChannelType::NewsThread));
    let sending = if in_thread {
        (Permission::SendMessagesInThreads, Permissions::SEND_MESSAGES_IN_THREADS)
    } else {
        (Permission::SendMessages, Permissions::SEND_MESSAGES)
    };
    let needed = [
        (Permission::ViewChannel, Permissions::VIEW_CHANNEL),
        sending,
        (Permission::EmbedLinks, Permissions::EMBED_LINKS),
    ];
    needed.into_iter().filter(|(_, bit)| !held.contains(*bit)).map(|(permission, _)| permission).collect()
}
