"""An environment where it lives: called directly, with the expert of its running episode and the moments it keeps."""

from __future__ import annotations

import collections
import itertools
import uuid
from collections.abc import Generator, Iterable
from typing import Any

from agentgym.env import Env, Expert
from agentgym.errors import EnvError
from agentgym.loops import driven
from agentgym.snapshot import Mark, Snapshot
from agentgym.types import Action, Observation

__all__ = ["MAX_KEPT", "Resident", "as_action"]

MAX_KEPT = 256
"""Moments that one environment keeps; the one that was not asked for the longest goes first, and is then replayed."""


class Resident:
    """One environment. What its methods return must be awaited where the environment is ``async``."""

    def __init__(self, env: Env) -> None:
        self.env = env
        self._expert: Expert | None = None
        self._knows_expert = False
        self._kept: collections.OrderedDict[str, Snapshot] = collections.OrderedDict()
        self._ids = map(f"{uuid.uuid4().hex}-{{}}".format, itertools.count())

    def reset(self, seed: int | None, options: dict[str, Any] | None) -> Any:
        """(observation, info) of a new episode."""
        self._expert, self._knows_expert = None, False
        return self.env.reset(seed=seed, options=options)

    def step(self, action: Action) -> Any:
        """The StepResult of one turn."""
        return self.env.step(action)

    def expert(self, observation: Observation) -> Any:
        """What the expert says; None where there is none."""
        if not self._knows_expert:
            self._expert, self._knows_expert = self.env.expert(), True
        return None if self._expert is None else self._expert(observation)

    def save(self) -> Any:
        """A Mark of this moment. Raises SnapshotError where there is no way back."""
        return driven(self._save())

    def load(self, mark: Mark) -> Any:
        """(observation, info) of the moment of ``mark``, which is replayed where it is not kept here.

        Its expert is made anew. Raises SnapshotError when a replay leads elsewhere.
        """
        self._expert, self._knows_expert = None, False
        if mark.id not in self._kept:
            return self.env.replay(mark)
        self._kept.move_to_end(mark.id)
        return self.env.restore(self._kept[mark.id])

    def forget(self, ids: Iterable[str]) -> None:
        """Keep these moments no longer. Unknown ones are fine."""
        for id in ids:
            self._kept.pop(id, None)

    def close(self) -> Any:
        """Close the environment."""
        self._kept.clear()
        return self.env.close()

    def _save(self) -> Generator[Any, Any, Mark]:
        snapshot: Snapshot = yield self.env.snapshot()
        mark = Mark.of(snapshot, next(self._ids))
        self._kept[mark.id] = snapshot
        if len(self._kept) > MAX_KEPT:
            self._kept.popitem(last=False)
        return mark


def as_action(said: Any) -> Action | None:
    """What an expert said, as an action. Raises EnvError when it is no text."""
    if said is None or isinstance(said, Action):
        return said
    if not isinstance(said, str):
        raise EnvError(f"an expert says text, found {type(said).__name__} {said!r:.120}")
    return Action(said)
