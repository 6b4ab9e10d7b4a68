// The frame: which page is shown, of which run, in which colors, and what is new.

import { ask, isLive } from "./data.js";
import { fill, h, place, problem } from "./dom.js";
import { comparePage, taskPage } from "./tasks.js";
import { episodePage } from "./episode.js";
import { episodesPage } from "./episodes.js";
import { groupPage, groupsPage } from "./groups.js";
import { helped, press } from "./keys.js";
import { curvesPage, runsPage } from "./runs.js";
import { treePage, treesPage } from "./trees.js";

const EVERY = 2000; // milliseconds between two looks at what is new
const PAGES = {
  runs: runsPage, curves: curvesPage, episodes: episodesPage, episode: episodePage, groups: groupsPage, group: groupPage,
  trees: treesPage, tree: treePage, task: taskPage, compare: comparePage,
};
const NAV = [["runs", "Runs"], ["curves", "Curves"], ["episodes", "Episodes"], ["groups", "Groups"], ["trees", "Trees"], ["task", "Tasks"], ["compare", "Compare"]];
const PARTS = { episode: "episodes", group: "groups", tree: "trees" };

const main = document.getElementById("main"), choice = document.getElementById("run"), live = document.getElementById("live");
let runs = [], shown = null, seen = "", turn = 0;

export function whereabouts() {
  const [path, query] = location.hash.replace(/^#\/?/, "").split("?");
  const values = Object.fromEntries(new URLSearchParams(query || ""));
  const name = path in PAGES ? path : runs.length > 1 ? "runs" : "curves";
  return { name, values, run: Number(values.run || 0) };
}

async function show() {
  const here = whereabouts(), own = ++turn;
  if (shown && shown.leave) shown.leave();
  shown = null;
  draw(here);
  try {
    const made = await PAGES[here.name]({ ...here, runs });
    if (own !== turn) return;
    shown = made;
    fill(main, made.element);
    main.dataset.shown = location.hash;
    document.title = `${made.title} · agentgym`;
    if (made.ready) made.ready();
  } catch (error) {
    if (own === turn) fill(main, h("div", { class: "page" }, problem(error)));
  }
}

function draw(here) {
  const links = NAV.filter(([name]) => name !== "compare" || runs.length > 1);
  const current = PARTS[here.name] || here.name;
  const keep = (name) => (["runs", "compare"].includes(name) || here.run === 0 ? {} : { run: here.run });
  fill(document.getElementById("nav"), links.map(([name, text]) => h("a", { href: place(name, keep(name)), "aria-current": name === current ? "page" : null }, text)));
  fill(choice, runs.map((run) => h("option", { value: run.run, selected: run.run === here.run }, run.name)));
  document.querySelector(".run-choice").hidden = runs.length < 2;
  const run = runs[here.run];
  const on = isLive && runs.some((each) => each.going_on);
  live.className = on ? "live on" : "live";
  fill(live, !isLive ? "a file" : on ? "training" : run && run.finished ? "finished" : "");
}

async function look() {
  if (document.hidden) return;
  const found = JSON.stringify(await ask("pulse"));
  if (found === seen) return;
  const isFirst = seen === "";
  seen = found;
  if (isFirst) return;
  runs = await ask("runs");
  draw(whereabouts());
  if (shown && shown.refresh) await shown.refresh();
}

function theme(name) {
  document.documentElement.dataset.theme = name;
}

function switched() {
  const name = document.documentElement.dataset.theme === "dark" ? "light" : "dark";
  theme(name);
  try { localStorage.setItem("agentgym-theme", name); } catch { /* a file may not keep anything */ }
}

function remembered() {
  try { return localStorage.getItem("agentgym-theme"); } catch { return null; }
}

async function begin() {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  theme(remembered() || (dark.matches ? "dark" : "light"));
  dark.addEventListener("change", () => { if (!remembered()) theme(dark.matches ? "dark" : "light"); });
  document.getElementById("theme").addEventListener("click", switched);
  document.getElementById("help").addEventListener("click", () => helped(shown));
  document.getElementById("skip").addEventListener("click", (event) => { event.preventDefault(); main.focus(); });
  document.addEventListener("keydown", (event) => press(event, shown));
  choice.addEventListener("change", () => {
    const here = whereabouts(), name = PARTS[here.name] || here.name;
    location.hash = place(name, { run: choice.value }).slice(1);
  });
  try {
    runs = await ask("runs");
  } catch (error) {
    fill(main, h("div", { class: "page" }, problem(error)));
    return;
  }
  addEventListener("hashchange", show);
  await show();
  if (!isLive) return;
  await look();
  setInterval(() => look().catch(() => { live.className = "live"; fill(live, "the server is gone"); }), EVERY);
}

begin();
