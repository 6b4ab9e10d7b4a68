"""A bonus for what the others of the group did not do: by hand."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentgym.rewards.diversity import Diversity
from agentgym.types import Trajectory
from tests.kit import episode


def did(actions: str, *, success: bool = True) -> Trajectory:
    """An action for each word; a "?" was not taken."""
    one = episode(*[0.0] * len(actions.split()), success=success)
    for turn, action in zip(one.turns, actions.split(), strict=True):
        turn.action = action
        turn.error = "What?" if "?" in action else None
    return one


def shares(group: list[Trajectory], *, successes_only: bool = True) -> list[float]:
    return [sum(values) for values in asyncio.run(Diversity(successes_only=successes_only).shape(group))]


def test_by_hand() -> None:
    """Of three others one, one, two and none did the same."""
    group = [did("a b"), did("a b"), did("b a"), did("c")]
    assert shares(group) == pytest.approx([2 / 3, 2 / 3, 1, 1])
    assert asyncio.run(Diversity().shape(group))[0] == [0.0, pytest.approx(2 / 3)]


def test_a_failure_is_no_other_way_unless_that_is_asked_for() -> None:
    group = [did("a"), did("a"), did("b"), did("c", success=False)]
    assert shares(group) == pytest.approx([1 / 2, 1 / 2, 1, 0])
    assert shares(group, successes_only=False) == pytest.approx([2 / 3, 2 / 3, 1, 1])


def test_who_has_nobody_to_be_compared_with_gets_nothing() -> None:
    assert shares([did("a"), did("b", success=False)]) == [0, 0]
    assert shares([did("a")], successes_only=False) == [0]
    assert asyncio.run(Diversity().shape([episode(), did("a")])) == [[], [0.0]]


def test_what_was_not_taken_makes_no_difference() -> None:
    unread = did("a x")
    unread.turns[1].action = None
    spaced = did("a")
    spaced.turns[0].action = " A\n"
    assert shares([did("a"), did("a ?b"), did("?c a ?b"), unread, spaced]) == [0] * 5
    assert shares([did("a"), did("a a")]) == [1, 1]


@given(st.lists(st.tuples(st.sampled_from(["a", "b", "a b", "?c"]), st.booleans()), min_size=1, max_size=6))
def test_it_is_a_share_and_the_same_for_those_who_did_the_same(episodes: list[tuple[str, bool]]) -> None:
    found = shares([did(actions, success=success) for actions, success in episodes])
    assert all(0 <= share <= success for share, (_, success) in zip(found, episodes, strict=True))
    assert len({*zip(episodes, found, strict=True)}) == len({*episodes})
