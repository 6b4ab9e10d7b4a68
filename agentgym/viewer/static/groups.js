// Groups, the members of one side by side, and why there was no gradient.

import { ask } from "./data.js";
import { fill, h, num, outcome, place, tag } from "./dom.js";

export async function groupsPage({ run, values }) {
  const body = h("div", { class: "page" }), asked = { ...values };
  let rows = [], next = 0;
  async function draw() {
    const [gradient, page] = await Promise.all([ask("gradient", { run }), ask("groups", { run, taught: asked.taught, update: asked.update })]);
    ({ rows, next } = page);
    const list = h("tbody", {}, rows.map((row) => line(row, run)));
    const more = h("button", { type: "button", hidden: next === null, onclick: async () => {
      const got = await ask("groups", { run, taught: asked.taught, update: asked.update, offset: next });
      next = got.next; more.hidden = next === null; list.append(...got.rows.map((row) => line(row, run)));
    } }, "Show more groups");
    const choose = (value, said) => h("button", { type: "button", "aria-pressed": String((asked.taught ?? "") === value), onclick: () => { if (value === "") delete asked.taught; else asked.taught = value; history.replaceState(null, "", place("groups", asked)); draw(); } }, said);
    fill(body, h("h1", {}, "Groups"), fates(gradient, run, asked, draw),
      h("div", { class: "row", role: "group", "aria-label": "Which groups" }, choose("", "all"), choose("false", "no gradient"), choose("true", "taught something"), asked.update ? h("button", { type: "button", onclick: () => { delete asked.update; draw(); } }, `update ${asked.update} ✕`) : null),
      rows.length ? h("div", { class: "card scroll-x" }, h("table", {}, h("thead", {}, h("tr", {}, ["group", "update", "task", "rewards", "successes", "fate", "why no gradient"].map((name) => h("th", { scope: "col" }, name)))), list)) : h("p", { class: "empty" }, "There is no such group of training."), more);
  }
  await draw();
  return { title: "Groups", element: body, refresh: draw, keys: {} };
}

function fates({ updates, all }, run, asked, draw) {
  if (updates.length === 0) return null;
  const total = Object.values(all).reduce((a, b) => a + b, 0);
  const told = Object.entries(all).map(([name, many]) => tag(`${name} ${num(many)} (${num((100 * many) / total, 0)} %)`, name === "trained" ? "good" : "warn"));
  const first = (fate) => Object.entries(fate).sort((a, b) => (b[0] === "trained") - (a[0] === "trained") || b[1] - a[1]);
  const rows = updates.slice(-12).reverse().map((each) => {
    const many = Object.values(each.fates).reduce((a, b) => a + b, 0);
    return h("tr", {}, h("td", {}, h("button", { type: "button", class: "small", onclick: () => { asked.update = each.update; draw(); } }, `update ${each.update}`)),
      h("td", {}, h("div", { class: "fates", role: "img", "aria-label": first(each.fates).map((pair) => pair.join(" ")).join(", ") }, first(each.fates).map(([name, count]) => h("i", { class: name === "trained" ? "trained" : "", vars: { width: `${(100 * count) / many}%` } })))),
      h("td", {}, first(each.fates).map((pair) => pair.join(" ")).join(", ")), h("td", { class: "num" }, each.clip_fraction === undefined ? "–" : `${num(100 * each.clip_fraction, 1)} %`), h("td", { class: "num" }, num(each.group_deviation)), h("td", { class: "num" }, num(each.grad_norm)));
  });
  return h("section", { class: "card" }, h("h2", {}, "What became of the tasks of training"), h("div", { class: "row" }, told),
    h("div", { class: "scroll-x" }, h("table", {}, h("thead", {}, h("tr", {}, ["update", "fates", "", "clipped tokens", "spread of rewards", "gradient"].map((name, i) => h("th", { scope: "col", class: i > 2 ? "num" : null }, name)))), h("tbody", {}, rows))));
}

function line(row, run) {
  const most = Math.max(1e-9, ...row.rewards.map((value) => Math.abs(value ?? 0)));
  return h("tr", {},
    h("td", {}, h("a", { href: place("group", { run: run || null, number: row.number }) }, row.group_id)), h("td", {}, num(row.update)), h("td", {}, row.task === null ? "–" : String(row.task)),
    h("td", {}, h("div", { class: "bars", role: "img", "aria-label": `rewards ${row.rewards.map((value) => (value === null ? "void" : num(value, 2))).join(", ")}` }, row.rewards.map((value) => h("i", value === null ? { class: "void" } : { vars: { height: `${2 + (28 * Math.abs(value)) / most}px` } })))),
    h("td", {}, `${row.successes} of ${row.num}`), h("td", {}, row.fate === null ? "–" : tag(row.fate, row.fate === "trained" ? "good" : "warn")),
    h("td", {}, row.why.map((each) => h("div", {}, tag(each.reason, row.taught ? "" : "warn"), h("span", { class: "quiet small" }, ` ${each.detail}`)))));
}

export async function groupPage({ run, values }) {
  const found = await ask("group", { run, number: values.number });
  const episodes = await Promise.all(found.members.slice(0, 16).map((card) => ask("episode", { run, number: card.number, num: 30 }).catch(() => null)));
  const element = h("div", { class: "page" },
    h("div", { class: "row" }, h("h1", {}, `Group ${found.group_id}`), found.update === null ? null : tag(`update ${found.update}`), found.fate ? tag(found.fate, found.fate === "trained" ? "good" : "warn") : null, found.branched ? h("a", { href: place("tree", { run: run || null, number: values.number }) }, "as a tree") : null, h("a", { href: place("task", { task: found.task, run: run || null }) }, `task ${found.task}`)),
    found.why.length ? h("div", { class: "card" }, h("h2", {}, found.taught ? "It taught something; beside that" : "Why no gradient"), found.why.map((each) => h("p", {}, tag(each.reason, found.taught ? "" : "warn"), ` ${each.detail}`))) : null,
    h("div", { class: "sides", tabindex: 0, role: "region", "aria-label": "Members side by side" }, found.members.slice(0, 16).map((card, i) => side(card, episodes[i], run))));
  return { title: `Group ${found.group_id}`, element, keys: { Escape: ["back", () => history.back()] } };
}

function side(card, episode, run) {
  return h("section", { class: "card side" },
    h("div", { class: "row spread" }, h("h3", {}, h("a", { href: place("episode", { run: run || null, number: card.number }) }, card.episode_id)), outcome(card)),
    h("div", { class: "row small quiet" }, [`reward ${num(card.reward)}`, `${card.num_turns} turns`, card.stop_reason.replaceAll("_", " ")].map((text) => h("span", {}, text))),
    card.error ? h("p", { class: "problem small" }, card.error) : null,
    (episode ? episode.turns : []).map((turn) => h("div", {}, h("div", { class: "small quiet" }, `${turn.turn + 1}  `, turn.reward ? `reward ${num(turn.reward, 2)}` : ""), h("div", { class: "said reply", vars: { "margin-left": 0 } }, h("p", { class: "words" }, turn.reply.slice(0, 1200))), turn.error ? h("p", { class: "small quiet" }, turn.error.slice(0, 300)) : null)));
}
