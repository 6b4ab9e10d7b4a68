"""A reward model as a critic: opened, closed, and what is no score. That it scores is tested with its trainer."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from pathlib import Path

import pytest

import agentgym
from agentgym.critics.model import ModelCritic
from agentgym.errors import JudgeError, UserError
from agentgym.types import Trajectory
from tests.kit import episode


class Says:
    """In place of a reward model."""

    def __init__(self, *scores: float) -> None:
        self.given = scores

    def scores(self, trajectories: Sequence[Trajectory]) -> list[float]:
        return list(self.given[: len(trajectories)])


def test_one_that_is_not_open_says_so(tmp_path: Path) -> None:
    critic = ModelCritic(tmp_path)
    with pytest.raises(UserError, match=r"is not loaded yet; await critic\.open\(\) first"):
        asyncio.run(critic.score([episode(0.0)]))
    asyncio.run(critic.close())
    with pytest.raises(UserError, match="is no run"):
        asyncio.run(critic.open())


@pytest.mark.parametrize("score", [math.nan, math.inf])
def test_a_score_that_is_no_number_is_a_failure(score: float, tmp_path: Path) -> None:
    critic = ModelCritic(tmp_path)
    critic._loaded = Says(0.5, score)  # type: ignore[assignment]
    assert asyncio.run(critic.score([episode(0.0)])) == [0.5]
    assert asyncio.run(critic.score([])) == []
    with pytest.raises(JudgeError, match="expected a finite number"):
        asyncio.run(critic.score([episode(0.0), episode(0.0)]))


def test_a_difference_is_a_chance(tmp_path: Path) -> None:
    critic = ModelCritic(tmp_path)
    critic._loaded = Says(2.0, 1.0)  # type: ignore[assignment]
    assert asyncio.run(critic.compare(episode(0.0), episode(0.0))) == pytest.approx(1 / (1 + math.exp(-1)))


def test_it_is_chosen_by_name() -> None:
    made = agentgym.plugins("critics").build("model", {"model": "runs/mine", "max_tokens": 64})
    assert (made.model, made.device, made.max_tokens) == (Path("runs/mine"), "auto", 64)
