"""How a point is said."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentgym.environments.grounding.answers import numbers_of, read_point

SHARE = st.integers(-5000, 5000)


@pytest.mark.parametrize(
    "said",
    [
        "click(12, 34)",
        "click(x=12, y=34)",
        "pyautogui.click(x=12,y=34)",
        "I think it is the red one.\nclick( 12 , 34 )",
        "tap(12.0, 34.0)",
        "(12, 34)",
        "[12,34]",
        "12, 34",
        "12 34",
        " 12;34. ",
        '{"x": 12, "y": 34}',
        '{"coordinate": [12, 34]}',
        '{"name": "click", "arguments": {"x": 12, "y": 34}}',
        '<tool_call>{"name": "computer", "arguments": {"action": "click", "coordinate": [12, 34]}}</tool_call>',
        '{"point": ["12", "34"]}',
        "[10, 30, 14, 38]",
        '{"bbox": [10, 30, 14, 38]}',
        "first (1, 2), no: click(12, 34)",
        "x: 12, y: 34",
    ],
)
def test_the_same_point_in_many_ways(said: str) -> None:
    assert read_point(said) == (12.0, 34.0)


@pytest.mark.parametrize(
    "said",
    [
        *("", "click", "click()", "click(12)", "12", "12, 34, 56", "(12, 34, 56)", "the 2 of 34 buttons", '{"x": 12}'),
        *('{"coordinate": [12]}', '{"coordinate": "12, 34"}', '{"x": null, "y": 3}', '{"x": NaN, "y": 1}', "{x", "()"),
    ],
)
def test_what_is_no_point(said: str) -> None:
    assert read_point(said) is None


@given(SHARE, SHARE)
def test_every_pair_comes_back(x: int, y: int) -> None:
    for said in (f"click({x}, {y})", f"({x},{y})", json.dumps({"x": x, "y": y}), f"{x}, {y}"):
        assert read_point(said) == (x, y)


@given(st.text(max_size=200))
def test_any_text_is_read_or_not(text: str) -> None:
    point = read_point(text)
    assert point is None or all(abs(part) < float("inf") for part in point)


def test_of_a_long_reply_the_end_counts() -> None:
    assert read_point("(1, 2)" + "a" * 3000 + "(3, 4)") == (3.0, 4.0)
    assert read_point("(1, 2)" + "a" * 3000) is None


def test_numbers_by_hand() -> None:
    assert numbers_of("1, 2.5,-3, +4") == [1.0, 2.5, -3.0, 4.0]
