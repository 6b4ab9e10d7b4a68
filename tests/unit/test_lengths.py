"""Lengths as rewards: by hand, and against a slow reference."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentgym.lengths import length_rewards


def test_lengths_by_hand() -> None:
    # Correct ones of 100 and 300 tokens: mean 200, population std 100, z = -1 and 1, exp(0.05) and exp(-0.05)
    found = length_rewards([True, False, True], [100, 900, 300], epsilon=0.0)
    assert found == pytest.approx([1.0512711, -1.0, 0.9512294])
    assert length_rewards([True, False], [120, 80]) == [1.0, -1.0]
    assert length_rewards([False, False], [120, 80]) == [-1.0, -1.0]
    assert length_rewards([True, True], [50, 50]) == [1.0, 1.0]


@given(st.lists(st.tuples(st.booleans(), st.integers(1, 500)), min_size=1, max_size=7))
def test_lengths_against_a_slow_reference(episodes: list[tuple[bool, int]]) -> None:
    right = [length for correct, length in episodes if correct]
    expected = []
    for correct, length in episodes:
        if not correct:
            expected.append(-1.0)
            continue
        mean = sum(right) / len(right)
        deviation = math.sqrt(sum((other - mean) ** 2 for other in right) / len(right))
        expected.append(math.exp(-0.05 * (length - mean) / (deviation + 1e-6)))
    assert length_rewards(*map(list, zip(*episodes, strict=True))) == pytest.approx(expected, rel=1e-6)


def test_a_missing_length_is_refused() -> None:
    with pytest.raises(ValueError, match="found 1 for 2"):
        length_rewards([True, False], [10])
