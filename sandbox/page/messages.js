// What was said, as Discord shows it: answers with who used what, embeds, buttons, selects, private answers, pings.
// A message that is edited stays the same node: only the parts that changed are made anew.

import { at, avatar, button, clock, flash, keep, make } from "/dom.js";
import { link, markdown } from "/markdown.js";
import { listbox } from "/select.js";

const COMPONENTS = { row: 1, button: 2, options: 3, users: 5, roles: 6, mentionables: 7, channels: 8 };
const STYLES = { 1: "primary", 2: "secondary", 3: "success", 4: "danger", 5: "link" };

function embed(data, names) {
  const box = make("div", "embed");
  if (data.color) box.style.borderLeftColor = `#${data.color.toString(16).padStart(6, "0")}`;
  const text = (tag, className, value) => value && box.append(make(tag, className, markdown(value, names)));
  text("div", "by", data.author?.name);
  text("h3", "", data.title);
  text("p", "", data.description);
  const fields = (data.fields ?? []).map((field) => make("div", field.inline ? "" : "wide",
    make("b", "", markdown(field.name, names)), make("div", "", markdown(field.value, names))));
  if (fields.length) box.append(make("div", "fields", ...fields));
  text("footer", "", data.footer?.text);
  return box;
}

function pressable(component, message, chat) {
  const label = [component.emoji?.name, component.label].filter(Boolean).join(" ");
  if (component.url) {
    const node = link(label, component.url);
    node.className = "button link";
    node.append(make("span", "out", " ↗"));
    return node;
  }
  const node = button(`button ${STYLES[component.style]}`, label, () => {
    node.classList.add("busy");
    chat.press(message.id, component.custom_id, []).finally(() => node.classList.remove("busy"));
  });
  node.disabled = component.disabled === true;
  return node;
}

function choices(component, chat) {
  const { users, roles, channels } = chat.directory();
  if (component.type === COMPONENTS.options) return component.options;
  if (component.type === COMPONENTS.users) return users;
  if (component.type === COMPONENTS.roles) return roles;
  if (component.type === COMPONENTS.channels) return channels;
  return [...users, ...roles];
}

// One choice is sent as it is made; several are sent by a button of their own.
function select(component, message, chat) {
  const placeholder = component.placeholder ?? "Make a selection";
  const options = choices(component, chat);
  if ((component.max_values ?? 1) <= 1) {
    return listbox({ placeholder, options, disabled: component.disabled },
      (value) => chat.press(message.id, component.custom_id, [value]));
  }
  const node = make("select", "select");
  Object.assign(node, { multiple: true, disabled: component.disabled === true, ariaLabel: placeholder });
  for (const { label, value, description, default: chosen } of options) {
    node.append(new Option(description ? `${label} — ${description}` : label, value, chosen === true, chosen === true));
  }
  const send = () => chat.press(message.id, component.custom_id, [...node.selectedOptions].map((option) => option.value));
  return make("span", "many", node, button("button secondary", "Choose", send));
}

function component(data, message, chat) {
  if (data.type === COMPONENTS.row) return make("div", "row", ...data.components.map((one) => component(one, message, chat)));
  if (data.type === COMPONENTS.button) return pressable(data, message, chat);
  if (data.type >= COMPONENTS.options && data.type <= COMPONENTS.channels) return select(data, message, chat);
  const inner = (data.components ?? []).concat(data.accessory ?? []).map((one) => component(one, message, chat));
  return make("div", "block", data.content && markdown(data.content, chat.names()), ...inner);
}

function used(data, chat) {
  const name = chat.names().user(data.user);
  const what = data.kind === 2 ? make("span", "command", `/${data.name}`) : make("span", "command", "a button or form");
  return make("div", "used", avatar(data.user, name, false), make("b", "", name), " used ", what);
}

function thinking(data, name) {
  if (data.expired) return make("div", "failed", "The application did not respond");
  return make("div", "thinking", make("span", "dots", "●●●"), `${name} is thinking…`);
}

