// The table of episodes. Its rows are drawn where one looks, and fetched a page at a time.

import { ask } from "./data.js";
import { fill, h, num, outcome, place, problem, tag } from "./dom.js";

const ROW = 34, PAGE = 200, AROUND = 8;
const COLUMNS = [
  ["number", "#", "60px", true], ["success", "outcome", "92px"], ["reward", "reward", "64px", true], ["stage", "stage", "90px"], ["split", "split", "78px"],
  ["update", "update", "60px", true], ["task", "task", "minmax(70px, 1fr)"], ["num_turns", "turns", "54px", true], ["num_tokens", "tokens", "64px", true],
  ["stop_reason", "ended", "minmax(150px, 2.4fr)"], ["num_invalid", "no effect", "74px", true], ["level", "level", "52px", true], ["strength", "help", "52px", true],
];
const SORTED = new Set(["number", "update", "task", "success", "reward", "num_turns", "num_tokens", "num_invalid", "level", "strength"]);
const YESNO = [["", "any"], ["true", "yes"], ["false", "no"]];
const NOT_CRITERIA = new Set(["run", "text", "is_regex", "at"]);

export async function episodesPage({ run, values }) {
  const facets = await ask("facets", { run });
  const asked = { ...values };
  const rows = h("div", { class: "rows", role: "grid", tabindex: 0, "aria-label": "Episodes", vars: { "--columns": COLUMNS.map((column) => column[2]).join(" ") } });
  const count = h("span", { class: "quiet", role: "status" });
  const table = tableOf(rows, count, run, asked, (values.at ? Number(values.at) : 0));
  const changed = () => {
    history.replaceState(null, "", place("episodes", asked));
    table.restart();
  };
  const form = filters(facets, asked, changed);
  const element = h("div", { class: "page full" }, h("div", { class: "row spread" }, h("h1", {}, "Episodes"), count), form, rows);
  await table.restart();
  return {
    title: "Episodes", element, refresh: table.refresh, ready: () => { rows.focus({ preventScroll: true }); table.paint(); }, leave: table.leave,
    keys: {
      j: ["next episode", () => table.move(1)], k: ["the one before", () => table.move(-1)], ArrowDown: ["", () => table.move(1)], ArrowUp: ["", () => table.move(-1)],
      PageDown: ["", () => table.move(20)], PageUp: ["", () => table.move(-20)], Home: ["", () => table.move(-Infinity)], End: ["", () => table.move(Infinity)],
      Enter: ["open it", () => table.open()], "/": ["search in messages", () => form.querySelector("#text").focus()],
      Escape: ["clear the filters", () => { for (const name of Object.keys(asked)) if (name !== "run") delete asked[name]; form.reset(); for (const each of form.querySelectorAll("input, select")) { if (each.type === "checkbox") each.checked = false; else each.value = ""; } changed(); }],
    },
  };
}

// -- filters ----------------------------------------------------------------------------------------

