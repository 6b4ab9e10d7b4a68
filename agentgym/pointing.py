"""A point against a box: whether it hit, and how near it came, as SE-GUI (arXiv 2505.12370) pays for it.

Both axes run from 0 to 1, each by itself, whatever the picture's shape.
"""

from __future__ import annotations

import math
from typing import NamedTuple

__all__ = ["Box", "hit", "nearness"]


class Box(NamedTuple):
    """Edges, from 0 (left, top) to 1 (right, bottom)."""

    left: float
    top: float
    right: float
    bottom: float

    @property
    def center(self) -> tuple[float, float]:
        return (self.left + self.right) / 2, (self.top + self.bottom) / 2


def hit(point: tuple[float, float], box: Box) -> float:
    """1 inside the box or on its edge, else 0.

    >>> hit((0.5, 0.5), Box(0.4, 0.5, 0.6, 0.7)), hit((0.3, 0.5), Box(0.4, 0.5, 0.6, 0.7))
    (1.0, 0.0)
    """
    x, y = point
    return float(box.left <= x <= box.right and box.top <= y <= box.bottom)


def nearness(point: tuple[float, float], box: Box) -> float:
    """1 - (d / d_max)²: 1 in the center, 0 in the corner of the picture that is farthest from it; 0 outside of that.

    >>> nearness((0.5, 0.5), Box(0.4, 0.4, 0.6, 0.6)), nearness((0.75, 0.5), Box(0.4, 0.4, 0.6, 0.6))
    (1.0, 0.875)
    """
    if not all(0 <= part <= 1 for part in point):
        return 0.0
    farthest = max(math.dist(box.center, (x, y)) for x in (0, 1) for y in (0, 1))
    return 1 - (math.dist(point, box.center) / farthest) ** 2
