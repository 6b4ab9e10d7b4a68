"""Rewards that say nothing: those of a group, dealt out among its episodes anew."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from agentgym import register
from agentgym.learn.nano_settings import WISHES
from agentgym.reward import Shaper
from agentgym.rollout import seed_of
from agentgym.types import Trajectory

SUCCESS = float(WISHES["rewards"]["success"]["weight"])
"""What a success is worth on top, as in the main job."""


@register
class Shuffled(Shaper):
    """Adds to each episode what makes its reward that of another of the group."""

    async def shape(self, group: Sequence[Trajectory]) -> list[list[float]]:
        earned = [each.environment_reward for each in group]
        worth = [reward + SUCCESS * each.success for reward, each in zip(earned, group, strict=True)]
        order = np.random.default_rng(seed_of("shuffled", group[0].episode_id)).permutation(len(group))
        return [
            [0.0] * (len(each.turns) - 1) + [worth[place] - own] if each.turns else []
            for each, place, own in zip(group, order, earned, strict=True)
        ]
