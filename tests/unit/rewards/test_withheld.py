"""What the environment paid, taken back."""

from __future__ import annotations

import asyncio

from agentgym.reward import as_shaper
from agentgym.rewards.withheld import withheld
from agentgym.rollout.shaping import Weighted, shape
from tests.kit import episode


def test_nothing_of_the_environments_own_is_left_and_reports_still_have_it() -> None:
    played = episode(0.25, -0.5, 1.0)
    asyncio.run(shape([played], [Weighted("withheld", 1.0, as_shaper(withheld))]))
    assert [turn.reward for turn in played.turns] == [0.0, 0.0, 0.0]
    assert played.environment_reward == 0.75
    assert [turn.breakdown["withheld"] for turn in played.turns] == [-0.25, 0.5, -1.0]


def test_a_weight_below_one_leaves_the_rest() -> None:
    played = episode(0.5, 1.0)
    asyncio.run(shape([played], [Weighted("withheld", 0.75, as_shaper(withheld))]))
    assert played.reward == 0.375