function filters(facets, asked, changed) {
  let due = 0;
  const soon = () => { clearTimeout(due); due = setTimeout(changed, 180); };
  const put = (name, value) => { if (value === "") delete asked[name]; else asked[name] = value; };
  const select = (name, said, options) => h("label", { class: "field" }, said, h("select", { name, onchange: (event) => { put(name, event.target.value); changed(); } }, options.map(([value, text]) => h("option", { value, selected: String(asked[name] ?? "") === String(value) }, text))));
  const values = (name) => [["", "any"], ...facets.values[name].map(([value, many]) => [value, `${value} (${num(many)})`])];
  const input = (name, said, props) => h("label", { class: `field ${props.wide ? "wide" : ""}` }, said, h("input", { name, value: asked[name] ?? "", class: props.wide ? "long" : "short", id: props.id, type: "text", inputmode: props.mode, placeholder: props.hint, oninput: (event) => { put(name, event.target.value.trim()); soon(); } }));
  const between = (name, said) => h("div", { class: "pair", role: "group", "aria-label": said }, input(`min_${name}`, `${said} from`, { mode: "decimal", hint: facets.bounds[name] ? num(facets.bounds[name][0], 2) : "" }), input(`max_${name}`, "to", { mode: "decimal", hint: facets.bounds[name] ? num(facets.bounds[name][1], 2) : "" }));
  const many = (name) => facets.values[name].length > 1;
  return h("form", { class: "filters", role: "search", onsubmit: (event) => { event.preventDefault(); changed(); } },
    input("text", "search in messages", { wide: true, id: "text", hint: "words, press /" }),
    h("label", { class: "check" }, h("input", { type: "checkbox", name: "is_regex", checked: asked.is_regex === "true", onchange: (event) => { put("is_regex", event.target.checked ? "true" : ""); changed(); } }), "regex"),
    select("stage", "stage", values("stage")), select("split", "split", values("split")),
    select("success", "success", YESNO), select("stop_reason", "ended", values("stop_reason")),
    input("update", "update", { mode: "numeric" }), between("reward", "reward"),
    h("details", { class: "more", open: ["void", "invalid", "truncated", "branched", "error", "task", "group_id", "role", "env", "min_level", "max_level", "min_strength", "max_strength", "min_num_turns", "max_num_turns"].some((name) => asked[name] !== undefined) },
      h("summary", {}, "More filters"),
      h("div", { class: "filters" },
        input("task", "task", {}), input("group_id", "group", {}), select("void", "void", YESNO), input("error", "void because", { hint: "part of it" }), select("invalid", "invalid turns", YESNO), select("truncated", "cut short", YESNO), select("branched", "branched", YESNO),
        between("num_turns", "turns"), between("level", "level"), between("strength", "augmentation"),
        many("role") ? select("role", "played by", values("role")) : null, many("env") ? select("env", "environment", values("env")) : null)));
}

// -- rows -------------------------------------------------------------------------------------------

