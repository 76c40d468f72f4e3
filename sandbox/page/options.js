// The registered commands as a person sees them, and the values that their options take.

const COMMAND = 1;
const USER_COMMAND = 2;
const TYPE = { sub: 1, group: 2, whole: 4, truth: 5, user: 6, channel: 7, role: 8, mentionable: 9, number: 10, file: 11 };
const ADMINISTRATOR = 1n << 3n;

// A name or description in the person's language.
export function worded(thing, key, locale) {
  return thing[`${key}_localizations`]?.[locale] ?? thing[key] ?? "";
}

function offered(command, permissions) {
  const wanted = command.default_member_permissions;
  if (wanted === null || wanted === undefined || (permissions & ADMINISTRATOR) !== 0n) return true;
  return wanted !== "0" && (permissions & BigInt(wanted)) === BigInt(wanted);
}

// Commands of the person's server hide global ones of the same name.
function registered(discord, me, kind) {
  const member = discord.guilds[0].members.find((one) => one.user === me);
  const commands = discord.commands.filter((one) => (one.type ?? COMMAND) === kind)
    .filter((one) => offered(one, BigInt(member?.permissions ?? 0)));
  const own = new Set(commands.filter((one) => one.guild_id).map((one) => one.name));
  return commands.filter((one) => one.guild_id || !own.has(one.name));
}

// `mapping set` is one command for the person who types it.
function leaves(command, name, locale) {
  const options = command.options ?? [];
  const nested = options.filter((one) => one.type === TYPE.sub || one.type === TYPE.group);
  if (!nested.length) return [{ name, options, description: worded(command, "description", locale) }];
  return nested.flatMap((one) => leaves(one, `${name} ${one.name}`, locale));
}

export function slashCommands(discord, me, locale) {
  return registered(discord, me, COMMAND).flatMap((one) => leaves(one, one.name, locale));
}

export function userCommands(discord, me) {
  return registered(discord, me, USER_COMMAND).map((one) => one.name);
}

// What may be chosen for an option without asking the bot; null where anything may be typed.
export function known(option, directory, locale) {
  const { users, roles, channels } = directory;
  if (option.choices?.length) return option.choices.map((one) => ({ name: worded(one, "name", locale), value: one.value }));
  const named = (list) => list.map(({ label, value }) => ({ name: label, value }));
  if (option.type === TYPE.truth) return [{ name: "True", value: true }, { name: "False", value: false }];
  if (option.type === TYPE.user) return named(users);
  if (option.type === TYPE.channel) return named(channels);
  if (option.type === TYPE.role) return named(roles);
  if (option.type === TYPE.mentionable) return named([...users, ...roles]);
  return null;
}

export const isFile = (option) => option.type === TYPE.file;

// Typed text as a value of the option's type; the double refuses what does not fit.
export function valueOf(option, text) {
  const number = option.type === TYPE.whole || option.type === TYPE.number;
  return number && text.trim() !== "" && Number.isFinite(Number(text)) ? Number(text) : text;
}
