// Lines over updates, with bands and a readout where the pointer is.

import { fill, h, num, s } from "./dom.js";

const WIDTH = 420, HEIGHT = 190, LEFT = 46, RIGHT = 10, TOP = 10, BOTTOM = 24;

// curves: [{name, color, points: [[x, y]], band: [[x, low, high]] | null}]
export function chart(title, curves, { alarms = [], unit = null } = {}) {
  const drawn = curves.filter((curve) => curve.points.length > 0);
  const xs = drawn.flatMap((curve) => curve.points.map((point) => point[0]));
  const ys = drawn.flatMap((curve) => [...curve.points.map((point) => point[1]), ...(curve.band || []).flatMap((each) => [each[1], each[2]])]);
  const [x0, x1] = span(xs, 1), [y0, y1] = unit || nice(ys);
  const at = (x) => LEFT + ((x - x0) / (x1 - x0)) * (WIDTH - LEFT - RIGHT);
  const up = (y) => HEIGHT - BOTTOM - ((Math.min(y1, Math.max(y0, y)) - y0) / (y1 - y0)) * (HEIGHT - TOP - BOTTOM);
  const readout = h("div", { class: "readout" }, latest(drawn));
  const cross = s("line", { class: "cross", y1: TOP, y2: HEIGHT - BOTTOM, visibility: "hidden" });
  const said = `${title}: ${latest(drawn)}`;
  const picture = s("svg", { class: "chart", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": said },
    ticks(y0, y1, 4).map((y) => [s("line", { class: "axis", x1: LEFT, x2: WIDTH - RIGHT, y1: up(y), y2: up(y) }), s("text", { x: LEFT - 7, y: up(y) + 4, "text-anchor": "end" }, short(y))]),
    ticks(x0, x1, 6).filter(Number.isInteger).map((x) => s("text", { x: at(x), y: HEIGHT - 7, "text-anchor": "middle" }, short(x))),
    alarms.filter((alarm) => alarm.update >= x0 && alarm.update <= x1).map((alarm) => s("line", { class: "alarm", x1: at(alarm.update), x2: at(alarm.update), y1: TOP, y2: HEIGHT - BOTTOM }, s("title", {}, alarm.name))),
    drawn.map((curve) => (curve.band && curve.band.length > 1 ? s("path", { class: `band ${curve.color}`, fill: "currentColor", d: bandPath(curve.band, at, up) }) : null)),
    drawn.map((curve) => s("path", { class: `series ${curve.color}`, stroke: "currentColor", d: curve.points.map(([x, y], i) => `${i ? "L" : "M"}${at(x).toFixed(1)} ${up(y).toFixed(1)}`).join("") })),
    drawn.filter((curve) => curve.points.length <= 24).map((curve) => curve.points.map(([x, y]) => s("circle", { class: curve.color, fill: "currentColor", cx: at(x), cy: up(y), r: 2.4 }))),
    cross,
  );
  picture.addEventListener("pointermove", (event) => {
    const box = picture.getBoundingClientRect();
    const x = x0 + (((event.clientX - box.left) / box.width) * WIDTH - LEFT) / (WIDTH - LEFT - RIGHT) * (x1 - x0);
    const near = nearest(xs, x);
    cross.setAttribute("x1", at(near)); cross.setAttribute("x2", at(near)); cross.setAttribute("visibility", "visible");
    fill(readout, `update ${near}   `, drawn.map((curve) => { const point = curve.points.findLast((each) => each[0] === near); return point ? `${curve.name} ${num(point[1])}   ` : ""; }));
  });
  picture.addEventListener("pointerleave", () => { cross.setAttribute("visibility", "hidden"); fill(readout, latest(drawn)); });
  const legend = drawn.length > 1 ? h("div", { class: "legend" }, drawn.map((curve) => h("span", {}, h("i", { class: curve.color }), curve.name))) : null;
  return h("section", { class: "card" }, h("h2", {}, title), readout, picture, legend);
}

function latest(curves) {
  return curves.map((curve) => `${curves.length > 1 ? `${curve.name} ` : ""}${num(curve.points.at(-1)[1])}`).join("   ");
}

function bandPath(band, at, up) {
  const high = band.map(([x, , y], i) => `${i ? "L" : "M"}${at(x)} ${up(y)}`).join("");
  return `${high}${[...band].reverse().map(([x, y]) => `L${at(x)} ${up(y)}`).join("")}Z`;
}

function span(values, least) {
  const low = values.reduce((a, b) => Math.min(a, b), Infinity), high = values.reduce((a, b) => Math.max(a, b), -Infinity);
  return low === Infinity ? [0, 1] : high - low < least * 1e-9 ? [low - least / 2, high + least / 2] : [low, high];
}

function nice(values) {
  const [low, high] = span(values, 1e-3);
  if (values.every((value) => value === values[0])) return values[0] === 0 || !values.length ? [0, 1] : [Math.min(0, 1.25 * values[0]), Math.max(0, 1.25 * values[0])];
  const pad = (high - low) * 0.06;
  return [low >= 0 && low < (high - low) * 0.5 ? 0 : low - pad, high + pad];
}

export function ticks(low, high, about) {
  const raw = (high - low) / about, power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((each) => each * power).find((each) => each >= raw);
  const found = [];
  for (let value = Math.ceil(low / step) * step; value <= high + step * 1e-9; value += step) found.push(Number(value.toPrecision(12)));
  return found;
}

function short(value) {
  const size = Math.abs(value);
  if (size >= 1e6) return `${Number((value / 1e6).toPrecision(3))}M`;
  if (size >= 1e4) return `${Number((value / 1e3).toPrecision(3))}k`;
  return size !== 0 && size < 1e-3 ? value.toExponential(0) : String(Number(value.toPrecision(3)));
}

function nearest(values, wanted) {
  return values.reduce((best, each) => (Math.abs(each - wanted) < Math.abs(best - wanted) ? each : best), values[0]);
}
