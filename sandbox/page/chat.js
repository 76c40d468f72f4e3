// The chat page: what both doubles hold, shown as Discord and BK-CI would, and people who act in it.

import { showBuilds } from "/builds.js";
import { composer } from "/composer.js";
import { at, avatar, button, flash, keep, make } from "/dom.js";
import { openForm } from "/forms.js";
import { showMessages } from "/messages.js";
import { slashCommands, userCommands } from "/options.js";

const LOOK_EVERY_MS = 400;

let state = null;
let channel = null;
let shown = "";
// What was done on this page and not answered yet: a form may still come.
const acts = new Set();

const me = () => document.querySelector("#people input:checked")?.value;
const locale = () => at("locale").value;
const user = (id) => state.discord.users.find((one) => one.id === id);
const nameOf = (one) => one?.global_name ?? one?.username ?? "somebody";

async function post(path, body, headers = { "Content-Type": "application/json" }) {
  const answer = await fetch(path, { method: "POST", headers, body: headers["Content-Type"] ? JSON.stringify(body) : body });
  const text = await answer.text();
  return answer.ok ? { done: text ? JSON.parse(text) : null } : { refused: text };
}

// Acts as the person one is, and answers why that was refused, or nothing.
async function act(path, body) {
  const { done, refused } = await post(path, { user: me(), channel: channel.id, locale: locale(), ...body });
  if (done?.id) acts.add(done.id);
  await look();
  return refused ?? "";
}

const chat = {
  bot: () => state.discord.bot,
  locale,
  names: () => ({
    locale: locale(), me: me(), nowMs: state.discord.now_ms, user: (id) => nameOf(user(id)),
    role: (id) => state.discord.guilds[0].roles.find((one) => one.id === id)?.name ?? "role",
    channel: (id) => state.discord.guilds[0].channels.find((one) => one.id === id)?.name ?? "channel",
  }),
  directory: () => ({
    users: state.discord.users.map((one) => ({ label: nameOf(one), value: one.id })),
    roles: state.discord.guilds[0].roles.map((one) => ({ label: one.name, value: one.id })),
    channels: state.discord.guilds[0].channels.map((one) => ({ label: one.name, value: one.id })),
  }),
  commands: () => slashCommands(state.discord, me(), locale()),
  type: (command, options) => act("/type", { command, options }),
  press: (message, custom_id, values) => act("/press", { message, custom_id, values }),
  dismiss: (message) => act("/dismiss", { message }),
  async complete(command, options, focused) {
    const { done, refused } = await post("/complete", { user: me(), channel: channel.id, locale: locale(), command, options, focused });
    return { choices: done, refused };
  },
  async upload(file) {
    const query = new URLSearchParams({ channel: channel.id, name: file.name });
    return (await post(`/upload?${query}`, file, {})).done?.id ?? "";
  },
  // `@name` is a mention, as it is once Discord's own box has completed it.
  say: (text) => act("/say", {
    content: text.replace(/(?<!\S)@([\w.-]+)/gu, (all, name) => {
      const found = state.discord.users.find((one) => nameOf(one).toLowerCase() === name.toLowerCase());
      return found ? `<@${found.id}>` : all;
    }),
  }),
};

function person({ id, note }, old) {
  const name = nameOf(user(id));
  const input = make("input");
  Object.assign(input, { type: "radio", name: "person", value: id, checked: old?.querySelector("input").checked ?? false });
  const node = make("div", "person", make("label", "", input, avatar(id, name, false), make("span", "who", make("b", "", name), make("small", "muted", note))));
  const apps = make("span", "apps");
  node.append(apps);
  input.onchange = () => {
    box.reset();
    show();
  };
  return node;
}

// Commands on a user: Discord's Apps menu.
function showApps() {
  const commands = userCommands(state.discord, me());
  for (const node of document.querySelectorAll("#people .person")) {
    const target = node.querySelector("input").value;
    keep(node.querySelector(".apps"), commands, (command) => `${me()} ${command}`, (command) =>
      button("small", command, () => act("/use", { command, target })));
  }
}