function tableOf(rows, count, run, asked, first) {
  let total = 0, chosen = first, pages = new Map(), own = 0, found = null, painted = 0;
  const body = h("div", { class: "body", role: "rowgroup" });
  const criteria = () => Object.fromEntries(Object.entries(asked).filter(([name]) => !NOT_CRITERIA.has(name)));
  rows.addEventListener("scroll", () => { cancelAnimationFrame(painted); painted = requestAnimationFrame(paint); });
  addEventListener("resize", paint);

  async function restart({ keeps = false } = {}) {
    const turn = ++own;
    pages = new Map(); found = null;
    try {
      if (asked.text) await seek(turn);
      else {
        const page = await ask("episodes", { run, offset: 0, limit: PAGE, ...criteria() });
        if (turn !== own) return;
        total = page.total; pages.set(0, page.rows);
        fill(count, `${num(total)} ${total === 1 ? "episode" : "episodes"}`);
      }
    } catch (error) {
      if (turn === own) { total = 0; fill(count); fill(rows, head(), problem(error)); }
      return;
    }
    if (!keeps) { chosen = Math.min(first, Math.max(0, total - 1)); first = 0; }
    if (turn === own) { fill(rows, head(), body); if (!keeps) rows.scrollTop = 0; paint(); seeChosen(); }
  }

  async function seek(turn) {
    found = []; total = 0;
    let offset = 0;
    while (offset !== null && turn === own && found.length < 2000) {
      const page = await ask("search", { run, offset, text: asked.text, is_regex: asked.is_regex, ...criteria() });
      if (turn !== own) return;
      found.push(...page.rows); total = found.length; offset = page.next;
      fill(count, `${num(total)} found in ${num(page.looked_at)} of ${num(page.total)} episodes${offset === null ? "" : " …"}`);
      fill(rows, head(), body); paint();
    }
  }

  function row(index) {
    if (found !== null) return found[index];
    const page = Math.floor(index / PAGE);
    if (!pages.has(page)) { pages.set(page, null); fetchPage(page, own); }
    const held = pages.get(page);
    return held ? held[index - page * PAGE] : undefined;
  }

  async function fetchPage(page, turn) {
    const got = await ask("episodes", { run, offset: page * PAGE, limit: PAGE, ...criteria() });
    if (turn === own) { pages.set(page, got.rows); paint(); }
  }

  function paint() {
    body.style.height = `${total * ROW}px`;
    rows.setAttribute("aria-rowcount", total + 1);
    if (total === 0) { fill(body, h("p", { class: "empty" }, "No episode is like that. Esc clears the filters.")); body.style.height = "120px"; return; }
    const start = Math.max(0, Math.floor((rows.scrollTop - 36) / ROW) - AROUND), end = Math.min(total, start + Math.ceil(rows.clientHeight / ROW) + 2 * AROUND);
    const lines = [];
    for (let index = start; index < end; index++) lines.push(line(index, row(index)));
    fill(body, lines);
    rows.setAttribute("aria-activedescendant", `row-${chosen}`);
  }

  function line(index, card) {
    const props = { class: "line", role: "row", id: `row-${index}`, "aria-rowindex": index + 2, "aria-selected": String(index === chosen), vars: { top: `${index * ROW}px` }, onclick: () => { chosen = index; open(); } };
    if (!card) return h("div", props, h("span", { class: "quiet", role: "gridcell" }, "…"));
    return h("div", props, COLUMNS.map(([name, , , isNumber]) => h("span", { class: isNumber ? "num" : null, role: "gridcell" }, cell(card, name))));
  }

  function cell(card, name) {
    if (name === "success") return outcome(card);
    if (name === "number") return h("a", { href: place("episode", { run: run || null, number: card.number, ...(card.hit ? { turn: card.hit.turn } : {}) }), tabindex: -1, onclick: (event) => event.stopPropagation() }, card.number);
    if (name === "stop_reason") return card.hit ? hit(card.hit) : card.void && card.error ? h("span", { title: card.error }, tag(card.stop_reason.replaceAll("_", " "), "warn"), ` ${card.error}`) : card.stop_reason.replaceAll("_", " ");
    if (name === "task") return card.task === null ? "–" : String(card.task);
    const value = card[name];
    return typeof value === "number" ? num(value, 2) : value === "" ? "–" : value ?? "–";
  }

  function hit({ text, start, end }) {
    return h("span", { title: text }, text.slice(Math.max(0, start - 12), start).replace(/\s+/g, " "), h("mark", {}, text.slice(start, end)), text.slice(end).replace(/\s+/g, " "));
  }

  function head() {
    return h("div", { class: "head", role: "row", "aria-rowindex": 1 }, COLUMNS.map(([name, said, , isNumber]) => {
      const isOrder = (asked.order || "number") === name, way = asked.descending === "true";
      const label = name === "stop_reason" && found !== null ? "found" : said;
      if (!SORTED.has(name)) return h("span", { role: "columnheader", class: "quiet small" }, label);
      return h("span", { role: "columnheader", class: isNumber ? "num" : null, "aria-sort": isOrder ? (way ? "descending" : "ascending") : "none" },
        h("button", { type: "button", onclick: () => { asked.descending = String(isOrder ? !way : name !== "number"); asked.order = name; history.replaceState(null, "", place("episodes", asked)); restart(); } }, label, isOrder ? (way ? " ↓" : " ↑") : ""));
    }));
  }

  function move(by) {
    chosen = Math.max(0, Math.min(total - 1, by === Infinity ? total - 1 : by === -Infinity ? 0 : chosen + by));
    seeChosen(); paint();
  }

  function seeChosen() {
    const top = chosen * ROW, height = rows.clientHeight - 36 - ROW;
    if (top < rows.scrollTop) rows.scrollTop = top;
    else if (height > 0 && top > rows.scrollTop + height) rows.scrollTop = top - height;
  }

  function open() {
    const card = row(chosen);
    if (!card) return;
    history.replaceState(null, "", place("episodes", { ...asked, at: chosen || null }));
    location.hash = place("episode", { run: run || null, number: card.number, ...(card.hit ? { turn: card.hit.turn } : {}) }).slice(1);
  }

  return { restart, paint, move, open, refresh: async () => { if (!asked.text) await restart({ keeps: true }); }, leave: () => { own++; removeEventListener("resize", paint); } };
}
