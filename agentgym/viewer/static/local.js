// The filters of agentgym.archive.Criteria, for a page that was written as one file.

const SAME = ["env", "split", "stage", "role", "group_id", "episode_id", "update", "ordinal", "stop_reason", "task"];
const BETWEEN = ["reward", "level", "strength", "num_turns", "num_tokens"];
const KINDS = {
  success: (card) => card.success,
  void: (card) => card.void,
  truncated: (card) => card.truncated,
  invalid: (card) => (card.num_invalid || 0) + (card.num_unread || 0) > 0,
  branched: (card) => card.parent_id !== null,
};

export function meets(card, values) {
  for (const name of SAME) if (values[name] !== undefined && String(card[name]) !== String(values[name])) return false;
  for (const name of BETWEEN) {
    const low = values[`min_${name}`], high = values[`max_${name}`];
    if (low !== undefined && !(card[name] !== null && card[name] >= Number(low))) return false;
    if (high !== undefined && !(card[name] !== null && card[name] <= Number(high))) return false;
  }
  for (const [name, holds] of Object.entries(KINDS)) if (values[name] !== undefined && String(Boolean(holds(card))) !== String(values[name])) return false;
  return values.error === undefined || (card.error || "").toLowerCase().includes(values.error.toLowerCase());
}

export function chosen(cards, values) {
  const order = values.order || "number", way = String(values.descending) === "true" ? -1 : 1;
  const kept = cards.filter((card) => meets(card, values));
  const key = (card) => (card[order] === null ? -Infinity : card[order]);
  return kept.sort((one, other) => (key(one) < key(other) ? -way : key(one) > key(other) ? way : one.number - other.number));
}

export function filtered(cards, values) {
  const found = chosen(cards, values), offset = Number(values.offset || 0);
  return { total: found.length, offset, rows: found.slice(offset, offset + Number(values.limit || 100)) };
}

export function searched(cards, answers, values) {
  const source = String(values.is_regex) === "true" ? values.text : values.text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
  const pattern = new RegExp(source, "i");
  const found = chosen(cards, values), rows = [];
  for (const card of found) {
    const hit = firstHit(answers[`episode/${values.run || 0}/${card.number}`], pattern);
    if (hit !== null) rows.push({ ...card, hit });
  }
  return { rows, looked_at: found.length, total: found.length, next: null };
}

function firstHit(episode, pattern) {
  for (const turn of episode ? episode.turns : []) {
    for (const field of ["observation", "reply", "error"]) {
      const found = pattern.exec(turn[field] || "");
      if (found === null) continue;
      const begin = Math.max(0, found.index - 60), start = found.index - begin;
      return { turn: turn.turn, field, text: turn[field].slice(begin, found.index + found[0].length + 60), start, end: start + found[0].length };
    }
  }
  return null;
}
