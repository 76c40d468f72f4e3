// The chat page: what both doubles hold, shown as Discord and BK-CI would, and a box that types commands.
// Every text is put into the page as text, never as HTML.

const at = (id) => document.getElementById(id);
let state = null;
let shown = "";

const make = (tag, className, ...children) => {
  const node = document.createElement(tag);
  if (className) node.className = className;
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
};

const nameOf = (id) => state.discord.users.find((user) => user.id === id)?.username ?? "Reprise";

// As much of Discord's Markdown as the bot uses: escapes, bold, inline code, mentions, moments.
function markdown(text) {
  const out = document.createDocumentFragment();
  const token = /\\([^\w\s])|\*\*((?:\\.|[^*])+)\*\*|`([^`]*)`|<@(\d+)>|<t:(\d+):\w>/gu;
  let from = 0;
  for (const found of text.matchAll(token)) {
    out.append(text.slice(from, found.index));
    const [all, escaped, bold, code, user, seconds] = found;
    if (escaped) out.append(escaped);
    else if (bold !== undefined) out.append(make("b", "", markdown(bold)));
    else if (code !== undefined) out.append(make("code", "", code));
    else if (user) out.append(make("span", "mention", `@${nameOf(user)}`));
    else out.append(new Date(Number(seconds) * 1000).toLocaleString());
    from = found.index + all.length;
  }
  out.append(text.slice(from));
  return out;
}

function embed(data) {
  const box = make("div", "embed");
  if (data.color) box.style.borderLeftColor = `#${data.color.toString(16).padStart(6, "0")}`;
  if (data.title) box.append(make("h3", "", markdown(data.title)));
  if (data.description) box.append(make("p", "", markdown(data.description)));
  const fields = (data.fields ?? []).map((field) =>
    make("div", field.inline ? "" : "wide", make("b", "", markdown(field.name)), markdown(field.value)));
  if (fields.length) box.append(make("div", "fields", ...fields));
  return box;
}

function row(message, components) {
  const buttons = components.map((component) => {
    if (component.url) {
      const link = make("a", "", component.label);
      link.href = component.url;
      link.rel = "noreferrer";
      return link;
    }
    const button = make("button", "", component.label ?? component.placeholder ?? "…");
    button.type = "button";
    button.onclick = () => post("/press", { user: at("person").value, message: message.id, custom_id: component.custom_id });
    return button;
  });
  return make("div", "row", ...buttons);
}

function message(data) {
  const used = data.used && make("div", "used", `${nameOf(data.used.user)} used /${data.used.name}`);
  const author = make("div", "author", nameOf(data.author.id));
  if (data.author.id === state.discord.bot) author.append(make("span", "bot", "APP"));
  const node = make("li", data.viewer ? "private" : "", used, author);
  if (data.thinking) node.append(make("div", "thinking", data.expired ? "The application did not respond" : "Reprise is thinking…"));
  if (data.content) node.append(make("div", "", markdown(data.content)));
  node.append(...data.embeds.map(embed), ...data.components.map((line) => row(data, line.components)));
  if (data.edits > 0) node.append(make("span", "only", "(edited) "));
  if (data.viewer) node.append(make("div", "only", "Only you can see this"));
  return node;
}

function failed(interaction) {
  const used = make("div", "used", `${nameOf(interaction.user)} used /${interaction.name}`);
  return make("li", "private", used, make("div", "thinking", interaction.failed));
}

const word = (status) => make("span", `state ${status ?? "none"}`, status ?? "–");

function build(data, pipeline, project) {
  const fill = make("button", "", "use");
  fill.type = "button";
  fill.title = "Fill this build into the command";
  fill.onclick = () => {
    for (const [name, value] of Object.entries({ project, pipeline: pipeline.id, build: data.id })) {
      const input = document.querySelector(`#options input[name="${name}"]`);
      if (input) input.value = value;
    }
  };
  const node = make("div", "build", word(data.status), make("b", "", `${pipeline.name} #${data.number} `), fill,
    make("div", "only", `attempt ${data.execute_count} · ${data.start_users[0] ?? ""}`), make("code", "", data.id));
  for (const stage of data.stages.slice(1)) {
    node.append(make("div", "stage", word(stage.status), `${stage.name} (${stage.id})`));
    for (const task of stage.jobs.flatMap((job) => job.tasks)) node.append(make("div", "task", word(task.status), task.name));
  }
  return node;
}

