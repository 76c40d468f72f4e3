// Discord's Markdown, as far as messages of bots use it. What a stranger wrote must look here as it would look there,
// so whatever Discord would turn into something else is turned into something else.

import { ago, make } from "/dom.js";

const token = new RegExp([
  /\\([^\w\s])/, // escaped
  /```(?:\w*\n)?([^]*?)\n?```\n?/, // block of code; the ends of lines around it are part of it
  /`([^`]+)`/, // code
  /\*\*((?:\\.|[^*]|\*(?!\*))+)\*\*/, // bold
  /__((?:\\.|[^_]|_(?!_))+)__/, // underlined
  /~~((?:\\.|[^~])+)~~/, // struck
  /\*((?:\\.|[^*\s])(?:(?:\\.|[^*])*(?:\\.|[^*\s]))?)\*/, // italic
  /(?<!\w)_((?:\\.|[^_])+)_(?!\w)/, // italic
  /\|\|([^]+?)\|\|/, // spoiler
  /\[((?:\\.|[^\]\\])+)\]\((https?:\/\/[^\s)]+)\)/, // masked link
  /<(https?:\/\/[^\s>]+)>|(https?:\/\/[^\s<>)]+)/, // link
  /<@!?(\d+)>|<@&(\d+)>|<#(\d+)>/, // mentions
  /<t:(-?\d+)(?::([tTdDfFR]))?>/, // moment
  /(@everyone|@here)/,
].map((one) => one.source).join("|"), "gu");

const moments = {
  t: { timeStyle: "short" }, T: { timeStyle: "medium" }, d: { dateStyle: "short" }, D: { dateStyle: "long" },
  f: { dateStyle: "long", timeStyle: "short" }, F: { dateStyle: "full", timeStyle: "short" },
};

const message = /^https:\/\/(?:\w+\.)?discord\.com\/channels\/\d+\/(\d+)(?:\/(\d+))?\/?$/u;

// The address of a message leads there on this page.
export function link(label, address) {
  const node = make("a", "", label);
  node.href = address;
  node.rel = "noreferrer";
  const [, channel, id] = address.match(message) ?? [];
  if (channel) Object.assign(node.dataset, { channel, message: id ?? "" });
  else node.target = "_blank";
  return node;
}

// As Discord words an address that stands by itself.
function bareLink(address, names) {
  const [, channel, id] = address.match(message) ?? [];
  return link(channel ? `#${names.channel(channel)}${id ? " › 💬" : ""}` : address, address);
}

function moment(seconds, style, names) {
  const ms = Number(seconds) * 1000;
  if (style === "R") return make("span", "moment", ago(ms, names.nowMs, names.locale));
  return make("span", "moment", new Date(ms).toLocaleString(names.locale, moments[style ?? "f"]));
}

function node(found, names) {
  const [, escaped, block, code, bold, underlined, struck, star, underscore, spoiler, label, masked, angled, bare,
    user, role, channel, seconds, style, everyone] = found;
  const inner = (tag, text) => make(tag, "", inline(text, names));
  if (escaped !== undefined) return escaped;
  if (block !== undefined) return make("pre", "", make("code", "", block));
  if (code !== undefined) return make("code", "", code);
  if (bold !== undefined) return inner("b", bold);
  if (underlined !== undefined) return inner("u", underlined);
  if (struck !== undefined) return inner("s", struck);
  if (star !== undefined || underscore !== undefined) return inner("i", star ?? underscore);
  if (spoiler !== undefined) return make("span", "spoiler", inline(spoiler, names));
  if (masked !== undefined) return link(inline(label, names), masked);
  if (angled !== undefined || bare !== undefined) return bareLink(angled ?? bare, names);
  if (user !== undefined) return make("span", `mention${user === names.me ? " me" : ""}`, `@${names.user(user)}`);
  if (role !== undefined) return make("span", "mention", `@${names.role(role)}`);
  if (channel !== undefined) return make("span", "mention", `#${names.channel(channel)}`);
  if (seconds !== undefined) return moment(seconds, style, names);
  return make("span", "mention", everyone);
}

function inline(text, names) {
  const out = document.createDocumentFragment();
  let from = 0;
  for (const found of text.matchAll(token)) {
    out.append(text.slice(from, found.index), node(found, names));
    from = found.index + found[0].length;
  }
  out.append(text.slice(from));
  return out;
}

const lines = [
  [/^(#{1,3}) (.+)$/u, (found, names) => make("strong", `heading h${found[1].length}`, inline(found[2], names))],
  [/^-# (.+)$/u, (found, names) => make("small", "heading", inline(found[1], names))],
  [/^> (.+)$/u, (found, names) => make("q", "", inline(found[1], names))],
  [/^\s*[-*] (.+)$/u, (found, names) => make("span", "item", inline(found[1], names))],
];

// `names` resolves mentions: user, role, channel; and carries locale and nowMs.
export function markdown(text, names) {
  if (text.includes("```")) return inline(text, names);
  const out = document.createDocumentFragment();
  text.split("\n").forEach((line, index) => {
    const special = lines.map(([shape, build]) => [line.match(shape), build]).find(([found]) => found);
    if (special) return out.append(special[1](special[0], names));
    if (index > 0) out.append("\n");
    out.append(inline(line, names));
  });
  return out;
}
