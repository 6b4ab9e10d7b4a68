"""Step advantages of states that episodes share: by hand, against a search by pairs, and their limits."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentgym.learn.advantages import anchor_advantages, group_zscore

EPISODES = st.lists(
    st.lists(st.tuples(st.sampled_from("abc"), st.floats(-5, 5).map(lambda x: round(x, 2))), max_size=5), max_size=4
)


def test_by_hand() -> None:
    """State a is met by all three episodes, b twice by the first one, c once."""
    keys = [["a", "b", "b"], ["a", "c"], ["a"]]
    returns = [[3.0, 1.0, 2.0], [0.0, 9.0], [0.0]]
    # a: 3, 0, 0: mean 1, distances 2, -1, -1; b: 1, 2: mean 1.5; c: alone
    assert anchor_advantages(keys, returns, scale=False) == [[2.0, -0.5, 0.5], [-1.0, 0.0], [-1.0]]
    # a: std sqrt(6 / 2) = 1.7320508, 2 / std = 1.1547005; b: std sqrt(0.5) = 0.7071068, 0.5 / std = 0.7071068
    first, second, third = anchor_advantages(keys, returns, scale=True, epsilon=0.0)
    assert first == pytest.approx([1.1547005, -0.7071068, 0.7071068])
    assert second == pytest.approx([-0.5773503, 0.0])
    assert third == pytest.approx([-0.5773503])


@given(EPISODES)
def test_against_a_search_by_pairs(episodes: list[list[tuple[str, float]]]) -> None:
    keys = [[key for key, _ in turns] for turns in episodes]
    returns = [[value for _, value in turns] for turns in episodes]
    everything = [turn for turns in episodes for turn in turns]
    advantages = anchor_advantages(keys, returns, scale=False)
    for turns, found in zip(episodes, advantages, strict=True):
        for (key, value), advantage in zip(turns, found, strict=True):
            same = [other for name, other in everything if name == key]
            assert advantage == pytest.approx(value - sum(same) / len(same), abs=1e-9)


@given(EPISODES, st.floats(-50, 50), st.booleans())
def test_a_shift_changes_nothing_and_every_state_sums_to_nothing(
    episodes: list[list[tuple[str, float]]], shift: float, scale: bool
) -> None:
    keys = [[key for key, _ in turns] for turns in episodes]
    returns = [[value for _, value in turns] for turns in episodes]
    advantages = anchor_advantages(keys, returns, scale=scale, epsilon=0.1)
    shifted = anchor_advantages(keys, [[v + shift for v in turns] for turns in returns], scale=scale, epsilon=0.1)
    assert [a for turns in shifted for a in turns] == pytest.approx(
        [a for turns in advantages for a in turns], abs=1e-6
    )
    for state in "abc":
        own = [
            a
            for k, turns in zip(keys, advantages, strict=True)
            for key, a in zip(k, turns, strict=True)
            if key == state
        ]
        assert math.fsum(own) == pytest.approx(0, abs=1e-6)


def test_one_common_state_is_the_group_itself() -> None:
    rewards = [1.0, 0.0, 0.5]
    steps = anchor_advantages([["start"]] * 3, [[r] for r in rewards], scale=True)
    assert [turns[0] for turns in steps] == group_zscore(rewards)


def test_shapes_that_differ_are_refused() -> None:
    with pytest.raises(ValueError, match=r"found episodes of \[2\] keys and of \[1\] returns"):
        anchor_advantages([["a", "b"]], [[1.0]], scale=False)
