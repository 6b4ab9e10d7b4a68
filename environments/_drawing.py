"""Pictures that are drawn rather than photographed: shapes of a few strokes, painted in a color and its shades."""

from __future__ import annotations

import colorsys
from collections.abc import Sequence
from typing import TypeAlias

from agentgym.browser.markup import Markup, tag

__all__ = ["Shape", "drawn", "lit"]

Shape: TypeAlias = Sequence[tuple[str, str]]
"""Paths in a square of 120, each with its paint, from behind to the front: "m" is the color of the thing, "d" a darker
and "l" a lighter one, "k" ink and "w" white. After a "-" it is that of a line."""


def drawn(shape: Shape, color: str) -> list[Markup]:
    """The shape's paths."""
    inks = {"m": color, "d": lit(color, 0.72), "l": lit(color, 1.3), "k": "#3a3d42", "w": "#ffffff"}
    return [_path(paint, d, inks) for paint, d in shape]


def _path(paint: str, d: str, inks: dict[str, str]) -> Markup:
    if paint.startswith("-"):
        line = {"fill": "none", "stroke": inks[paint[1]], "stroke_width": 3.5}
        return tag("path", d=d, **line, stroke_linecap="round", stroke_linejoin="round")
    return tag("path", d=d, fill=inks[paint], stroke="#000", stroke_opacity="0.06", stroke_width=1)


def lit(color: str, factor: float) -> str:
    """``color``, as "#rrggbb", darker by a factor below 1 and lighter by one above.

    >>> lit("#808080", 0.5), lit("#808080", 2), lit("#102030", 1)
    ('#404040', '#c0c0c0', '#102030')
    """
    red, green, blue = (int(color[start : start + 2], 16) / 255 for start in (1, 3, 5))
    hue, light, saturation = colorsys.rgb_to_hls(red, green, blue)
    light = light * factor if factor < 1 else 1 - (1 - light) / factor
    return "#" + "".join(f"{round(255 * part):02x}" for part in colorsys.hls_to_rgb(hue, light, saturation))
