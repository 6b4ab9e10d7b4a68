"""The horizon: turns that an episode may have, which grow from phase to phase until there is no limit of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import agentgym
from agentgym.curricula.horizon import Horizon
from agentgym.curricula.uniform import Uniform
from agentgym.curriculum import Curriculum, drawn
from agentgym.draw import Draw
from agentgym.errors import ConfigError
from tests.unit.curricula.simulated import Learner


def test_each_phase_has_more_turns_and_after_the_last_there_is_no_limit() -> None:
    horizon = Horizon(range(50), seed=1, start=3, step=4, phase=2, phases=3)
    assert [horizon.draw(n).max_turns for n in range(8)] == [3, 3, 7, 7, 11, 11, None, None]
    assert [horizon.draw(n).task for n in range(60)] == [Uniform(range(50), seed=1).draw(n).task for n in range(60)]
    assert drawn(horizon, 2) == Draw(task=horizon.order[2], max_turns=7, strength=0.0)


ALL = 12
"""Turns that an episode may have anyhow; rung n takes 2 (n + 1)."""


def costs(make: Callable[[int], Curriculum], num_seeds: int = 4) -> tuple[float, float]:
    """Turns and episodes until six rungs are mastered, of which each takes two turns more than the one below."""
    turns = episodes = 0
    for seed in range(num_seeds):
        curriculum, learner, ordinal = make(seed), Learner(6, seed=seed), 0
        while not learner.has_mastered:
            draw = drawn(curriculum, ordinal)
            limit, needed = min(ALL, draw.max_turns or ALL), 2 * (int(draw.task) + 1)
            successes = learner.practise(int(draw.task), 4) if needed <= limit else [False] * 4
            turns += sum(needed if success else limit for success in successes)
            ordinal, episodes = ordinal + 1, episodes + 4
    return turns / num_seeds, episodes / num_seeds


def test_it_takes_fewer_turns_than_uniform_and_no_fewer_episodes() -> None:
    turns, episodes = costs(lambda seed: Horizon(range(6), seed=seed, start=4, step=4, phase=100, phases=2))
    turns_of_uniform, episodes_of_uniform = costs(lambda seed: Uniform(range(6), seed=seed))
    assert turns < 0.9 * turns_of_uniform
    assert episodes > 0.95 * episodes_of_uniform


@pytest.mark.parametrize("setting", ["start", "step", "phase", "phases"])
def test_bad_settings_are_told(setting: str) -> None:
    options: dict[str, Any] = {setting: 0}
    with pytest.raises(ConfigError, match=f"curriculum.{setting}: .*greater than or equal to 1, found 0"):
        agentgym.plugins("curricula").build("horizon", options, range(5), seed=0)
