"""Moments and what they are worth: a search's values, else means over the episodes that went through."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentgym.errors import DataError
from agentgym.moments import Moment, agreement, last_moment, moments, valued
from agentgym.types import StopReason, Trajectory
from tests.kit import sample
from tests.unit.trainers.kit import episode


def searched(values: Sequence[float | None], visits: Sequence[int | None], **changes: Any) -> Trajectory:
    one = episode([0.0] * len(values), **changes)
    for turn, value, num in zip(one.turns, values, visits, strict=True):
        turn.value, turn.visits = value, num
    return one


def test_a_moment_is_the_last_token_of_a_reply() -> None:
    """Tokens 1 | 5 9 | 2 | 6 6 9 | 3: the prompt, a reply, what was seen, a reply, what was seen."""
    one = sample([[5, 9], [6, 6, 9], []])
    assert one.token_ids.tolist() == [1, 5, 9, 2, 6, 6, 9, 3]
    assert moments(one) == [Moment(0, 2), Moment(1, 6)]
    assert moments(sample([])) == []


def test_the_last_turn_is_in_the_sample_that_was_last_spoken_in() -> None:
    parts = [sample([[5, 9]]), sample([[6, 6, 9]], prompt=11)]
    parts[1].turn_index[:] = 1
    one = episode([0.0, 1.0]).model_copy(update={"samples": parts})
    assert last_moment(one) == (parts[1], Moment(1, 3))
    assert last_moment(one.model_copy(update={"samples": parts[::-1]})) == (parts[1], Moment(1, 3))
    with pytest.raises(DataError, match="has no token that was said"):
        last_moment(one.model_copy(update={"samples": []}))


def test_episodes_that_go_the_same_way_share_a_mean() -> None:
    """All say [5, 9] first; then two say [6, 9], which earned 1 and 0, and one [7, 9], which earned 0.5."""
    group = [
        episode([0.0, 1.0], [[5, 9], [6, 9]], name="1"),
        episode([0.0, 0.0], [[5, 9], [6, 9]], name="2"),
        episode([0.5, 0.0], [[5, 9], [7, 9]], name="3"),
    ]
    assert valued(group, min_visits=2) == [[{2: 0.5, 5: 0.5}], [{}], [{5: 0.5}]]
    assert valued(group[::-1], min_visits=2) == [[{2: 0.5, 5: 0.5}], [{5: 0.5}], [{}]]
    assert valued(group[:1], min_visits=2) == [[{2: 1.0, 5: 1.0}]]


def test_other_tasks_and_seeds_are_other_moments() -> None:
    one = episode([1.0], [[5, 9]])
    others = [one.model_copy(update=change) for change in ({"task": 1}, {"seed": 1}, {"env": "y"})]
    assert valued([one, *others], min_visits=1) == [[{2: 1.0}]] * 4


def test_values_of_a_search_count_where_it_came_by_often_enough() -> None:
    one = searched([0.25, 0.75, None, 0.5], [4, 1, None, None])
    assert valued([one], min_visits=2) == [[{2: 0.25, 8: 0.0, 11: 0.5}]]
    assert valued([one], min_visits=1) == [[{2: 0.25, 5: 0.75, 8: 0.0, 11: 0.5}]]
    assert valued([one], min_visits=5) == [[{8: 0.0, 11: 0.5}]]


def test_of_several_values_the_most_visited_counts() -> None:
    few, many = searched([0.1], [2], name="few"), searched([0.9], [7], name="many")
    assert valued([few, many], min_visits=2) == [[{2: 0.9}], [{}]]
    assert valued([many, few], min_visits=8) == [[{}], [{}]]
    assert valued([episode([1.0]), few], min_visits=2) == [[{2: 0.1}], [{}]]


def test_unfit_episodes_have_no_part() -> None:
    void = episode([1.0], stop=StopReason.ENV_ERROR)
    unshaped = episode([1.0]).model_copy(update={"shaping_error": "failed"})
    assert valued([void, unshaped, episode([0.5])], min_visits=1) == [[{}], [{}], [{2: 0.5}]]


@given(st.lists(st.lists(st.integers(5, 7), min_size=1, max_size=3), min_size=1, max_size=6), st.data())
def test_each_moment_is_there_once_with_the_mean_of_whoever_passed(words: list[list[int]], data: st.DataObject) -> None:
    rewards = data.draw(st.lists(st.sampled_from([0.0, 0.5, 1.0]), min_size=len(words), max_size=len(words)))
    group = [
        episode([0.0] * (len(said) - 1) + [reward], [[word, 9] for word in said], name=str(number))
        for number, (said, reward) in enumerate(zip(words, rewards, strict=True))
    ]
    found: dict[tuple[int, ...], float] = {}
    for said, by_sample in zip(words, valued(group, min_visits=1), strict=True):
        for place, value in by_sample[0].items():
            prefix = tuple(said[: place // 3 + 1])
            assert prefix not in found
            found[prefix] = value
    prefixes = {tuple(said[:length]) for said in words for length in range(1, len(said) + 1)}
    assert found.keys() == prefixes
    for prefix, value in found.items():
        passed = [reward for said, reward in zip(words, rewards, strict=True) if tuple(said[: len(prefix)]) == prefix]
        assert value == pytest.approx(np.mean(passed))


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), max_size=8))
def test_agreement_is_the_share_of_pairs_in_order(scored: list[tuple[int, int]]) -> None:
    counts = [
        1.0 if (a[0] - b[0]) * (a[1] - b[1]) > 0 else 0.5 if a[0] == b[0] else 0.0
        for a, b in itertools.combinations(scored, 2)
        if a[1] != b[1]
    ]
    expected = sum(counts) / len(counts) if counts else 0.5
    assert agreement([a for a, _ in scored], [b for _, b in scored]) == pytest.approx(expected)
