// A select of the bot's: a button that opens its list. The system's own list would send the first thing that an arrow
// key passes; here the keyboard looks first and chooses by Enter.

import { button, make } from "/dom.js";

let count = 0;

// `choose` is given the value; the list closes when it was sent.
export function listbox({ placeholder, options, disabled }, choose) {
  const list = make("ul", "choices");
  const id = `choices-${++count}`;
  const chosen = options.find((option) => option.default);
  const opener = button("select", chosen?.label ?? placeholder, () => show(list.hidden));
  const node = make("div", "listbox", opener, list);
  let active = -1;
  Object.assign(list, { id, role: "listbox", hidden: true, ariaLabel: placeholder });
  Object.assign(opener, { role: "combobox", disabled: disabled === true, ariaHasPopup: "listbox", ariaExpanded: "false" });
  opener.setAttribute("aria-controls", id);
  if (chosen) opener.ariaLabel = placeholder;

  function mark(index) {
    active = index;
    [...list.children].forEach((item, at) => { item.ariaSelected = String(at === index); });
    list.children[index]?.scrollIntoView({ block: "nearest" });
    if (index >= 0) opener.setAttribute("aria-activedescendant", list.children[index].id);
    else opener.removeAttribute("aria-activedescendant");
  }

  function show(open) {
    list.hidden = !open;
    opener.ariaExpanded = String(open);
    if (open) list.scrollIntoView({ block: "nearest" });
    mark(open ? Math.max(options.indexOf(chosen), 0) : -1);
  }

  async function take(index) {
    show(false);
    if (index < 0) return;
    node.classList.add("busy");
    await choose(options[index].value);
    node.classList.remove("busy");
  }

  list.append(...options.map((option, index) => {
    const item = make("li", "", make("b", "", option.label), option.description && make("span", "muted", option.description));
    Object.assign(item, { id: `${id}-${index}`, role: "option" });
    item.onclick = () => take(index);
    item.onpointermove = () => mark(index);
    return item;
  }));
  // The keyboard stays with the button: without it the list would close before it is clicked.
  list.onmousedown = (event) => event.preventDefault();
  opener.onblur = () => show(false);
  opener.onkeydown = (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (list.hidden && step) show(true);
    else if (list.hidden) return;
    else if (step) mark((active + step + options.length) % options.length);
    else if (event.key === "Home" || event.key === "End") mark(event.key === "Home" ? 0 : options.length - 1);
    else if (event.key === "Enter" || event.key === " ") take(active);
    else if (event.key === "Escape") show(false);
    else return;
    event.preventDefault();
  };
  return node;
}
