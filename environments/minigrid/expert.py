"""BabyAI's bot, which solves all levels of BabyAI's paper, as an expert from anywhere in an episode.

The bot must see an episode from its beginning, because it keeps a plan and a map of what it has seen. So it plays in a
copy of the world, which is led along the actions that were taken, and says what it would do next.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from agentgym.environments.minigrid.package import bot_of, make_world

__all__ = ["Guide"]


class Guide:
    """The bot of one kind of world."""

    def __init__(self, id: str) -> None:
        self.world = make_world(id)
        self.seed: int | None = None
        self.taken: list[int] = []

    def advice(self, seed: int, taken: Sequence[int]) -> int:
        """The bot's action in the world of ``seed`` after the actions ``taken``."""
        if seed != self.seed or list(taken[: len(self.taken)]) != self.taken:
            self._begin(seed)
        for action in taken[len(self.taken) :]:
            self._follow(action)
        return self.suggested

    def _begin(self, seed: int) -> None:
        self.world.reset(seed=seed)
        self.bot: Any = bot_of(self.world)
        self.seed, self.taken = seed, []
        self.suggested = int(self.bot.replan())

    def _follow(self, action: int) -> None:
        self.world.step(action)
        self.taken.append(action)
        self.suggested = int(self.bot.replan(action))