// The commands as people type them: `mapping set` is one.
function typed(commands) {
  return commands.filter((command) => (command.type ?? 1) === 1).flatMap((command) => {
    const subs = (command.options ?? []).filter((option) => option.type === 1);
    if (!subs.length) return [{ name: command.name, options: command.options ?? [], description: command.description }];
    return subs.map((sub) => ({ name: `${command.name} ${sub.name}`, options: sub.options ?? [], description: sub.description }));
  });
}

function fillCommands() {
  const commands = typed(state.discord.commands);
  const box = at("command");
  const names = commands.map((command) => command.name).join();
  if (box.dataset.names === names) return;
  box.dataset.names = names;
  box.replaceChildren(...commands.map((command) => make("option", "", `/${command.name}`)));
  box.value = "/retry";
  fillOptions();
}

function fillOptions() {
  const chosen = typed(state.discord.commands).find((command) => `/${command.name}` === at("command").value);
  at("options").replaceChildren(...(chosen?.options ?? []).map((option) => {
    const input = option.type === 6 ? make("select", "", ...state.discord.users.map((user) => {
      const one = make("option", "", user.username);
      one.value = user.id;
      return one;
    })) : make("input");
    input.name = option.name;
    input.required = option.required === true;
    input.title = option.description;
    return make("label", "", option.required ? `${option.name} *` : option.name, input);
  }));
}

function show() {
  const me = at("person").value;
  const channel = state.discord.guilds[0].channels[0];
  at("channel").textContent = channel.name;
  const messages = state.discord.messages.filter((data) => data.channel_id === channel.id && (!data.viewer || data.viewer === me));
  const lost = state.discord.interactions.filter((interaction) => interaction.failed && interaction.user === me);
  const list = at("messages");
  list.replaceChildren(...messages.map(message), ...lost.map(failed));
  list.scrollTop = list.scrollHeight;
  const builds = state.bkci.projects.flatMap((project) => project.pipelines.flatMap((pipeline) =>
    pipeline.builds.map((data) => build(data, pipeline, project.name))));
  at("builds").replaceChildren(...builds);
  fillCommands();
}

async function refresh() {
  const answer = await fetch("/state");
  const text = await answer.text();
  const next = JSON.parse(text);
  const seen = JSON.stringify([{ ...next.discord, now_ms: 0 }, { ...next.bkci, now_ms: 0 }, at("person").value]);
  state = next;
  if (!at("person").options.length) {
    const people = state.discord.users.filter((user) => !user.bot && state.people[user.id]);
    const mapped = (user) => Number(state.people[user.id].startsWith("a mapped"));
    people.sort((one, other) => mapped(other) - mapped(one));
    at("person").replaceChildren(...people.map((user) => {
      const one = make("option", "", `${user.username} (${state.people[user.id]})`);
      one.value = user.id;
      return one;
    }));
  }
  if (seen !== shown) {
    shown = seen;
    show();
  }
}

async function post(path, body) {
  const answer = await fetch(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
  at("refused").textContent = answer.ok ? "" : await answer.text();
  await refresh();
}

at("command").onchange = fillOptions;
at("person").onchange = refresh;
at("box").onsubmit = (event) => {
  event.preventDefault();
  const options = [...document.querySelectorAll("#options input, #options select")].filter((input) => input.value !== "")
    .map((input) => [input.name, input.value]);
  post("/type", { user: at("person").value, command: at("command").value.slice(1), locale: at("locale").value, options });
};

await refresh();
setInterval(refresh, 500);
