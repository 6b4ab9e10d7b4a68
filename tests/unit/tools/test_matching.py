"""Calls beside those that would have been right: by hand, and what must hold of any."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentgym.tools import compared
from agentgym.types import ToolCall

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from(["a", "A b", "a-b", "1", ""]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("xy"), inner, max_size=2),
    max_leaves=4,
)
CALLS = st.lists(
    st.builds(
        ToolCall, name=st.sampled_from("fg"), arguments=st.dictionaries(st.sampled_from("ab"), VALUES, max_size=2)
    ),
    max_size=4,
)


def one(name: str = "f", **arguments: Any) -> ToolCall:
    return ToolCall(name=name, arguments=arguments)


def same(made: Any, expected: Any) -> tuple[bool, bool]:
    """Whether two values match, and whether they are the same to the letter."""
    found = compared([one(a=made)], [one(a=expected)])
    return found["matched_calls"] == 1, found["exact_calls"] == 1


@pytest.mark.parametrize(
    ("made", "expected", "is_same"),
    [
        ("a", "a", (True, True)),
        ("April 1, 2024", "april 1 2024", (True, False)),
        ("it's", 'it"s', (True, False)),
        ("a", "b", (False, False)),
        (1, 1.0, (True, False)),
        (1, True, (False, False)),
        (0, False, (False, False)),
        (0, None, (False, False)),
        (1, "1", (False, False)),
        ([1, "B"], [1, "b"], (True, False)),
        ([1, 2], [2, 1], (False, False)),
        ({"x": 1, "y": [2]}, {"y": [2.0], "x": 1}, (True, False)),
        ({"x": 1, "y": 2}, {"y": 2, "x": 1}, (True, True)),
        ({"x": 1}, {"X": 1}, (False, False)),
        ("", [], (False, False)),
        ({}, [], (False, False)),
    ],
)
def test_values(made: Any, expected: Any, is_same: tuple[bool, bool]) -> None:
    assert same(made, expected) == same(expected, made) == is_same


@pytest.mark.parametrize(
    ("made", "matched", "exact"),
    [
        ([one(a=1), one("g")], 2, 2),
        ([one("g"), one(a=1)], 2, 0),
        ([one(a=1), one("h"), one("g")], 2, 1),
        ([one(a=1), one(a=1)], 1, 1),
        ([one(a=1.0), one("g")], 2, 0),
        ([one("F", a=1)], 0, 0),
        ([one(A=1)], 0, 0),
        ([one(a=1, b=2)], 0, 0),
        ([], 0, 0),
    ],
)
def test_calls(made: list[ToolCall], matched: int, exact: int) -> None:
    """Beside f(a=1), g(): each matches at most once, in any order; and to the letter until one differs."""
    assert compared(made, [one(a=1), one("g")]) == {
        "made_calls": len(made),
        "expected_calls": 2,
        "matched_calls": matched,
        "exact_calls": exact,
    }


@given(CALLS, CALLS, st.randoms(use_true_random=False))
def test_what_holds_of_any_calls(made: list[ToolCall], expected: list[ToolCall], rng: random.Random) -> None:
    found, reverse = compared(made, expected), compared(expected, made)
    assert found["exact_calls"] <= found["matched_calls"] <= min(len(made), len(expected))
    assert (found["matched_calls"], found["exact_calls"]) == (reverse["matched_calls"], reverse["exact_calls"])
    shuffled = rng.sample(made, len(made))
    assert compared(shuffled, expected)["matched_calls"] == found["matched_calls"]
    assert set(compared(made, made).values()) == {float(len(made))}
