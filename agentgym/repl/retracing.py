"""A game that begins in the middle of an episode on record: its actions are played again, and what is seen is compared.

Nothing is believed: where an observation differs from the recorded one, the environment, its options or its randomness
are others than then, and that is said instead of playing on from somewhere else.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agentgym.env import Env
from agentgym.errors import DataError, UserError
from agentgym.repl.game import Game
from agentgym.rollout import Limits
from agentgym.rollout.context import clipped
from agentgym.types import Action, TaskId, Trajectory, Turn
from agentgym.visit import NO_EPISODE, Visit

__all__ = ["Retraced"]

_SHOWN = 120
"""Letters of an observation in an error."""


class Retraced(Game):
    """A game that stands, once it has begun, where ``episode`` stood before its turn number ``turn``, from 0.

    Its earlier turns can be taken back. ``start`` raises DataError where the episode comes out otherwise. Raises
    UserError for a turn that the episode does not have, and for one that was played with augmentations.
    """

    def __init__(self, env: Env, episode: Trajectory, turn: int) -> None:
        super().__init__(env, task=episode.task, seed=episode.seed)
        num = len(episode.turns)
        if not 0 <= turn <= num:
            raise UserError(f"turn is {turn}, expected 0 to {num}: the episode has {num} turns, and {num} is its end")
        if episode.strength:
            raise UserError(
                f"the episode was played with augmentations of strength {episode.strength:g}, which agentgym play does "
                "not have; choose one of strength 0: agentgym view RUN --json 'episodes?max_strength=0'"
            )
        self._visit = _Given(env, episode.options)
        self._episode, self._until, self._is_there = episode, turn, False

    async def start(self, **changes: Any) -> None:
        """Begin the episode; the first time, go on to the moment that was asked for."""
        await super().start(**changes)
        if self._is_there:
            return
        self._is_there = True
        for number, turn in enumerate(self._episode.turns[: self._until]):
            self._compare(number, turn.observation)
            await self._again(turn)
        if self._until < len(self._episode.turns):
            self._compare(self._until, self._episode.turns[self._until].observation)

    async def _again(self, turn: Turn) -> None:
        if turn.action is not None and not turn.is_summary:
            await self.act(Action(turn.action, tool_calls=turn.tool_calls), reply=turn.reply)
        else:  # the environment was not stepped
            self.refuse(turn.reply, str(turn.error))

    def _compare(self, number: int, recorded: str) -> None:
        found = str(clipped(self.now.observation, Limits().max_observation_chars))
        if found != recorded:
            at = next((i for i, (a, b) in enumerate(zip(found, recorded, strict=False)) if a != b), 0)
            shown = (text[max(0, at - 20) : at + _SHOWN] for text in (recorded, found))
            raise DataError(
                "before turn {} {} was seen, and now it is {}: the environment, its options or what it draws are not "
                "those of the record; give the options of the run".format(number, *map(repr, shown))
            )


class _Given(Visit):
    """A visit whose episodes begin with the options of the record, beside the task."""

    def __init__(self, env: Env, options: Mapping[str, Any]) -> None:
        super().__init__(env)
        self._options = options

    def _leave(self, task: TaskId | None, seed: int | None) -> Any:
        self.now = NO_EPISODE
        return self._resident.reset(seed, {**self._options, **({} if task is None else {"task": task})} or None)
