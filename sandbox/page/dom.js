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
  // First what is gone: nothing that stays is moved then, and so keeps the keyboard.
  const keys = new Set(items.map(key));
  for (const [id, { node }] of before) if (!keys.has(id)) node.remove();
  items.forEach((item, index) => {
    const [id, text] = [key(item), JSON.stringify(item)];
    const old = before.get(id);
    const node = old?.text === text ? old.node : render(item, old?.node);
    list.kept.set(id, { text, node });
    if (old && old.node !== node) replace(old.node, node);
    if (list.children[index] !== node) list.insertBefore(node, list.children[index] ?? null);
  });
}

function replace(old, node) {
  const held = document.activeElement;
  const focused = old.contains(held);
  old.replaceWith(node);
  if (!focused) return;
  // The keyboard goes to the same button or to none of a message's: a second Enter must not press another one.
  const all = [...node.querySelectorAll("button:enabled, a, select, summary")];
  const same = all.find((one) => one.textContent === held.textContent);
  (same ?? node.closest(".message") ?? all[0] ?? node).focus();
}

const FLASH_MS = 1600;

// Marks a node for a moment, anew if it is marked already.
export function flash(node, mark) {
  clearTimeout(node.flashing);
  node.classList.remove(mark);
  // Without a look at it the browser would not notice.
  node.getBoundingClientRect();
  node.classList.add(mark);
  node.flashing = setTimeout(() => node.classList.remove(mark), FLASH_MS);
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
