// Where answers come from: the server of this page, or the page itself where it was written as one file.

import { filtered, searched } from "./local.js";

const held = document.getElementById("data");
const inline = held === null ? null : JSON.parse(held.textContent);

export const isLive = inline === null;

export async function ask(view, values = {}, signal = undefined) {
  const given = Object.entries(values).filter(([, value]) => value !== null && value !== undefined && value !== "");
  if (inline !== null) return answered(view, Object.fromEntries(given));
  const reply = await fetch(`api/${view}?${new URLSearchParams(given)}`, { signal });
  if (reply.headers.get("content-type") !== "application/json") throw new Error(`${view}: the server said ${reply.status}`);
  const found = await reply.json();
  if (!reply.ok) throw new Error(found.error);
  return found;
}

export function image(run, digest) {
  return inline === null ? `media/${run}/${digest}` : inline.media[digest] || "";
}

function answered(view, values) {
  const run = Number(values.run || 0);
  if (view === "episodes") return filtered(inline.episodes[run], values);
  if (view === "search") return searched(inline.episodes[run], inline.answers, values);
  if (view === "task") return { task: values.task, runs: inline.episodes.map((cards, place) => { const rows = cards.filter((card) => String(card.task) === values.task); return { run: place, total: rows.length, rows }; }) };
  if (view === "group" || view === "tree") values = { ...values, number: inline.first[run][values.number] ?? values.number };
  const key = name(view, { ...values, run });
  const found = inline.answers[key];
  if (found === undefined) throw new Error("this is not in the file; open the run itself: agentgym view RUN");
  return sliced(view, found, values);
}

function name(view, values) {
  if (view === "episode" || view === "tokens" || view === "tree" || view === "group") return `${view}/${values.run}/${values.number}`;
  if (view === "runs" || view === "pulse" || view === "compare") return view;
  return `${view}/${values.run}`;
}

function sliced(view, found, values) {
  if (view === "groups" && values.taught !== undefined) {
    const rows = found.rows.filter((row) => String(row.taught) === String(values.taught));
    return { ...found, rows };
  }
  if (view !== "episode" && view !== "tokens") return found;
  const first = Number(values.first || 0), end = first + Number(values.num || 20);
  const turns = found.turns.filter((turn) => turn.turn >= first && turn.turn < end);
  return { ...found, first, turns, end: view === "episode" && end >= found.card.num_turns ? found.end : null };
}
