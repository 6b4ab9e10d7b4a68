// One task across updates and runs, and two runs compared task by task.

import { ask } from "./data.js";
import { chart } from "./chart.js";
import { h, num, outcome, place, problem, signed } from "./dom.js";

export async function taskPage({ values, run, runs }) {
  const field = h("input", { type: "text", id: "task", value: values.task ?? "", "aria-label": "Task" });
  const form = h("form", { class: "row", onsubmit: (event) => { event.preventDefault(); location.hash = place("task", { ...values, task: field.value.trim() }).slice(1); } }, h("label", { for: "task", class: "quiet" }, "task"), field, h("button", { type: "submit" }, "Show"));
  const element = h("div", { class: "page" }, h("h1", {}, "One task, everywhere"), form);
  const keys = { "/": ["type a task", () => field.focus()], Escape: ["back", () => history.back()] };
  if (values.task === undefined) {
    const { rows } = await ask("episodes", { run, limit: 200, split: "validation" });
    const tasks = [...new Set(rows.map((card) => card.task))].filter((task) => task !== null).slice(0, 40);
    element.append(tasks.length ? h("div", { class: "card" }, h("p", { class: "quiet" }, "Tasks of the validation split:"), h("div", { class: "row" }, tasks.map((task) => h("a", { class: "tag", href: place("task", { task, run: run || null }) }, String(task))))) : h("p", { class: "empty" }, "Type a task."));
    return { title: "Tasks", element, keys };
  }
  const found = await ask("task", { task: values.task });
  const curves = found.runs.map((each, i) => ({ name: runs[each.run].name, color: `c${i % 6}`, points: means(each.rows.filter((card) => card.stage === "train" && !card.void)), band: null }));
  if (curves.some((curve) => curve.points.length)) element.append(h("div", { class: "grid" }, chart("Mean reward in training, by update", curves, {})));
  element.append(...found.runs.map((each) => h("section", { class: "card scroll-x" }, h("h2", {}, runs[each.run].name, h("span", { class: "quiet small" }, `  ${num(each.total)} episodes`)),
    h("table", {}, h("thead", {}, h("tr", {}, ["#", "stage", "split", "update", "outcome", "reward", "turns", "ended"].map((name) => h("th", { scope: "col" }, name)))),
      h("tbody", {}, each.rows.map((card) => h("tr", {}, h("td", {}, h("a", { href: place("episode", { run: each.run || null, number: card.number }) }, card.number)), h("td", {}, card.stage), h("td", {}, card.split), h("td", {}, num(card.update)), h("td", {}, outcome(card)), h("td", {}, num(card.reward)), h("td", {}, num(card.num_turns)), h("td", {}, card.stop_reason.replaceAll("_", " ")))))))));
  return { title: `Task ${values.task}`, element, keys };
}

function means(cards) {
  const by = new Map();
  for (const card of cards) by.set(card.update, [...(by.get(card.update) || []), card.reward]);
  return [...by].sort((a, b) => a[0] - b[0]).map(([update, rewards]) => [update, rewards.reduce((a, b) => a + b, 0) / rewards.length]);
}

export async function comparePage({ values, runs }) {
  const first = Number(values.first ?? 0), second = Number(values.second ?? 1);
  const choose = (name, said, chosen) => h("label", { class: "row small quiet" }, said, h("select", { onchange: (event) => { location.hash = place("compare", { first, second, [name]: event.target.value }).slice(1); } }, runs.map((run) => h("option", { value: run.run, selected: run.run === chosen }, run.name))));
  const element = h("div", { class: "page" }, h("h1", {}, "Two runs, task by task"), h("div", { class: "row" }, choose("first", "first", first), choose("second", "second", second)));
  try {
    const found = await ask("compare", { first, second });
    element.append(...found.map((each) => compared(each, runs[first], runs[second], first, second)));
  } catch (error) { element.append(problem(error)); }
  return { title: "Compare", element, keys: {} };
}

function compared(each, one, other, first, second) {
  const [low, high] = each.ci95, reach = Math.max(0.1, Math.abs(low), Math.abs(high));
  const at = (value) => `${50 + (50 * value) / reach}%`;
  const said = low > 0 ? `${other.name} succeeds more often.` : high < 0 ? `${other.name} succeeds less often.` : "What differs may be chance.";
  const differing = each.by_task.filter((row) => row.difference !== 0);
  return h("section", { class: "card" },
    h("div", { class: "row spread" }, h("h2", {}, `${each.how}, ${num(each.tasks)} tasks of both`), h("span", { class: "quiet small" }, said)),
    h("div", { class: "row" }, h("div", { class: "facts" }, [[one.name, num(each.first.success[0])], [other.name, num(each.second.success[0])], ["difference", signed(each.difference)], ["95 % interval", `${signed(low)} to ${signed(high)}`]].map(([name, value]) => h("div", { class: "fact" }, h("b", {}, value), h("span", {}, name)))),
      h("div", { class: "interval", role: "img", "aria-label": `difference ${signed(each.difference)}, interval ${signed(low)} to ${signed(high)}` }, h("span", { class: "zero" }), h("span", { class: "span", vars: { left: at(low), width: `${(50 * (high - low)) / reach}%` } }), h("span", { class: "point", vars: { left: at(each.difference) } }))),
    differing.length ? h("details", { open: true }, h("summary", { class: "quiet" }, `${differing.length} ${differing.length === 1 ? "task differs" : "tasks differ"}`), h("table", {}, h("thead", {}, h("tr", {}, ["task", one.name, other.name, "difference"].map((name) => h("th", { scope: "col" }, name)))), h("tbody", {}, differing.slice(0, 100).map((row) => h("tr", {}, h("td", {}, h("a", { href: place("task", { task: row.task }) }, String(row.task))), h("td", {}, num(row.first, 2)), h("td", {}, num(row.second, 2)), h("td", {}, signed(row.difference))))))) : h("p", { class: "quiet" }, "No task differs."),
    each.differences.length ? h("details", {}, h("summary", { class: "quiet" }, "settings that differ"), each.differences.map((line) => h("p", { class: "mono small" }, line))) : null);
}
