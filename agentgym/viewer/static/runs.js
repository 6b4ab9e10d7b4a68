// Runs side by side, and the curves of one.

import { ask } from "./data.js";
import { chart } from "./chart.js";
import { fill, h, num, place, tag } from "./dom.js";

const PANELS = [
  ["success", "Success", [0, 1]], ["reward", "Reward", null], ["sampled_entropy", "Entropy of what was sampled, nats", null],
  ["informative_groups", "Groups that teach something", [0, 1]], ["loss", "Loss", null], ["clip_fraction", "Clipped tokens, share", null],
  ["grad_norm", "Norm of the gradient", null], ["forward_kl", "KL(base ‖ policy), nats a token", null], ["turns", "Turns an episode", null],
  ["reply_tokens", "Reply tokens an episode", null], ["invalid", "Actions without effect, share", null], ["level", "Level of the curriculum", null],
];
const SIDES = { Training: ["train", "validation"], "Warm start": ["warm_start", "warm_start_validation"] };
const COLORS = { train: "c0", validation: "c1", warm_start: "c2", warm_start_validation: "c3" };

export async function runsPage({ runs }) {
  const body = h("div", { class: "page" });
  async function draw(found) {
    const overlay = found.length > 1 ? await overlaid(found) : null;
    fill(body, h("h1", {}, "Runs"), overlay, h("div", { class: "card scroll-x" }, table(found)));
  }
  await draw(runs);
  return { title: "Runs", element: body, refresh: async () => draw(await ask("runs")), keys: {} };
}

function table(runs) {
  const head = ["run", "environment", "trainer", "model", "seed", "update", "success", "reward", "episodes", "alarms", ""];
  return h("table", {},
    h("thead", {}, h("tr", {}, head.map((name, place) => h("th", { scope: "col", class: place > 3 && place < 10 ? "num" : null }, name)))),
    h("tbody", {}, runs.map((run) => h("tr", {},
      h("td", {}, h("a", { href: place("curves", { run: run.run }) }, run.name)), h("td", {}, run.env || "–"), h("td", {}, run.trainer || "–"), h("td", {}, run.model || "–"),
      [run.seed, run.update].map((value) => h("td", { class: "num" }, num(value))), [run.success, run.reward].map((value) => h("td", { class: "num" }, num(value))),
      [run.episodes, run.alarms].map((value) => h("td", { class: "num" }, num(value))),
      h("td", {}, run.going_on ? tag("training", "accent") : run.finished ? tag("finished", "good") : tag(run.is_run ? "stopped" : "episodes")),
    ))));
}

async function overlaid(runs) {
  const curves = await Promise.all(runs.filter((run) => run.is_run).map(async (run, place) => {
    const { stages } = await ask("curves", { run: run.run });
    return { name: run.name, color: `c${place % 6}`, points: (stages.validation || {}).success || [], band: null };
  }));
  return h("div", { class: "grid" }, chart("Success on validation tasks", curves, { unit: [0, 1] }));
}

export async function curvesPage({ run, runs, values }) {
  let side = values.stage || "Training", all = values.all === "true";
  const body = h("div", { class: "page" });
  async function draw() {
    const [{ stages, alarms }, { config, report }] = await Promise.all([ask("curves", { run }), ask("report", { run })]);
    if (values.stage === undefined && !stages.train && stages.warm_start) side = "Warm start";
    const names = new Set(SIDES[side].flatMap((stage) => Object.keys(stages[stage] || {})));
    const told = PANELS.filter(([name]) => names.has(name));
    const others = [...names].filter((name) => !PANELS.some((panel) => panel[0] === name) && !/_(low|high|error)$/.test(name)).sort();
    const panels = all ? [...told, ...others.map((name) => [name, name.replaceAll("_", " "), null])] : told;
    const is_empty = panels.length === 0 ? h("p", { class: "empty" }, "Nothing was logged of this yet.") : null;
    fill(body, summary(await ask("runs"), run, config, report),
      h("div", { class: "row spread" },
        h("div", { class: "row", role: "group", "aria-label": "Part of the run" }, Object.keys(SIDES).map((name) => h("button", { type: "button", "aria-pressed": String(name === side), onclick: () => { side = name; values.stage = name; draw(); } }, name))),
        h("label", { class: "check small" }, h("input", { type: "checkbox", checked: all, onchange: (event) => { all = event.target.checked; draw(); } }), `all ${names.size} metrics`)),
      h("div", { class: "grid" }, panels.map(([name, title, unit]) => chart(title, SIDES[side].map((stage) => curve(stages[stage] || {}, stage, name)), { unit, alarms: side === "Training" ? alarms : [] }))),
      is_empty, alarmed(alarms));
  }
  await draw();
  return { title: (runs[run] || {}).name || "Curves", element: body, refresh: draw, keys: {} };
}

function curve(metrics, stage, name) {
  const low = metrics[`${name}_low`], high = metrics[`${name}_high`];
  const band = low && high ? low.map(([x, y], i) => [x, y, high[i] ? high[i][1] : y]) : null;
  return { name: stage.replaceAll("_", " "), color: COLORS[stage], points: metrics[name] || [], band };
}

function summary(runs, run, config, report) {
  const own = runs[run] || {}, evaluated = (report && report.eval) || {};
  const tested = (when) => (evaluated[when] ? `${num(evaluated[when].success)}` : null);
  const facts = [
    ["environment", own.env], ["trainer", own.trainer], ["model", own.model], ["seed", own.seed],
    ["updates", own.update === null ? null : own.updates ? `${own.update} of ${own.updates}` : own.update], ["episodes", own.episodes === undefined ? null : num(own.episodes)],
    ["test success, before", tested("before")], ["test success, after", tested("after")], ["seconds", report ? num(report.wall_seconds, 1) : null],
  ].filter(([, value]) => value !== null && value !== undefined);
  return h("div", { class: "card" },
    h("div", { class: "row spread" }, h("h1", {}, own.name), h("span", { class: "quiet small mono" }, own.path)),
    h("div", { class: "facts" }, facts.map(([name, value]) => h("div", { class: "fact" }, h("b", {}, String(value)), h("span", {}, name)))));
}

function alarmed(alarms) {
  if (alarms.length === 0) return null;
  return h("section", { class: "card" }, h("h2", {}, "Alarms"), h("table", {}, h("tbody", {}, alarms.map((alarm) => h("tr", {},
    h("td", {}, tag(alarm.name.replaceAll("_", " "), "bad")), h("td", { class: "num" }, `update ${alarm.update}`), h("td", {}, `${alarm.metric} ${num(alarm.value)}, bound ${num(alarm.threshold)}`), h("td", {}, alarm.advice))))));
}