function head(data, name, names) {
  const time = make("time", "", clock(data.created_ms, names.locale));
  time.dateTime = new Date(data.created_ms).toISOString();
  return make("div", "author", make("b", "", name), data.author.bot && make("span", "app", "APP"), time);
}

// Whom a new message called, by name or by role.
function pinged({ users, roles, everyone }, names) {
  const called = users.map(names.user).concat(roles.map(names.role)).concat(everyone ? ["everyone"] : []);
  return make("div", "pinged", "Pinged ", ...called.map((one) => make("span", "mention", `@${one}`)));
}

// Without the numbers that Discord gives: they move when anything before is added or left out.
const shape = (part) => JSON.stringify(part, (key, value) => (key === "id" ? undefined : value));

// The parts of a message with what each is made of.
function* parts(data, chat) {
  const names = chat.names();
  const name = data.author.global_name ?? data.author.username;
  yield ["head", [name, names.locale], () => head(data, name, names)];
  if (data.thinking) yield ["thinking", data.expired, () => thinking(data, name)];
  if (data.content) yield ["content", data.content, () => make("div", "content", markdown(data.content, names))];
  for (const [index, one] of data.embeds.entries()) yield [`embed ${index}`, one, () => embed(one, names)];
  for (const file of data.attachments) {
    yield [`file ${file.id}`, file, () => make("div", "file", "📄 ", make("b", "", file.filename), ` ${file.size} bytes`)];
  }
  for (const [index, one] of data.components.entries()) yield [`row ${index}`, shape(one), () => component(one, data, chat)];
  if (data.pinged.users.length || data.pinged.roles.length || data.pinged.everyone) {
    yield ["pinged", data.pinged, () => pinged(data.pinged, names)];
  }
  if (data.edits > 0) {
    const times = data.edits > 1 ? `edited ${data.edits} times` : "edited";
    yield ["edited", data.edits, () => make("span", "muted edited", `(${times})`)];
  }
  if (data.viewer) {
    yield ["only", 0, () => make("div", "only", "Only you can see this · ",
      button("plain", "Dismiss message", () => chat.dismiss(data.id)))];
  }
}

function render(data, chat, me, old) {
  const name = data.author.global_name ?? data.author.username;
  const node = old ?? make("li", "message", data.used && used(data.used, chat),
    avatar(data.author.id, name, data.author.bot), make("div", "body"));
  node.id = `m-${data.id}`;
  node.tabIndex = -1;
  node.classList.toggle("private", Boolean(data.viewer));
  node.classList.toggle("calls", data.pinged.people.includes(me));
  const shown = [...parts(data, chat)].map(([key, from, build]) => ({ key, from, build }));
  keep(node.querySelector(":scope > .body"), shown, (part) => part.key, (part) => part.build());
  if (old && data.edits > Number(old.dataset.edits)) flash(node, "changed");
  node.dataset.edits = data.edits;
  return node;
}

// An interaction that nobody answered: only who acted sees it.
function lost(data, chat) {
  const name = chat.names().user(data.user);
  const note = make("div", "body", make("div", "failed", `⚠ ${data.failed}`),
    make("div", "only", "Only you can see this"));
  return make("li", "message private", used(data, chat), avatar(chat.bot(), "", true), note);
}

const AUTOCOMPLETE = 4;

export function showMessages(discord, channel, me, chat) {
  const messages = discord.messages
    .filter((data) => data.channel_id === channel.id && (!data.viewer || data.viewer === me));
  const unanswered = discord.interactions
    .filter((data) => data.failed && data.kind !== AUTOCOMPLETE && data.user === me && data.channel === channel.id)
    .map((data) => ({ ...data, lost: true }));
  const all = [...messages, ...unanswered].sort((one, other) => one.created_ms - other.created_ms);
  const list = at("messages");
  const atEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 40;
  const before = list.children.length;
  keep(list, all, (data) => `${channel.id} ${me} ${data.id}`, (data, old) => (data.lost ? lost(data, chat) : render(data, chat, me, old)));
  list.classList.toggle("empty", all.length === 0);
  // What somebody looks for stays in view until they scroll on.
  if (before === 0 || (atEnd && !list.querySelector(".found"))) list.scrollTop = list.scrollHeight;
}
