// An episode as a conversation, with its tokens.

import { ask, image, isLive } from "./data.js";
import { fill, h, num, outcome, place, problem, signed, tag } from "./dom.js";
import { COLORS, legend, scaleOf, strip } from "./tokens.js";

const PAGE = 20;
let color = "none", prompt = false; // as it was chosen last

export async function episodePage({ run, runs, values }) {
  const number = Number(values.number), from = Number(values.turn || 0);
  const known = { first: Math.floor(from / PAGE) * PAGE, next: 0, at: from, turns: new Map(), tokens: new Map() };
  const got = await ask("episode", { run, number, first: known.first, num: PAGE });
  const list = h("div", { class: "turns" }), readout = h("div", { class: "readout token-readout", "aria-live": "off" });
  const trouble = h("div"), scale = h("span");
  const more = h("button", { type: "button", onclick: () => onward() }, "Show more turns");
  const earlier = h("button", { type: "button", onclick: () => backward(), hidden: known.first === 0 }, "Show earlier turns");
  const { card } = got;
  let watcher = null;

  function take(page) {
    for (const turn of page.turns) known.turns.set(turn.turn, { turn, element: drawn(turn, page) });
    known.next = Math.max(known.next, page.first + page.turns.length);
    const inOrder = [...known.turns.keys()].sort((a, b) => a - b).map((key) => known.turns.get(key).element);
    fill(list, inOrder, page.end ? ending(page.end, card) : list.querySelector(".ending"));
    more.hidden = known.next >= card.num_turns;
    if (!more.hidden) fill(more, `Show more turns: ${num(card.num_turns - known.next)} are left`);
    mark();
  }

  async function onward() {
    if (known.next >= card.num_turns || known.busy) return;
    known.busy = true;
    try { take(await ask("episode", { run, number, first: known.next, num: PAGE })); await paint(); } finally { known.busy = false; }
  }

  async function backward() {
    known.first = Math.max(0, known.first - PAGE);
    earlier.hidden = known.first === 0;
    take(await ask("episode", { run, number, first: known.first, num: PAGE }));
    await paint();
  }

  async function paint() {
    fill(trouble); fill(scale, legend(color));
    if (color === "none") { for (const { element, turn } of known.turns.values()) fill(element.querySelector(".reply-words"), words(turn, "reply", run, number)); return; }
    const asked = color, isScored = COLORS[asked][3] === "scored";
    if (isScored) fill(trouble, h("p", { class: "quiet small" }, "asking the policy that the run kept …"));
    const wanted = [...known.turns.keys()].filter((key) => !known.tokens.has(`${key}/${isScored}`));
    try {
      for (let first of new Set(wanted.map((key) => Math.floor(key / PAGE) * PAGE))) {
        const page = await ask("tokens", { run, number, first, num: PAGE, scored: isScored || null });
        for (const turn of page.turns) known.tokens.set(`${turn.turn}/${isScored}`, turn);
      }
    } catch (error) { if (color === asked) fill(trouble, problem(error)); return; }
    if (color !== asked) return; // another color was chosen meanwhile, and is painted by whoever chose it
    fill(trouble);
    const shared = scaleOf([...known.tokens.values()]);
    for (const [key, { element, turn }] of known.turns) {
      const held = known.tokens.get(`${key}/${isScored}`);
      const target = element.querySelector(".reply-words");
      fill(target, held ? strip(held, color, { prompt, ...shared }, readout) : [words(turn, "reply", run, number), h("p", { class: "quiet small" }, "no tokens on record")]);
    }
    if (color === "advantage" && ![...known.tokens.values()].some((each) => each.advantage !== null)) fill(trouble, h("p", { class: "quiet" }, "No advantage: this episode was compared with no other, or does not count."));
  }

  function drawn(turn, page) {
    const media = (turn.media || []).map((digest) => h("img", { src: image(run, digest), alt: `what the policy saw at turn ${turn.turn + 1}`, loading: "lazy" }));
    const who = turn.role || card.role;
    return h("article", { class: "turn", id: `turn-${turn.turn}`, "aria-label": `Turn ${turn.turn + 1}` },
      h("div", { class: "no" }, turn.turn + 1),
      h("div", {},
        h("div", { class: "said" }, h("div", { class: "who" }, "environment"), words(turn, "observation", run, number), media.length ? h("div", { class: "images" }, media) : null),
        h("div", { class: "said reply" }, h("div", { class: "who" }, who, turn.is_summary ? tag("summary", "accent") : null, turn.action !== null && turn.action !== turn.reply ? h("span", { class: "mono" }, `→ ${turn.action.slice(0, 160)}`) : null), h("div", { class: "reply-words" }, words(turn, "reply", run, number))),
        turn.error !== null ? h("div", { class: "said trouble" }, h("div", { class: "who" }, turn.action === null ? "could not be read" : "no effect"), h("p", { class: "words" }, turn.error)) : null,
        h("div", { class: "chips" }, chips(turn), page.play_from ? h("button", { type: "button", class: "small", onclick: (event) => play(event.target, page.play_from.replace("TURN", turn.turn)) }, "play from here") : null)));
  }

  function step(by) {
    const keys = [...known.turns.keys()].sort((a, b) => a - b);
    if (by > 0 && known.at >= keys.at(-1)) onward();
    known.at = Math.max(keys[0], Math.min(keys.at(-1), known.at + by));
    mark();
    document.getElementById(`turn-${known.at}`).scrollIntoView({ block: "nearest" });
  }

  function mark() {
    for (const [key, { element }] of known.turns) element.classList.toggle("here", key === known.at);
  }

  async function recolored(name) { color = name; choose.value = name; await paint(); }

  const choose = h("select", { id: "color", onchange: (event) => recolored(event.target.value) }, Object.entries(COLORS).filter(([, each]) => isLive || each[3] !== "scored").map(([name, [said]]) => h("option", { value: name, selected: name === color }, said)));
  const names = Object.keys(COLORS).filter((name) => isLive || COLORS[name][3] !== "scored");
  const jump = h("input", { type: "text", inputmode: "numeric", class: "short", id: "jump", value: from + 1, size: 5, onchange: (event) => { location.hash = place("episode", { ...values, turn: Math.max(0, Math.min(card.num_turns - 1, Number(event.target.value) - 1 || 0)) }).slice(1); } });
  const element = h("div", { class: "page" }, about(got, run, runs),
    h("div", { class: "bar" }, h("div", { class: "row" },
      h("label", { class: "row small quiet", for: "color" }, "color tokens by ", choose), scale,
      h("label", { class: "check small" }, h("input", { type: "checkbox", checked: prompt, onchange: (event) => { prompt = event.target.checked; paint(); } }), "prompt tokens too"),
      h("label", { class: "row small quiet", for: "jump" }, "turn ", jump, ` of ${num(card.num_turns)}`)), readout, trouble),
    earlier, list, more);
  take(got);
  await paint();
  return {
    title: `Episode ${number}`, element,
    ready: () => {
      if (from > 0) { const there = document.getElementById(`turn-${from}`); if (there) there.scrollIntoView({ block: "center" }); }
      watcher = new IntersectionObserver((seen) => { if (seen.some((each) => each.isIntersecting)) onward(); }, { root: document.getElementById("main"), rootMargin: "400px" });
      watcher.observe(more);
      document.getElementById("main").focus({ preventScroll: true });
    },
    leave: () => watcher && watcher.disconnect(),
    keys: {
      j: ["next turn", () => step(1)], k: ["the one before", () => step(-1)], c: ["color tokens by the next thing", () => recolored(names[(names.indexOf(color) + 1) % names.length])],
      "]": ["next episode", () => { location.hash = place("episode", { ...values, number: number + 1, turn: null }).slice(1); }], "[": ["the episode before", () => { location.hash = place("episode", { ...values, number: Math.max(1, number - 1), turn: null }).slice(1); }],
      o: ["its group side by side", () => { if (card.group_id) location.hash = place("group", { run: run || null, number }).slice(1); }],
      Escape: ["back", () => history.length > 1 ? history.back() : (location.hash = place("episodes", { run: run || null }).slice(1))],
    },
  };
}

