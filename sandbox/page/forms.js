// Forms that the bot opens (modals), as a dialog that keeps the keyboard inside.

import { button, make } from "/dom.js";

const PARAGRAPH = 2;
const LABEL = 18;
const TEXT = 10;
const OPTIONS = 3;

function input(data) {
  if (data.type === OPTIONS) {
    const options = data.options.map((one) => new Option(one.label, one.value, one.default, one.default));
    return Object.assign(make("select", "", ...options), { name: data.custom_id });
  }
  const node = make(data.style === PARAGRAPH ? "textarea" : "input");
  return Object.assign(node, {
    name: data.custom_id, value: data.value ?? "", placeholder: data.placeholder ?? "", required: data.required !== false,
    maxLength: data.max_length ?? 4000, minLength: data.min_length ?? 0,
  });
}

function field(row) {
  if (row.type === TEXT) return make("p", "", row.content);
  const data = row.type === LABEL ? row.component : row.components[0];
  const label = row.type === LABEL ? row.label : data.label;
  const required = data.required === false ? null : make("span", "required", " *");
  return make("label", "", make("span", "", label, required), row.description && make("small", "muted", row.description), input(data));
}

// Opens the form; `submit` is given the values and answers why they were refused, or nothing.
export function openForm(modal, submit) {
  const refused = make("p", "refused");
  refused.role = "alert";
  const close = button("button secondary", "Cancel", () => dialog.close());
  const done = make("button", "button primary", "Submit");
  const form = make("form", "", make("h2", "", modal.title), ...modal.components.map(field), refused,
    make("div", "row", close, done));
  const dialog = make("dialog", "", form);
  dialog.ariaLabel = modal.title;
  dialog.onclose = () => dialog.remove();
  form.onsubmit = async (event) => {
    event.preventDefault();
    const why = await submit([...new FormData(form)]);
    refused.textContent = why;
    if (!why) dialog.close();
  };
  document.body.append(dialog);
  dialog.showModal();
}
