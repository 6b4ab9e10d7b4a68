// Tokens, colored by one of the things that are known of them.

import { fill, h, num } from "./dom.js";

// name → [label, what a token is worth (null: it has none), ramp, needs]
export const COLORS = {
  none: ["plain text"],
  probability: ["probability", (t, i) => t.mask[i] ? 1 - Math.exp(t.logprobs[i]) : null, ["likely", "unlikely", "ramp-up", "--low"]],
  logprob: ["log-probability", (t, i) => t.mask[i] ? Math.min(1, -t.logprobs[i] / 6) : null, ["0", "−6", "ramp-up", "--low"]],
  gap: ["behavior gap", (t, i) => t.mask[i] && t.gap ? clamp(-t.gap[i] / 2) : null, ["less likely now", "more likely now", "ramp-two"], "scored"],
  entropy: ["entropy", (t, i) => t.mask[i] && t.entropy ? Math.min(1, t.entropy[i] / 3) : null, ["0", "3 nats", "ramp-up", "--low"], "scored"],
  advantage: ["advantage", (t, i, most) => t.mask[i] && t.advantage !== null ? clamp(t.advantage / most) : null, ["worse than the group", "better", "ramp-two"]],
  mask: ["loss mask", (t, i) => (t.mask[i] ? 1 : 0), ["not learned", "sampled by the policy", "ramp-mask", "--cold"]],
  version: ["policy version", (t, i, most, versions) => t.mask[i] ? (versions.length < 2 ? 1 : versions.indexOf(t.versions[i]) / (versions.length - 1)) : null, ["oldest", "newest", "ramp-version", "--version"]],
};

function clamp(value) {
  return Math.max(-1, Math.min(1, value));
}

// A strip of one turn. `scale` is what all turns of the episode have in common: {most, versions}.
export function strip(turn, color, { prompt, most, versions }, readout) {
  const [, worth, ramp] = COLORS[color];
  const parts = [];
  if (turn.left_out && prompt) parts.push(h("span", { class: "quiet" }, `… ${num(turn.left_out)} tokens before … `));
  turn.ids.forEach((id, i) => {
    if (!turn.mask[i] && !prompt && color !== "mask") return;
    const word = turn.words === null ? `${id} ` : turn.words[i];
    const share = worth(turn, i, most, versions);
    const to = share === null ? null : ramp[3] || (share < 0 ? "--low" : "--high");
    const made = h("span", { class: `token ${share === null ? "" : "one"} ${turn.mask[i] ? "" : "prompt"}`, vars: share === null ? {} : { "--share": Math.abs(share).toFixed(3), "--to": `var(${to})` } }, shownWord(word));
    made.addEventListener("pointerenter", () => fill(readout, told(turn, i, word)));
    parts.push(made);
  });
  return h("div", { class: "strip" }, parts);
}

function shownWord(word) {
  if (!word.includes("\n")) return word;
  return word.split(/(\n)/).map((part) => (part === "\n" ? [h("span", { class: "newline", "aria-hidden": "true" }, "⏎"), "\n"] : part));
}

function told(turn, i, word) {
  const facts = [`${JSON.stringify(word)}  id ${turn.ids[i]}`];
  if (!turn.mask[i]) return `${facts[0]}  not sampled`;
  facts.push(`p ${num(Math.exp(turn.logprobs[i]))}`, `log p ${num(turn.logprobs[i])}`, `version ${turn.versions[i]}`);
  if (turn.advantage !== null) facts.push(`advantage ${num(turn.advantage)}`);
  if (turn.entropy) facts.push(`entropy ${num(turn.entropy[i])}`, `gap ${num(turn.gap[i])}`);
  return facts.join("  ");
}

export function legend(color) {
  const ramp = COLORS[color][2];
  if (!ramp) return null;
  return h("span", { class: "scale" }, ramp[0], h("i", { class: ramp[2], "aria-hidden": "true" }), ramp[1]);
}

export function scaleOf(turns) {
  const most = Math.max(1e-9, ...turns.map((turn) => Math.abs(turn.advantage ?? 0)));
  const versions = [...new Set(turns.flatMap((turn) => turn.versions.filter((_, i) => turn.mask[i])))].sort((a, b) => a - b);
  return { most, versions };
}
