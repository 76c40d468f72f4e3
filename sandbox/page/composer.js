// The box that people type into. A text that begins with / becomes a command with a field for each option, as in
// Discord: arrow keys choose, Tab or Enter takes, Enter sends, Escape steps back.

import { at, button, make } from "/dom.js";
import { isFile, known, valueOf, worded } from "/options.js";

const PAUSE_MS = 150;

export function composer(chat) {
  const [text, typed, popup, hint, suggestions] = ["text", "typed", "popup", "hint", "suggestions"].map(at);
  let command = null;
  let fields = [];
  let items = [];
  let active = -1;
  let turn = 0;
  let sending = false;

  // ---- the list above the box ----

  function show(said, list, chosen = list.length ? 0 : -1) {
    items = list;
    hint.textContent = said;
    suggestions.replaceChildren(...list.map((item, index) => {
      const node = make("li", "", make("b", "", item.label), item.detail && make("span", "muted", item.detail));
      node.id = `suggestion-${index}`;
      node.role = "option";
      node.onpointerdown = (event) => {
        event.preventDefault();
        item.take();
      };
      return node;
    }));
    suggestions.hidden = !list.length;
    popup.hidden = !said && !list.length;
    mark(chosen);
  }

  function mark(index) {
    active = index;
    [...suggestions.children].forEach((node, at) => node.setAttribute("aria-selected", String(at === index)));
    suggestions.children[index]?.scrollIntoView({ block: "nearest" });
    const focused = document.activeElement;
    if (focused?.role === "combobox") focused.setAttribute("aria-expanded", String(items.length > 0));
    if (index >= 0) focused?.setAttribute("aria-activedescendant", `suggestion-${index}`);
    else focused?.removeAttribute("aria-activedescendant");
  }

  const hide = () => {
    turn += 1;
    show("", []);
  };

  function refuse(why) {
    at("refused").textContent = why;
    at("refused").hidden = !why;
  }

  // What all boxes have in common: true when the key was for the list.
  function steer(event) {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    const take = event.key === "Enter" || (event.key === "Tab" && !event.shiftKey);
    if (event.isComposing || !items.length || (!step && !(take && active >= 0) && event.key !== "Escape")) return false;
    event.preventDefault();
    if (step) mark((active + step + items.length) % items.length);
    else if (take) items[active].take();
    else show(hint.textContent, []);
    return true;
  }

  function listen(node, otherwise) {
    node.onkeydown = (event) => {
      if (!steer(event)) otherwise(event);
    };
  }

  // ---- plain text ----

  function offerCommands() {
    const word = text.value.slice(1).toLowerCase();
    const all = chat.commands();
    const whole = all.filter((one) => `${text.value} `.startsWith(`/${one.name} `) && text.value.length > one.name.length + 1);
    if (whole.length) return begin(whole[0], text.value.slice(whole[0].name.length + 1));
    const fits = all.filter((one) => one.name.startsWith(word))
      .concat(all.filter((one) => !one.name.startsWith(word) && one.name.includes(word)));
    show(fits.length ? "Commands" : "No such command here", fits.map((one) => ({
      label: `/${one.name}`, detail: one.description, take: () => begin(one),
    })));
  }

  text.oninput = () => {
    refuse("");
    if (text.value.startsWith("/")) offerCommands();
    else hide();
  };
  text.onfocus = text.oninput;
  text.onblur = hide;
  listen(text, () => {});

  // ---- a command ----

  function begin(chosen, rest = "") {
    command = chosen;
    fields = [];
    text.hidden = true;
    typed.hidden = false;
    const name = button("command", `/${command.name}`, leave);
    name.title = "Leave this command";
    typed.replaceChildren(name, more);
    command.options.filter((option) => option.required).forEach(add);
    refresh();
    for (const [, option, quoted, plain] of rest.matchAll(/([\w-]+):(?:"([^"]*)"|(\S+))/gu)) fill(option, quoted ?? plain);
    hide();
    next(typed.querySelector("input") ?? at("send"));
  }

  function reset() {
    command = null;
    fields = [];
    typed.hidden = true;
    typed.replaceChildren();
    text.hidden = false;
    text.value = "";
    refuse("");
    hide();
  }

  function leave() {
    reset();
    text.focus();
    hide();
  }

  const empty = (field) => (field.input.type === "file" ? !field.input.files.length : field.input.value === "");

  // To the next field that must be filled; else stay.
  function next(otherwise) {
    (fields.find((field) => field.option.required && empty(field))?.input ?? otherwise).focus();
  }

  function add(option) {
    const input = make("input");
    const name = worded(option, "name", chat.locale());
    input.type = isFile(option) ? "file" : "text";
    input.name = option.name;
    input.spellcheck = false;
    input.setAttribute("aria-label", `${name}: ${worded(option, "description", chat.locale())}`);
    input.setAttribute("aria-required", String(option.required === true));
    input.setAttribute("aria-controls", "suggestions");
    if (!isFile(option)) input.role = "combobox";
    const node = make("label", "option", make("span", "name", name), input);
    const field = { option, input, node, chosen: null };
    const suggestAnew = () => {
      node.classList.remove("missing");
      input.size = Math.max(input.value.length + 1, 5);
      suggest(field);
    };
    input.oninput = () => {
      field.chosen = null;
      suggestAnew();
    };
    input.onfocus = suggestAnew;
    input.onblur = hide;
    listen(input, (event) => key(event, field));
    fields.push(field);
    typed.insertBefore(node, more);
    return field;
  }

  function key(event, field) {
    if (event.key === "Escape") leave();
    else if (event.key === "Enter") send(event);
    else if (event.key === "Backspace" && empty(field)) back(event, field);
  }

  function back(event, field) {
    event.preventDefault();
    if (field.option.required) return field === fields[0] ? leave() : fields[fields.indexOf(field) - 1].input.focus();
    const before = fields[fields.indexOf(field) - 1];
    fields = fields.filter((one) => one !== field);
    field.node.remove();
    refresh();
    (before?.input ?? more).focus();
  }

  function take(field, { name, value }) {
    field.input.value = name;
    field.input.size = Math.max(name.length + 1, 5);
    field.chosen = { name, value };
    refuse("");
    hide();
    const waiting = fields.find((one) => one.option.required && empty(one));
    if (waiting) waiting.input.focus();
  }

  const offer = (field, list) => list.map((one) => ({ label: one.name, take: () => take(field, one) }));

  async function suggest(field) {
    const { option, input } = field;
    const mine = ++turn;
    const said = `${worded(option, "name", chat.locale())} — ${worded(option, "description", chat.locale())}`;
    if (field.chosen) return show(said, []);
    if (!option.autocomplete) {
      const part = input.value.toLowerCase();
      const list = known(option, chat.directory(), chat.locale()) ?? [];
      return show(said, offer(field, list.filter((one) => one.name.toLowerCase().includes(part))));
    }
    show(`${said} · loading…`, []);
    await new Promise((done) => setTimeout(done, PAUSE_MS));
    if (mine !== turn) return;
    const answer = await chat.complete(command.name, values(), option.name);
    if (mine !== turn) return;
    const list = (answer.choices ?? []).map((one) => ({ name: worded(one, "name", chat.locale()), value: one.value }));
    show(`${said}${answer.refused ? ` · ${answer.refused}` : list.length ? "" : " · nothing fits"}`, offer(field, list));
  }

  // ---- optional options ----

  const more = button("more", "", offerOptions);
  more.onblur = hide;
  listen(more, (event) => {
    if (event.key === "Escape") leave();
  });

  const left = () => command.options.filter((option) => !fields.some((field) => field.option === option));

  function refresh() {
    more.hidden = !left().length;
    more.textContent = `+ ${left().map((option) => worded(option, "name", chat.locale())).join(", ")}`;
  }

  function append(option) {
    const field = add(option);
    refresh();
    return field;
  }

  function offerOptions() {
    more.focus();
    show("Optional", left().map((option) => ({
      label: worded(option, "name", chat.locale()), detail: worded(option, "description", chat.locale()),
      take: () => append(option).input.focus(),
    })));
  }

  function fill(name, value) {
    const option = command.options.find((one) => one.name === name);
    if (!option) return;
    const field = fields.find((one) => one.option === option) ?? append(option);
    const choice = known(option, chat.directory(), chat.locale())?.find((one) => String(one.value) === value || one.name === value);
    field.chosen = choice ?? null;
    field.input.value = choice?.name ?? value;
    field.input.size = Math.max(field.input.value.length + 1, 5);
  }

  // ---- sending ----

  function values() {
    return fields.filter((field) => !empty(field) && !isFile(field.option))
      .map(({ option, input, chosen }) => [option.name, chosen ? chosen.value : valueOf(option, input.value)]);
  }

  async function uploads() {
    const files = fields.filter((field) => !empty(field) && isFile(field.option));
    return Promise.all(files.map(async ({ option, input }) => [option.name, await chat.upload(input.files[0])]));
  }

  async function send(event) {
    event.preventDefault();
    const missing = fields.find((field) => field.option.required && empty(field));
    if (missing) {
      missing.input.focus();
      missing.node.classList.add("missing");
      return refuse(`${missing.option.name} is required`);
    }
    if (sending || (!command && !text.value.trim())) return;
    if (!command && text.value.startsWith("/")) return refuse("There is no such command here");
    sending = true;
    try {
      const why = command
        ? await chat.type(command.name, [...values(), ...await uploads()]) : await chat.say(text.value);
      if (why) refuse(why);
      else leave();
    } finally {
      sending = false;
    }
  }

  at("composer").onsubmit = send;

  return {
    reset,
    // Puts these values into a command, into the one being typed if it has them all.
    fill(name, given) {
      const has = (one) => Object.keys(given).every((key) => one.options.some((option) => option.name === key));
      const wanted = command && has(command) ? command : chat.commands().find((one) => one.name === name);
      if (!wanted) return refuse(`There is no /${name} here`);
      if (wanted !== command) begin(wanted);
      for (const [key, value] of Object.entries(given)) fill(key, value);
      refuse("");
      next(fields.at(-1)?.input ?? at("send"));
      hide();
    },
  };
}
