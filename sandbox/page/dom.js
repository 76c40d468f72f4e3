// Making and keeping nodes. Every text goes into the page as text, never as HTML.

export const at = (id) => document.getElementById(id);

export function make(tag, className, ...children) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  node.append(...children.filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

export function button(className, label, act) {
  const node = make("button", className, label);
  node.type = "button";
  node.onclick = act;
  return node;
}

// Shows `items` in `list`, and leaves the nodes alone whose item did not change: focus, selection and what was opened
// stay. `render` is also given the node that it replaces.
export function keep(list, items, key, render) {
  const before = list.kept ?? new Map();
  list.kept = new Map();
  items.forEach((item, index) => {
    const [id, text] = [key(item), JSON.stringify(item)];
    const old = before.get(id);
    const node = old?.text === text ? old.node : render(item, old?.node);
    list.kept.set(id, { text, node });
    if (old && old.node !== node) replace(old.node, node);
    if (list.children[index] !== node) list.insertBefore(node, list.children[index] ?? null);
  });
  while (list.children.length > items.length) list.lastElementChild.remove();
}

function replace(old, node) {
  const focused = old.contains(document.activeElement);
  old.replaceWith(node);
  if (focused) (node.querySelector("button:enabled, a, select, summary") ?? node).focus();
}

// A person's picture: their initial on a colour of their own.
export function avatar(id, name, bot) {
  const node = make("span", "avatar", bot ? "↻" : name.slice(0, 1).toUpperCase());
  node.ariaHidden = "true";
  const hues = [210, 155, 35, 280, 340, 95];
  node.style.background = bot ? "#5865f2" : `hsl(${hues[Number(BigInt(id) % BigInt(hues.length))]} 42% 42%)`;
  return node;
}

const relative = [["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1]];

export function ago(fromMs, nowMs, locale) {
  const seconds = Math.round((fromMs - nowMs) / 1000);
  const [unit, size] = relative.find(([, size]) => Math.abs(seconds) >= size) ?? relative[3];
  return new Intl.RelativeTimeFormat(locale, { numeric: "auto" }).format(Math.round(seconds / size), unit);
}

export function clock(ms, locale) {
  return new Date(ms).toLocaleTimeString(locale, { hour: "numeric", minute: "2-digit" });
}
