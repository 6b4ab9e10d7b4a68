// Trees of lines, to walk: a box is a stretch without a branch.

import { ask } from "./data.js";
import { fill, h, num, place, s, tag } from "./dom.js";

const WIDTH = 230, HEIGHT = 62, GAP = 54, ROW = 76, MARGIN = 18;

export async function treesPage({ run }) {
  const body = h("div", { class: "page" });
  async function draw() {
    const { total, rows } = await ask("trees", { run });
    fill(body, h("div", { class: "row spread" }, h("h1", {}, "Trees"), h("span", { class: "quiet" }, `${num(total)} groups branched`)),
      rows.length ? h("div", { class: "card scroll-x" }, h("table", {}, h("thead", {}, h("tr", {}, ["group", "stage", "update", "task", "lines", "branched off", "successes", "best reward"].map((name) => h("th", { scope: "col" }, name)))),
        h("tbody", {}, rows.map((row) => h("tr", {}, h("td", {}, h("a", { href: place("tree", { run: run || null, number: row.number }) }, row.group_id)), [row.stage, row.update, row.task, row.lines, row.branched, row.successes].map((value) => h("td", {}, value === null ? "–" : String(value))), h("td", {}, num(row.best, 2)))))))
        : h("p", { class: "empty" }, "No line of this run branched off another one. A search makes trees: agentgym train --search mcts"));
  }
  await draw();
  return { title: "Trees", element: body, refresh: draw, keys: {} };
}

export async function treePage({ run, values }) {
  const found = await ask("tree", { run, number: values.number });
  const { boxes } = found, children = boxes.map((_, place) => boxes.map((box, i) => [box, i]).filter(([box]) => box.parent === place).map(([, i]) => i));
  const known = boxes.map((box) => box.value).filter((value) => value !== null), low = Math.min(...known), high = Math.max(...known);
  const width = 2 * MARGIN + (Math.max(...boxes.map((box) => box.column)) + 1) * (WIDTH + GAP) - GAP, height = 2 * MARGIN + (Math.max(...boxes.map((box) => box.row)) + 1) * ROW;
  const x = (box) => MARGIN + box.column * (WIDTH + GAP), y = (box) => MARGIN + box.row * ROW;
  const aside = h("aside", { class: "card", "aria-live": "polite" });
  let at = 0;
  const buttons = boxes.map((box, i) => h("button", { type: "button", class: `box ${box.is_best ? "best" : ""} ${box.is_void ? "void" : ""}`, tabindex: i ? -1 : 0, "aria-pressed": "false", vars: { left: `${x(box)}px`, top: `${y(box)}px`, "--share": box.value === null || high === low ? 0 : (box.value - low) / (high - low) }, onclick: () => go(i) },
    h("span", { class: "first" }, box.said), h("span", { class: "quiet" }, box.worth || " "), h("span", {}, box.ends.map((end) => end.text).join("; "))));
  const canvas = h("div", { class: "canvas", tabindex: -1, role: "group", "aria-label": "The tree" },
    s("svg", { width, height, "aria-hidden": "true" }, boxes.filter((box) => box.parent !== null).map((box) => { const from = boxes[box.parent], x0 = x(from) + WIDTH, y0 = y(from) + HEIGHT / 2, x1 = x(box), y1 = y(box) + HEIGHT / 2, middle = (x0 + x1) / 2; return s("path", { class: `edge ${box.is_best ? "best" : ""}`, d: `M${x0} ${y0}C${middle} ${y0} ${middle} ${y1} ${x1} ${y1}` }); })), buttons);

  function go(to, focuses = true) {
    if (to === undefined || to === null || to < 0) return;
    buttons[at].setAttribute("aria-pressed", "false"); buttons[at].tabIndex = -1;
    at = to;
    buttons[at].setAttribute("aria-pressed", "true"); buttons[at].tabIndex = 0;
    if (focuses) { buttons[at].focus({ preventScroll: true }); buttons[at].scrollIntoView({ block: "nearest", inline: "nearest" }); }
    told(boxes[at]);
  }

  function told(box) {
    fill(aside, h("h2", {}, box.turns.length ? `${box.turns.length} ${box.turns.length === 1 ? "turn" : "turns"}` : found.title), box.worth ? h("p", {}, tag(box.worth, "accent")) : null,
      box.turns.map((turn) => h("div", {}, h("div", { class: "said" }, h("div", { class: "who" }, "environment"), h("p", { class: "words" }, turn.observation)), h("div", { class: "said reply", vars: { "margin-left": 0 } }, h("div", { class: "who" }, "policy"), h("p", { class: "words" }, turn.reply)))),
      box.ends.map((end) => h("p", {}, h("a", { href: place("episode", { run: run || null, number: end.number }) }, end.text))),
      box.see ? h("p", {}, h("a", { href: place("episode", { run: run || null, number: box.see.number, turn: box.see.turn }) }, "see it in its episode")) : null);
  }

  function sibling(by) {
    const column = boxes.map((box, i) => [box, i]).filter(([box]) => box.column === boxes[at].column).sort((a, b) => a[0].row - b[0].row).map(([, i]) => i);
    return column[column.indexOf(at) + by];
  }

  const element = h("div", { class: "page full" }, h("div", { class: "row spread" }, h("h1", {}, `Tree ${found.group_id}`), h("span", { class: "quiet small" }, found.title)), h("div", { class: "walk" }, canvas, aside));
  const moves = { ArrowRight: () => go(children[at][0]), ArrowLeft: () => go(boxes[at].parent), ArrowDown: () => go(sibling(1)), ArrowUp: () => go(sibling(-1)) };
  return {
    title: `Tree ${found.group_id}`, element, ready: () => go(0),
    keys: {
      l: ["to the first branch (or →)", moves.ArrowRight], h: ["back to where it branched (or ←)", moves.ArrowLeft], j: ["down (or ↓)", moves.ArrowDown], k: ["up (or ↑)", moves.ArrowUp],
      ArrowRight: ["", moves.ArrowRight], ArrowLeft: ["", moves.ArrowLeft], ArrowDown: ["", moves.ArrowDown], ArrowUp: ["", moves.ArrowUp],
      e: ["open the episode there", () => { const see = boxes[at].see; if (see) location.hash = place("episode", { run: run || null, number: see.number, turn: see.turn }).slice(1); }],
      Escape: ["back", () => history.back()],
    },
  };
}
