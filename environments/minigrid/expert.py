"""BabyAI's bot, which solves all levels of BabyAI's paper, as an expert from almost anywhere in an episode.

The bot must see an episode from its beginning, because it keeps a plan and a map of what it has seen. So it plays in a
copy of the world, which is led along the actions that were taken, and says what it would do next. It gives up where
somebody else has brought it into what it does not foresee, such as a box that was opened.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from agentgym.environments.minigrid.package import bot_of, make_world
from agentgym.errors import EnvError

__all__ = ["BAFFLING", "BotGivesUp", "Guide"]

BAFFLING = (
    "BabyAI-KeyInBox-v0",
    "BabyAI-PutNextS5N2Carrying-v0",
    "BabyAI-PutNextS6N3Carrying-v0",
    "BabyAI-PutNextS7N4Carrying-v0",
)
"""Worlds in which it never wins: it looks into no box, and puts down nothing that it did not pick up itself."""


class BotGivesUp(EnvError):
    """The bot does not know what to do here."""


class Guide:
    """The bot of one kind of world."""

    def __init__(self, id: str) -> None:
        self.world = make_world(id)
        self.seed: int | None = None
        self.taken: list[int] = []

    def advice(self, seed: int, taken: Sequence[int]) -> int:
        """The bot's action in the world of ``seed`` after the actions ``taken``. Raises BotGivesUp."""
        try:
            return self._advice(seed, taken)
        except Exception as error:  # an assertion of its plan, or any of its own errors
            self.seed = None
            why = f"{type(error).__name__} {error}".strip()
            raise BotGivesUp(f"BabyAI's bot gives up after {len(taken)} actions (seed {seed}): {why}") from error

    def _advice(self, seed: int, taken: Sequence[int]) -> int:
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
