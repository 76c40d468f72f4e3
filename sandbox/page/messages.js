// What was said, as Discord shows it: answers with who used what, embeds, buttons, selects, private answers.

import { at, avatar, button, clock, keep, make } from "/dom.js";
import { markdown } from "/markdown.js";

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
    const link = make("a", "button link", label, make("span", "out", " ↗"));
    link.href = component.url;
    link.rel = "noreferrer";
    link.target = "_blank";
    return link;
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
  const node = make("select", "select");
  const many = (component.max_values ?? 1) > 1;
  node.multiple = many;
  node.disabled = component.disabled === true;
  node.ariaLabel = component.placeholder ?? "Make a selection";
  if (!many) {
    const empty = new Option(node.ariaLabel, "", true, !component.options?.some((option) => option.default));
    empty.disabled = true;
    empty.hidden = true;
    node.append(empty);
  }
  for (const { label, value, description, default: chosen } of choices(component, chat)) {
    node.append(new Option(description ? `${label} — ${description}` : label, value, chosen === true, chosen === true));
  }
  const send = () => chat.press(message.id, component.custom_id, [...node.selectedOptions].map((option) => option.value));
  if (!many) {
    node.onchange = send;
    return node;
  }
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

function render(data, chat) {
  const names = chat.names();
  const name = data.author.global_name ?? data.author.username;
  const head = make("div", "author", make("b", "", name));
  if (data.author.bot) head.append(make("span", "app", "APP"));
  const time = make("time", "", clock(data.created_ms, names.locale));
  time.dateTime = new Date(data.created_ms).toISOString();
  head.append(time);
  const body = make("div", "body", head);
  if (data.thinking) body.append(thinking(data, name));
  if (data.content) body.append(make("div", "content", markdown(data.content, names)));
  body.append(...data.embeds.map((one) => embed(one, names)));
  body.append(...data.attachments.map((file) => make("div", "file", "📄 ", make("b", "", file.filename), ` ${file.size} bytes`)));
  body.append(...data.components.map((one) => component(one, data, chat)));
  if (data.edits > 0) body.append(make("span", "muted", "(edited)"));
  if (data.viewer) {
    body.append(make("div", "only", "Only you can see this · ", button("plain", "Dismiss message", () => chat.dismiss(data.id))));
  }
  const node = make("li", data.viewer ? "message private" : "message");
  if (data.used) node.append(used(data.used, chat));
  node.append(avatar(data.author.id, name, data.author.bot), body);
  node.tabIndex = -1;
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
  keep(list, all, (data) => `${channel.id} ${me} ${data.id}`, (data) => (data.lost ? lost(data, chat) : render(data, chat)));
  list.classList.toggle("empty", all.length === 0);
  if (atEnd || before === 0) list.scrollTop = list.scrollHeight;
}
