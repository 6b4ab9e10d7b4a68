"""Points and boxes, by hand."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

import agentgym
from agentgym.errors import ConfigError, UserError
from agentgym.rewards.point import Point
from agentgym.rollout.shaping import Weighted, shape
from agentgym.types import Trajectory
from tests.kit import episode

BOX = {"box_left": 0.25, "box_top": 0.5, "box_right": 0.75, "box_bottom": 1.0}
"""Its center is (0.5, 0.75); the farthest corners are those above, at a distance of √0.8125."""


def pointed(*reports: dict[str, float], first: dict[str, float] = BOX) -> Trajectory:
    one = episode(*[0.0] * len(reports), channels=first)
    for turn, report in zip(one.turns, reports, strict=True):
        turn.channels = report
    return one


def at(x: float, y: float, **more: float) -> dict[str, float]:
    return {"point_x": x, "point_y": y, **more}


def test_the_center_is_paid_twice_and_the_farthest_corner_nothing() -> None:
    assert Point()(pointed(at(0.5, 0.75), at(0.0, 0.0), at(1.0, 0.0))) == pytest.approx([2.0, 0.0, 0.0])


def test_each_part_has_a_weight_of_its_own() -> None:
    seen = pointed(at(0.75, 1.0))
    assert Point(hit=0.5, near=0)(seen) == [0.5]
    assert Point(hit=0, near=2)(seen) == [pytest.approx(2 - 0.25 / 0.8125)]
    with pytest.raises(ConfigError, match="pays nothing"):
        Point(hit=0, near=0)
    with pytest.raises(ConfigError, match=r"rewards\.point\.hit"):
        agentgym.plugins("rewards").build("point", {"hit": -1})
    assert Point.is_invariant is False


def test_a_box_stays_until_there_is_another_and_turns_that_do_not_point_are_paid_nothing() -> None:
    moved = {"box_left": 0.0, "box_right": 0.5}
    seen = pointed({}, at(0.5, 0.75), moved, at(0.25, 0.75, other=3.0), at(0.25, 0.75, **BOX))
    given = Point(near=0)(seen)
    assert given == [0.0, 1.0, 0.0, 1.0, 1.0]
    assert Point()(seen)[3] == 2.0
    assert Point()(pointed({}, {"other": 1.0}, first={})) == [0.0, 0.0]
    assert Point()(pointed()) == []
    assert Point()(pointed({}, first={**BOX, **at(0.5, 0.75)})) == [0.0]  # nobody has pointed at the reset


@pytest.mark.parametrize(
    ("first", "report", "says"),
    [
        (BOX, {"point_x": 0.5}, r'a point and no info\["channels"\]\["point_y"\]'),
        ({}, at(0.5, 0.5), "no info.*box_left.*expected point_x, point_y of a turn that points, and box_left"),
        ({**BOX, "box_left": 0.8}, at(0.5, 0.5), "left 0.8, top 0.5, right 0.75, bottom 1; expected 0 to 1"),
        ({**BOX, "box_bottom": 768.0}, at(0.5, 0.5), "bottom 768"),
    ],
)
def test_what_is_no_point_or_no_box_is_told(first: dict[str, float], report: dict[str, float], says: str) -> None:
    with pytest.raises(UserError, match=f'reward "point": toy reports .*{says}'):
        asyncio.run(shape([pointed(report, first=first)], [Weighted("point", 1.0, Point())]))


def test_it_is_chosen_by_name() -> None:
    made: Any = agentgym.plugins("rewards").build("point", {"near": 0})
    assert made(pointed(at(0.5, 0.75))) == [1.0]