// -- parts ------------------------------------------------------------------------------------------

function about({ card, about: more, members }, run, runs) {
  const facts = [["reward", num(card.reward)], ["turns", num(card.num_turns)], ["tokens", num(card.num_tokens)], ["ended", card.stop_reason.replaceAll("_", " ")], ["task", card.task], ["seed", more.seed], ["stage", card.stage || null], ["split", card.split || null], ["update", card.update], ["level", card.level], ["augmentation", card.strength || null], ["played by", card.role], ["sampling", more.sampling ? `temperature ${more.sampling.temperature}` : null], ["attempt", more.attempt || null], ["branched off", card.parent_id ? `${card.parent_id} at turn ${(more.branch_turn ?? 0) + 1}` : null]];
  const others = members.length > 1 ? h("div", { class: "row small" }, h("span", { class: "quiet" }, `group ${card.group_id}`), members.map((each) => h("a", { class: `tag ${each.number === card.number ? "accent" : each.success ? "good" : ""}`, href: place("episode", { run: run || null, number: each.number }), "aria-current": each.number === card.number ? "true" : null }, each.void ? "void" : num(each.reward, 2))), h("a", { href: place("group", { run: run || null, number: card.number }) }, "side by side"), members.some((each) => each.parent_id) ? h("a", { href: place("tree", { run: run || null, number: card.number }) }, "as a tree") : null) : null;
  return h("div", { class: "card" },
    h("div", { class: "row spread" }, h("div", { class: "row" }, h("h1", {}, `Episode ${card.number}`), outcome(card), h("span", { class: "quiet mono" }, card.episode_id)), h("div", { class: "row small" }, card.task === null ? null : h("a", { href: place("task", { task: card.task, run: run || null }) }, "this task everywhere"), h("span", { class: "quiet" }, (runs[run] || {}).name))),
    h("div", { class: "facts" }, facts.filter(([, value]) => value !== null && value !== undefined && value !== "").map(([name, value]) => h("div", { class: "fact" }, h("b", {}, String(value)), h("span", {}, name)))),
    card.error ? h("p", { class: "problem" }, card.error) : null, more.shaping_error ? h("p", { class: "problem" }, more.shaping_error) : null, others);
}

