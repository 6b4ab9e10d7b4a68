"""The closed form: by hand, against integrals, and beside the simulation."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from agentgym.simulation import Constant, Lognormal, Simulation, Speed, Workload, cycle
from agentgym.simulation.staleness import Begin, mean_floor, slowest
from tests.unit.simulation.kit import plan


@pytest.mark.parametrize(
    ("start", "first", "second"),
    [(0.3, 1.7, 0.4), (2.9, 0.0, 0.5), (0.0, 3.1, 3.1), (1.5, 1e-9, 1e-9), (0.2, 0.5, 5.5)],
)
def test_the_mean_of_a_floor_is_that_of_many(start: float, first: float, second: float) -> None:
    one, other = np.meshgrid(np.linspace(0, 1, 2001), np.linspace(0, 1, 2001))
    assert mean_floor(start, first, second) == pytest.approx(
        np.floor(start + first * one + second * other).mean(), abs=2e-3
    )


def test_the_slowest_is_the_largest_of_many() -> None:
    rng = np.random.default_rng(0)
    sample = rng.lognormal(0, 1, 2000)
    ends = rng.choice(sample, (4000, 20)) + rng.uniform(0, 2, (4000, 20))
    assert slowest(sample, 20, [Begin(1.0, 0.0, 2.0)]) == pytest.approx(ends.max(1).mean(), rel=0.03)


def test_by_hand() -> None:
    """Episodes of a second, all alike; seconds of a cycle, and the mean staleness."""
    sixteen: dict[str, Any] = {"durations": [1.0], "episodes": 16, "actors": 16}
    learner = cycle(**sixteen, learn=3.0, max_staleness=2)  # played within the cycle: all tokens are 2 old
    assert (learner.seconds, learner.staleness, learner.bound_by) == (3.0, 2.0, "learner")
    bound = cycle(
        [1.0], episodes=16, actors=64, learn=0.2, max_staleness=1
    )  # (1 + 0.2) / 2; tokens after 0.6 s see one publication
    assert bound.seconds == pytest.approx(0.6, abs=1e-3)
    assert bound.staleness == pytest.approx(0.6, abs=2e-3)
    assert bound.bound_by == "staleness"
    actors = cycle([1.0], episodes=1000, actors=10, learn=20.0, max_staleness=3)  # (1 + 20 - 0.5) / 100
    assert (actors.seconds, actors.bound_by) == (100.0, "actors")
    assert actors.staleness == pytest.approx(0.205, abs=3e-3)
    assert actors.wait == pytest.approx(4 * 100 - 101 - 20, abs=0.5)
    assert cycle(**sixteen, learn=0.5, publish=0.25, max_staleness=0).seconds == pytest.approx(1.75, abs=1e-3)


def test_tokens_weigh_episodes() -> None:
    """One of two episodes is three seconds long; while the short one is played nothing is published."""
    said = [
        cycle([1.0, 3.0], episodes=2, actors=8, learn=2.0, max_staleness=3, tokens=tokens)
        for tokens in ([1, 0], [0, 1], [1, 1])
    ]
    assert said[0].staleness == pytest.approx(3.0)
    assert said[1].staleness == pytest.approx(3.0 - 1 / 3, abs=1e-3)
    assert said[2].staleness == pytest.approx((said[0].staleness + said[1].staleness) / 2)


@pytest.mark.parametrize("actors", [8, 32])
@pytest.mark.parametrize("learn", [0.3, 0.7, 1.3])
@pytest.mark.parametrize("max_staleness", [0, 1, 2, 3])
def test_it_is_within_a_tenth_of_the_simulation(actors: int, learn: float, max_staleness: int) -> None:
    """``learn`` is a share of the seconds of playing."""
    episodes = 3 * actors
    draft = Workload(
        turns=Constant(4), reply_tokens=Constant(4), step=Lognormal(0.2, 0.8), speed=Speed(0.01, 0.0), learn=0
    )
    seconds = learn * 3 * draft.alone
    work = Workload(
        turns=draft.turns, reply_tokens=draft.reply_tokens, step=draft.step, speed=draft.speed, learn=seconds / episodes
    )
    course = plan(actors=actors, groups=episodes // 4, group_size=4, max_staleness=max_staleness, updates=90)
    model = Simulation(course, work)
    outcome = model.run()
    said = cycle(
        model.durations,
        episodes=episodes,
        actors=actors,
        learn=seconds,
        max_staleness=max_staleness,
        tokens=model.tokens,
        answer=draft.step.mean,
    )
    assert said.staleness == pytest.approx(outcome.staleness, rel=0.1)
    assert said.seconds == pytest.approx(outcome.seconds_per_update, rel=0.1)
