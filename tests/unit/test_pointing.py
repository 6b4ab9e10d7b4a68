"""Points against boxes, by hand."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentgym.pointing import Box, hit, nearness

BOX = Box(0.25, 0.5, 0.75, 1.0)
"""Its center is (0.5, 0.75); the farthest corners are those above, at a distance of √0.8125."""
UNIT = st.floats(0, 1)
BOXES = st.tuples(UNIT, UNIT, UNIT, UNIT).map(lambda e: Box(min(e[0], e[1]), min(e[2:]), max(e[0], e[1]), max(e[2:])))


@pytest.mark.parametrize(
    ("point", "inside", "near"),
    [
        ((0.75, 1.0), 1.0, 1 - 0.125 / 0.8125),  # on the corner of the box, a quarter off on both axes
        ((0.5, 0.25), 0.0, 1 - 0.25 / 0.8125),
        ((0.0, 1.0), 0.0, 1 - 0.3125 / 0.8125),
        ((1.01, 0.75), 0.0, 0.0),  # not in the picture
        ((0.5, -0.01), 0.0, 0.0),
        ((math.nan, 0.5), 0.0, 0.0),
    ],
)
def test_inside_and_near_by_hand(point: tuple[float, float], inside: float, near: float) -> None:
    assert hit(point, BOX) == inside
    assert nearness(point, BOX) == pytest.approx(near)


@given(st.tuples(UNIT, UNIT), BOXES)
def test_within_the_picture_it_lies_between_nothing_and_one_and_falls_with_the_distance(
    point: tuple[float, float], box: Box
) -> None:
    near = nearness(point, box)
    assert -1e-9 <= near <= 1
    halfway = tuple((a + b) / 2 for a, b in zip(point, box.center, strict=True))
    assert nearness((halfway[0], halfway[1]), box) >= near
    mirrored = Box(1 - box.right, box.top, 1 - box.left, box.bottom)
    assert nearness((1 - point[0], point[1]), mirrored) == pytest.approx(near, abs=1e-9)