function words(turn, field, run, number) {
  const total = turn[`${field}_letters`], shown = turn[field];
  const body = h("p", { class: "words" }, shown === "" ? h("span", { class: "quiet" }, "(nothing)") : shown);
  if (total <= shown.length) return body;
  const rest = { start: shown.length };
  const button = h("button", { type: "button", class: "small", onclick: async () => {
    const got = await ask("text", { run, number, turn: turn.turn, field, start: rest.start });
    body.append(got.text); rest.start = got.next ?? total;
    if (got.next === null) button.remove(); else fill(button, `Show more: ${num(total - rest.start)} letters are left`);
  } }, `Show more: ${num(total - shown.length)} letters are left`);
  return h("div", {}, body, isLive ? button : h("p", { class: "quiet small" }, `${num(total - shown.length)} letters more are in the run itself`));
}

function chips(turn) {
  const parts = Object.entries(turn.breakdown).filter(([, value]) => value !== 0 || Object.keys(turn.breakdown).length === 1);
  return [
    turn.reward !== 0 || parts.length > 1 ? tag(`reward ${signed(turn.reward)}`, turn.reward > 0 ? "good" : turn.reward < 0 ? "bad" : "") : null,
    parts.length > 1 || (parts[0] && parts[0][0] !== "environment") ? parts.map(([name, value]) => tag(`${name} ${signed(value)}`)) : null,
    turn.value !== null ? tag(`value ${num(turn.value, 2)}`, "accent") : null, turn.visits !== null ? tag(`${turn.visits} visits`, "accent") : null, turn.critic !== null ? tag(`critic ${num(turn.critic, 2)}`, "accent") : null,
    Object.entries(turn.channels).map(([name, value]) => tag(`${name} ${num(value, 2)}`)),
  ];
}

function ending(end, card) {
  const body = words({ final_observation: end.observation, final_observation_letters: end.letters, turn: card.num_turns }, "final_observation", 0, card.number);
  return h("div", { class: "turn ending" }, h("div", { class: "no" }, "end"), h("div", { class: "said" }, h("div", { class: "who" }, "environment, at the end", outcome(card)), body));
}

function play(button, command) {
  const copy = h("button", { type: "button", onclick: async () => { await navigator.clipboard.writeText(command); fill(copy, "copied"); } }, "copy");
  const shown = h("div", { class: "command" }, h("code", { tabindex: 0 }, command), copy);
  button.replaceWith(shown);
  copy.focus();
}
