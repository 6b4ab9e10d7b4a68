"""An environment where it lives: called directly, with the expert of its running episode and the moments it keeps."""

from __future__ import annotations

import collections
import itertools
import uuid
from collections.abc import Callable, Generator, Iterable, Sequence
from typing import Any, NamedTuple, TypeVar

from agentgym.boundary import checked_about, checked_action, checked_reset, checked_step, checked_tasks, shown
from agentgym.env import Env, Expert
from agentgym.errors import EnvError, UserError
from agentgym.loops import driven, then
from agentgym.snapshot import Mark, Snapshot
from agentgym.types import Action, Observation, StepResult, TaskId

__all__ = ["MAX_KEPT", "About", "Resident", "as_action"]

T = TypeVar("T")

MAX_KEPT = 256
"""Moments that one environment keeps; the one that was not asked for the longest goes first, and is then replayed."""
_PAST = "this passed the checks of agentgym.Env by: define the method in the class, not on the instance"


class About(NamedTuple):
    """What an environment says of itself."""

    name: str
    instructions: str
    max_turns: int
    corpus_episodes: int

    @classmethod
    def checked(cls, name: Any, instructions: Any, max_turns: Any, corpus_episodes: Any) -> About:
        """Raises EnvError for what it cannot mean."""
        try:
            return cls(*checked_about(name, instructions, max_turns, corpus_episodes))
        except ValueError as error:
            raise EnvError(f"{name!s:.80}: {error}") from None


class Resident:
    """One environment. What its methods return must be awaited where the environment is ``async``."""

    def __init__(self, env: Env) -> None:
        self.env = env
        self._expert: Expert | None = None
        self._knows_expert = False
        self._kept: collections.OrderedDict[str, Snapshot] = collections.OrderedDict()
        self._ids = map(f"{uuid.uuid4().hex}-{{}}".format, itertools.count())

    def about(self) -> About:
        """What it says of itself now. Raises EnvError."""
        env = self.env
        return About.checked(env.name, env.instructions, env.max_turns, env.corpus_episodes)

    def tasks(self, split: str) -> Sequence[TaskId]:
        """Task ids of a split. Raises EnvError for what is no list of them, and what the environment raises."""
        try:
            return checked_tasks(split, self.env.tasks(split))
        except ValueError as error:
            if isinstance(error, UserError):
                raise
            raise EnvError(f"{self.env.name}: {error}") from None

    def reset(self, seed: int | None, options: dict[str, Any] | None) -> Any:
        """(observation, info) of a new episode. Raises EnvError where the boundary was not crossed on the way."""
        self._expert, self._knows_expert = None, False
        return then(self.env.reset(seed=seed, options=options), _as_begun)

    def step(self, action: Action) -> Any:
        """The StepResult of one turn. Raises EnvError where the boundary was not crossed on the way."""
        return then(self.env.step(action), _as_result)

    def has_expert(self) -> bool:
        """Whether the running episode has an expert."""
        if not self._knows_expert:
            self._expert, self._knows_expert = self.env.expert(), True
        return self._expert is not None

    def expert(self, observation: Observation) -> Any:
        """What the expert says, as an Action; None where there is none. Raises EnvError for what is none."""
        if not self.has_expert() or self._expert is None:
            return None
        return then(self._expert(observation), as_action)

    def save(self) -> Any:
        """A Mark of this moment. Raises SnapshotError where there is no way back."""
        return driven(self._save())

    def load(self, mark: Mark) -> Any:
        """(observation, info) of the moment of ``mark``, which is replayed where it is not kept here.

        Its expert is made anew. Raises SnapshotError when a replay leads elsewhere.
        """
        self._expert, self._knows_expert = None, False
        if mark.id not in self._kept:
            return then(self.env.replay(mark), _as_begun)
        self._kept.move_to_end(mark.id)
        return then(self.env.restore(self._kept[mark.id]), _as_begun)

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
    """What an expert said, as an action. Raises EnvError for what is no text, or calls with what JSON cannot say."""
    if said is None:
        return None
    try:
        return checked_action(said)
    except ValueError as error:
        raise EnvError(str(error)) from None


def _as_begun(found: Any) -> tuple[Observation, dict[str, Any]]:
    """What a reset or a load came to. Raises EnvError where the boundary was not crossed on the way."""
    seen = found[0] if isinstance(found, tuple) and found and isinstance(found[0], Observation) else None
    begun = _past(lambda: checked_reset(found, seen))
    if seen is None:
        raise EnvError(f"reset returned {shown(found)}; {_PAST}")
    return begun


def _as_result(found: Any) -> StepResult:
    """What a step came to. Raises EnvError where the boundary was not crossed on the way."""
    if isinstance(found, StepResult) and isinstance(found.observation, Observation):
        return _past(lambda: checked_step(found, known=found.observation))
    raise EnvError(f"step returned {shown(found)}; {_PAST}")


def _past(check: Callable[[], T]) -> T:
    """What ``check`` returns: whoever looks like it need not have crossed the boundary."""
    try:
        return check()
    except ValueError as error:
        raise EnvError(f"{error}; {_PAST}") from None
