"""A panel of curves as SVG in a page: its colors are classes of the page's style, and it needs no script."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

__all__ = ["Curve", "curve_of", "panel"]

_WIDTH, _HEIGHT, _LEFT, _RIGHT, _TOP, _BOTTOM = 420, 190, 46, 10, 12, 24
_DOTS = 30
"""Points up to which each of them is drawn."""


@dataclasses.dataclass(frozen=True, slots=True)
class Curve:
    """Points of one name; ``band`` has (x, low, high) where an interval is known."""

    name: str
    points: list[tuple[int, float]]
    band: list[tuple[int, float, float]]


def curve_of(metrics: Sequence[Mapping[str, Any]], stage: str, key: str) -> Curve:
    """Of a metric, with the interval that is logged beside it."""
    lines = [line for line in metrics if line["stage"] == stage and key in line and math.isfinite(line[key])]
    low, high = f"{key}_low", f"{key}_high"
    band = [(line["update"], line[low], line[high]) for line in lines if low in line and high in line]
    return Curve(stage.replace("_", " "), [(line["update"], line[key]) for line in lines], band)


def panel(title: str, curves: Sequence[Curve], *, alarms: Sequence[int] = (), unit: bool = False) -> str:
    """An HTML figure; "" without a point. ``unit``: values lie between 0 and 1."""
    drawn = [curve for curve in curves if curve.points]
    if not drawn:
        return ""
    xs = [x for curve in drawn for x, _ in curve.points]
    ys = [y for curve in drawn for _, y in curve.points] + [
        y for curve in drawn for each in curve.band for y in each[1:]
    ]
    scale = _Scale(*_span(xs), *((0.0, 1.0) if unit else _room(ys)))
    said = "; ".join(f"{curve.name} {curve.points[-1][1]:.4g}" for curve in drawn)
    names = "".join(
        f'<span><i class="c{number}"></i>{escape(curve.name)} {curve.points[-1][1]:.4g}</span>'
        for number, curve in enumerate(drawn)
    )
    return (
        f'<figure><figcaption>{escape(title)}</figcaption><svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" '
        f'aria-label="{escape(f"{title}: {said}")}">{_grid(scale)}{_alarms(scale, alarms)}'
        f"{''.join(_drawn(number, curve, scale) for number, curve in enumerate(drawn))}</svg>"
        f'<div class="legend">{names}</div></figure>'
    )


@dataclasses.dataclass(frozen=True, slots=True)
class _Scale:
    x0: float
    x1: float
    y0: float
    y1: float

    def x(self, value: float) -> float:
        return _LEFT + (value - self.x0) / (self.x1 - self.x0) * (_WIDTH - _LEFT - _RIGHT)

    def y(self, value: float) -> float:
        share = (min(self.y1, max(self.y0, value)) - self.y0) / (self.y1 - self.y0)
        return _HEIGHT - _BOTTOM - share * (_HEIGHT - _TOP - _BOTTOM)


def _drawn(number: int, curve: Curve, scale: _Scale) -> str:
    places = [(scale.x(x), scale.y(y)) for x, y in curve.points]
    band = ""
    if len(curve.band) > 1:
        above = [(scale.x(x), scale.y(high)) for x, _, high in curve.band]
        below = [(scale.x(x), scale.y(low)) for x, low, _ in reversed(curve.band)]
        band = f'<path class="band c{number}" d="{_path([*above, *below])}Z"/>'
    dots = "".join(f'<circle class="c{number}" cx="{x:.1f}" cy="{y:.1f}" r="2.4"/>' for x, y in places)
    return f'{band}<path class="line c{number}" d="{_path(places)}"/>{dots if len(places) <= _DOTS else ""}'


def _path(places: Sequence[tuple[float, float]]) -> str:
    return "".join(f"{'L' if number else 'M'}{x:.1f} {y:.1f}" for number, (x, y) in enumerate(places))


def _grid(scale: _Scale) -> str:
    rows = "".join(
        f'<line class="axis" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{scale.y(y):.1f}" y2="{scale.y(y):.1f}"/>'
        f'<text x="{_LEFT - 7}" y="{scale.y(y) + 4:.1f}" text-anchor="end">{y:.4g}</text>'
        for y in _ticks(scale.y0, scale.y1, 4)
    )
    columns = "".join(
        f'<text x="{scale.x(x):.1f}" y="{_HEIGHT - 7}" text-anchor="middle">{x:g}</text>'
        for x in _ticks(scale.x0, scale.x1, 6)
        if x == round(x)
    )
    return rows + columns


def _alarms(scale: _Scale, alarms: Sequence[int]) -> str:
    return "".join(
        f'<line class="alarm" x1="{scale.x(at):.1f}" x2="{scale.x(at):.1f}" y1="{_TOP}" y2="{_HEIGHT - _BOTTOM}"/>'
        for at in alarms
        if scale.x0 <= at <= scale.x1
    )


def _span(values: Sequence[float]) -> tuple[float, float]:
    low, high = min(values), max(values)
    return (low, high) if high > low else (low - 0.5, high + 0.5)


def _room(values: Sequence[float]) -> tuple[float, float]:
    """Bounds with some room, from 0 on where that is near."""
    low, high = min(values), max(values)
    if low == high:
        return (min(0.0, 1.25 * low), max(0.0, 1.25 * high)) if low else (0.0, 1.0)
    return (0.0 if 0 <= low < 0.5 * (high - low) else low - 0.06 * (high - low)), high + 0.06 * (high - low)


def _ticks(low: float, high: float, about: int) -> list[float]:
    raw = (high - low) / about
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(each * power for each in (1, 2, 5, 10) if each * power >= raw * (1 - 1e-9))
    first = math.ceil(low / step - 1e-9)
    return [round(number * step, 12) for number in range(first, math.floor(high / step + 1e-9) + 1)]
