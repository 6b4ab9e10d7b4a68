// What can be done without a pointer. A page says what its own keys do; these are everybody's.

import { fill, h } from "./dom.js";

const EVERYWHERE = { g: "go to: then r runs, c curves, e episodes, o groups, t trees", "?": "show this" };
const GOALS = { r: "runs", c: "curves", e: "episodes", o: "groups", t: "trees" };
let goes = false;

export function press(event, shown) {
  const typing = event.target.matches("input, select, textarea") && event.target.type !== "checkbox";
  if (event.key === "Escape" && typing) { event.target.blur(); document.getElementById("main").focus(); return; }
  if (typing || event.ctrlKey || event.metaKey || event.altKey || document.getElementById("keys").open) return;
  if (goes && event.key in GOALS) { goes = false; const run = new URLSearchParams(location.hash.split("?")[1]).get("run"); location.hash = `#/${GOALS[event.key]}${run ? `?run=${run}` : ""}`; return; }
  goes = event.key === "g";
  if (event.key === "?") { event.preventDefault(); helped(shown); return; }
  const found = shown && shown.keys && shown.keys[event.key];
  if (!found || (event.key === "Enter" && event.target.matches("button, a"))) return;
  event.preventDefault();
  found[1]();
}

export function helped(shown) {
  const dialog = document.getElementById("keys");
  const own = Object.entries((shown && shown.keys) || {}).filter(([, [said]]) => said).map(([key, [said]]) => [key, said]);
  const rows = [...own, ...Object.entries(EVERYWHERE)];
  fill(dialog, h("h2", { id: "keys-title" }, "Keys"),
    h("dl", { class: "keys" }, rows.map(([key, said]) => [h("dt", {}, h("kbd", {}, { Escape: "esc", Enter: "enter", ArrowDown: "↓" }[key] || key)), h("dd", {}, said)])),
    h("button", { type: "button", onclick: () => dialog.close() }, "Close"));
  dialog.showModal();
}
