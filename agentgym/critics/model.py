"""The reward model of a run as a critic: AgentRM's explicit one (arXiv 2502.18407).

Its score is what the episode is held to earn in the end, in the units of the rewards that it was trained on; of a model
that was trained on preferences only differences mean something, and ``compare`` is then its own probability.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from agentgym.critic import Critic, finite
from agentgym.errors import UserError
from agentgym.registry import register
from agentgym.types import Trajectory

if TYPE_CHECKING:
    from agentgym.learn.reward_model import RewardModel

__all__ = ["ModelCritic"]


@register
class ModelCritic(Critic):
    """What a reward model, trained with ``--trainer reward-model``, says an episode is worth."""

    def __init__(
        self,
        model: Path,
        *,
        device: Literal["auto", "cpu", "cuda"] = "auto",
        max_tokens: Annotated[int, Field(ge=1)] = 8192,
    ) -> None:
        """Say which one.

        Args:
            model: the directory of the run that trained it.
            device: where it is; auto is the first GPU, if there is one.
            max_tokens: tokens that one forward pass may hold; lower it when memory runs out.
        """
        self.model, self.device, self.max_tokens = model, device, max_tokens
        self._loaded: RewardModel | None = None

    async def open(self) -> None:
        """Raises UserError where the run has no reward model, DataError where it is damaged."""
        from agentgym.learn.reward_model import RewardModel

        self._loaded = await asyncio.to_thread(
            RewardModel.load, self.model, device=self.device, max_tokens=self.max_tokens
        )

    async def close(self) -> None:
        self._loaded = None

    async def score(self, trajectories: Sequence[Trajectory]) -> list[float]:
        """Raises DataError for an episode of another tokenizer, or without tokens."""
        if self._loaded is None:
            raise UserError(f"the reward model of {self.model} is not loaded yet; await critic.open() first")
        if not trajectories:
            return []
        return finite(await asyncio.to_thread(self._loaded.scores, trajectories))
