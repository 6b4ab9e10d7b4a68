// Elements. Whatever an episode printed becomes text: nothing here takes markup.

export function h(tag, props = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) setProp(made, name, value);
  append(made, children);
  return made;
}

const SVG = "http://www.w3.org/2000/svg";

export function s(tag, props = {}, ...children) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(props)) setProp(made, name, value);
  append(made, children);
  return made;
}

function setProp(made, name, value) {
  if (value === null || value === undefined || value === false) return;
  if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
  else if (name === "vars") for (const [key, each] of Object.entries(value)) made.style.setProperty(key, each);
  else made.setAttribute(name, value === true ? "" : String(value));
}

export function append(made, children) {
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === false) continue;
    made.append(child instanceof Node ? child : document.createTextNode(String(child)));
  }
}

export function fill(made, ...children) {
  made.replaceChildren();
  append(made, children);
}

export function num(value, digits = 3) {
  if (value === null || value === undefined) return "–";
  if (!Number.isFinite(value)) return String(value);
  if (Number.isInteger(value)) return Math.abs(value) >= 1e15 ? value.toExponential(2) : value.toLocaleString("en-US");
  const size = Math.abs(value);
  if (size >= 1e6 || size < 1e-4) return value.toExponential(2);
  return size >= 1000 ? Math.round(value).toLocaleString("en-US") : value.toFixed(digits);
}

export function signed(value) {
  return (value > 0 ? "+" : "") + num(value);
}

export function tag(text, kind = "") {
  return h("span", { class: `tag ${kind}` }, text);
}

export function problem(error) {
  return h("p", { class: "problem", role: "alert" }, error.message || String(error));
}

export function link(text, ...parts) {
  return h("a", { href: place(...parts) }, text);
}

export function place(path, values = {}) {
  const query = new URLSearchParams(Object.entries(values).filter(([, value]) => value !== "" && value !== null && value !== undefined));
  const text = query.toString();
  return `#/${path}${text ? `?${text}` : ""}`;
}

export function outcome(card) {
  if (card.void) return tag("void", "warn");
  return card.success ? tag("success", "good") : tag("no success", "");
}