function showPlaces() {
  const guild = state.discord.guilds[0];
  const seen = guild.channels.filter((one) => one.viewers.includes(me()));
  channel = seen.find((one) => one.id === channel?.id) ?? seen[0];
  at("guild").textContent = guild.name;
  at("channel").textContent = `# ${channel.name}`;
  at("text").placeholder = `Message #${channel.name}, or / for commands`;
  keep(at("channels"), seen.map((one) => ({ ...one, here: one.id === channel.id })), (one) => one.id, (one) => {
    const node = button(one.parent ? "channel thread" : "channel", `${one.parent ? "⤷" : "#"} ${one.name}`, () => {
      channel = one;
      show();
    });
    if (one.here) node.ariaCurrent = "page";
    return make("li", "", node);
  });
}

function showHealth() {
  const { connected, endpoint, violations } = state.discord;
  const online = connected > 0 || endpoint;
  at("presence").textContent = online ? "Reprise is online" : "Reprise is offline";
  at("presence").className = online ? "online" : "offline";
  at("violations").hidden = !violations.length;
  at("violations").textContent = violations.length ? `Discord's rules were broken: ${violations.join(" · ")}` : "";
}

// Whether BK-CI tells the bot by itself, or is only looked at.
function showCallbacks() {
  const box = at("callbacks").firstElementChild;
  box.checked = state.callbacks;
  box.onchange = () => post("/callbacks", { arrive: box.checked }).then(look);
}

function show() {
  showPlaces();
  showCallbacks();
  showApps();
  showHealth();
  showMessages(state.discord, channel, me(), chat);
  showBuilds(state.bkci, { nowMs: state.bkci.now_ms, fill: box.fill, start: (pipeline) => post("/build", { pipeline }).then(look) });
}

function refuse(why) {
  at("refused").textContent = why;
  at("refused").hidden = !why;
}

// Leads to a message, in another channel if it is there.
function jump({ channel: where, message }) {
  const there = state.discord.guilds[0].channels.find((one) => one.id === where && one.viewers.includes(me()));
  if (!there) return refuse("You do not see that channel");
  channel = there;
  show();
  const node = message ? at(`m-${message}`) : null;
  if (message && !node) return refuse("That message is not there any more");
  refuse("");
  if (!node) return;
  flash(node, "found");
  node.scrollIntoView({ block: "center" });
  node.focus({ preventScroll: true });
}

at("messages").addEventListener("click", (event) => {
  const found = event.target.closest("a[data-channel]");
  if (!found || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  jump(found.dataset);
});

function openForms() {
  for (const { id, modal, acknowledged, failed } of state.discord.interactions.filter((one) => acts.has(one.id))) {
    if (acknowledged || failed) acts.delete(id);
    if (modal) openForm(modal, (values) => act("/submit", { opener: id, values }));
  }
}

async function look() {
  const answer = await fetch("/state");
  state = await answer.json();
  const minute = Math.floor(state.discord.now_ms / 60_000);
  const seen = JSON.stringify([{ ...state.discord, now_ms: minute }, { ...state.bkci, now_ms: minute }, state.callbacks]);
  if (seen !== shown) {
    shown = seen;
    show();
  }
  // Not only when something changed: a form may be there before it is known whose it is.
  openForms();
}

state = await (await fetch("/state")).json();
const box = composer(chat);
at("people").append(...state.people.map((one) => person(one)));
at("people").querySelector("input").checked = true;
at("locale").onchange = () => {
  box.reset();
  show();
};
await look();
at("text").focus();
// Somebody may have been faster than these scripts.
at("text").oninput();

// Looks again when the last look is over, however long that took.
async function keepLooking() {
  try {
    await look();
  } catch {
    at("presence").textContent = "The sandbox has ended";
    at("presence").className = "offline";
  }
  setTimeout(keepLooking, LOOK_EVERY_MS);
}
setTimeout(keepLooking, LOOK_EVERY_MS);
