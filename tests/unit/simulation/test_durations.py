"""Distributions: what is drawn has the mean that is said, and is the same for the same seed."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from agentgym.simulation import Constant, Counted, Durations, Lognormal
from agentgym.simulation.durations import drawn


@pytest.mark.parametrize("durations", [Constant(2.5), Lognormal(0.5, 1.0), Counted({1.0: 3, 5.0: 1})])
def test_the_mean_is_that_of_what_is_drawn(durations: Durations) -> None:
    numbers = durations.draw(np.random.default_rng(0), 400_000)
    assert numbers.mean() == pytest.approx(durations.mean, rel=0.02)
    assert numbers.min() > 0


def test_counts_are_shares() -> None:
    numbers = Counted({1.0: 3, 5.0: 1}).draw(np.random.default_rng(0), 100_000)
    assert set(numbers) == {1.0, 5.0}
    assert (numbers == 1.0).mean() == pytest.approx(0.75, abs=0.01)


def test_sigma_is_of_the_logarithm() -> None:
    numbers = np.log(Lognormal(3.0, 0.5).draw(np.random.default_rng(0), 100_000))
    assert numbers.std() == pytest.approx(0.5, rel=0.02)


def test_blocks_follow_each_other() -> None:
    first, again = (list(itertools.islice(drawn(Lognormal(1, 1), np.random.default_rng(3)), 5000)) for _ in range(2))
    assert first == again
    assert len(set(first)) == 5000
