// The world of BK-CI beside the chat: pipelines, their builds, and what each stage, job and task of them does.

import { ago, at, button, keep, make } from "/dom.js";

const SIGNS = {
  SUCCEED: "✓", FAILED: "✗", TERMINATE: "✗", CANCELED: "⊘", SKIP: "»", RUNNING: "▸", PREPARE_ENV: "▸", QUEUE: "…",
  REVIEWING: "❙❙", PAUSE: "❙❙", STAGE_SUCCESS: "✓",
};

const kind = (status) => {
  if (!status || status === "UNEXEC") return "none";
  if (["SUCCEED", "STAGE_SUCCESS"].includes(status)) return "good";
  if (["RUNNING", "PREPARE_ENV", "QUEUE", "REVIEWING", "PAUSE"].includes(status)) return "going";
  return ["CANCELED", "SKIP"].includes(status) ? "none" : "bad";
};

const WORDS = { SUCCEED: "succeeded", QUEUE: "queued", CANCELED: "cancelled", SKIP: "skipped", UNEXEC: "not reached" };
const word = (status) => (status ? WORDS[status] ?? status.replaceAll("_", " ").toLowerCase() : "not reached");

function sign(status) {
  const node = make("span", `sign ${kind(status)}`, SIGNS[status] ?? (kind(status) === "bad" ? "✗" : "·"));
  node.title = word(status);
  node.role = "img";
  node.ariaLabel = word(status);
  return node;
}

function task(data) {
  const seconds = data.end_ms ? Math.round((data.end_ms - data.start_ms) / 1000) : 0;
  const took = data.end_ms && data.start_ms ? make("span", "took", `${seconds} s`) : null;
  const node = make("li", "task", sign(data.status), make("span", "name", data.name), took);
  node.title = data.id;
  if (data.error) node.append(make("div", "error", data.error));
  return node;
}

function job(data) {
  const parts = data.children.length ? data.children.map(job) : data.tasks.map(task);
  return make("li", "job", make("div", "title", sign(data.status), data.name), make("ul", "", ...parts));
}

function stage(data) {
  return make("li", "stage", make("div", "title", sign(data.status), make("b", "", data.name), make("span", "muted", data.id)),
    make("ul", "", ...data.jobs.map(job)));
}

function build(item, old, world) {
  const { data, pipeline, project } = item;
  const state = make("span", `state ${kind(data.status)}`, word(data.status));
  const head = make("summary", "", sign(data.status), make("b", "", `${pipeline.name} #${data.number}`), state);
  const started = ago(data.start_ms ?? data.queue_ms, world.nowMs, "en");
  const facts = `attempt ${data.execute_count} · ${data.start_users[0] ?? data.starter} · ${started}`;
  const fill = button("small", "Retry…", () => world.fill("retry", { project, pipeline: pipeline.id, build: data.id }));
  fill.ariaLabel = `Fill /retry with ${pipeline.name} #${data.number}`;
  const node = make("details", "build", head, data.message && make("p", "said", data.message), make("p", "muted", facts),
    make("p", "id", make("code", "", data.id), fill), make("ul", "stages", ...data.stages.slice(1).map(stage)));
  node.dataset.build = data.id;
  node.open = old ? old.open : kind(data.status) === "bad";
  return node;
}

function pipeline(item, old, world) {
  const { data, project } = item;
  const node = old ?? make("section", "pipeline");
  if (!old) {
    const start = button("small", "New failing build", () => world.start(data.id));
    node.append(make("h3", "", `${project} / ${data.name}`, start), make("p", "id", make("code", "", data.id)),
      make("div", "builds"));
  }
  keep(node.lastElementChild, data.builds.map((one) => ({ data: one, pipeline: { id: data.id, name: data.name }, project, minute: item.minute })),
    (one) => one.data.id, (one, before) => build(one, before, world));
  return node;
}

// `world` carries nowMs, fills a command and starts builds.
export function showBuilds(bkci, world) {
  const minute = Math.floor(world.nowMs / 60_000);
  const items = bkci.projects.flatMap((project) => project.pipelines.map((data) => ({ data, project: project.name, minute })));
  keep(at("pipelines"), items, (item) => item.data.id, (item, old) => pipeline(item, old, world));
}
