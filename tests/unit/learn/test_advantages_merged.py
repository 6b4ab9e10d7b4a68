"""Flat episodes merged where they were in the same state."""

from __future__ import annotations

import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentgym.learn.advantages import merged_advantages


def test_by_hand_three_episodes_of_which_two_take_the_same_first_step() -> None:
    states = [["door", "hall"], ["door", "hall"], ["door"]]
    actions = [["in", "up"], ["in", "down"], ["out"]]
    # V(door) = 1/3, Q(door, in) = 1/2, Q(door, out) = 0; V(hall) = 1/2, Q(up) = 1, Q(down) = 0
    found = merged_advantages(states, actions, [1.0, 0.0, 0.0], scale=False)
    assert [value for turns in found for value in turns] == pytest.approx([1 / 6, 1 / 2, 1 / 6, -1 / 2, -1 / 3])


def test_a_state_that_was_met_once_is_compared_with_the_group() -> None:
    assert merged_advantages([["a"], ["b"]], [["x"], ["x"]], [1.0, 0.0], scale=False) == [[0.5], [-0.5]]


def test_scaled_by_the_deviation_of_the_rewards() -> None:
    plain = merged_advantages([["a"], ["a"]], [["x"], ["y"]], [2.0, 0.0], scale=False)
    scaled = merged_advantages([["a"], ["a"]], [["x"], ["y"]], [2.0, 0.0], scale=True, epsilon=0.0)
    assert plain == [[1.0], [-1.0]] == scaled  # the deviation is 1
    assert merged_advantages([["a"], ["a"]], [["x"], ["y"]], [4.0, 0.0], scale=True, epsilon=0.0) == scaled


def test_shapes_that_differ_are_refused() -> None:
    with pytest.raises(ValueError, match="an action for each state"):
        merged_advantages([["a"]], [[]], [1.0], scale=False)
    with pytest.raises(ValueError, match="a reward for each episode"):
        merged_advantages([["a"]], [["x"]], [], scale=False)


EPISODES = st.lists(
    st.tuples(st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from("xy")), max_size=4), st.floats(-2, 2)),
    min_size=1,
    max_size=5,
)


@given(EPISODES)
def test_what_was_done_in_a_state_that_was_met_again_adds_up_to_nothing(
    episodes: list[tuple[list[tuple[str, str]], float]],
) -> None:
    states = [[state for state, _ in turns] for turns, _ in episodes]
    actions = [[action for _, action in turns] for turns, _ in episodes]
    found = merged_advantages(states, actions, [reward for _, reward in episodes], scale=False)
    for state in "ab":
        here = [
            value
            for turns, values in zip(states, found, strict=True)
            for own, value in zip(turns, values, strict=True)
            if own == state
        ]
        if len(here) > 1:
            assert statistics.fmean(here) == pytest.approx(0.0, abs=1e-9)
