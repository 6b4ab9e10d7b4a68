"""The environment contract.

An environment is a ``gymnasium.Env`` over text: subclass ``Env``, write ``reset`` and ``step`` (plain or
``async``), return plain strings in Gymnasium's tuples. What the base class adds, so that no author has to:

- ``self.np_random`` is seeded before ``reset`` runs; a reset without a seed draws one, so every episode has
  a seed and can be repeated;
- tasks: without a ``tasks`` of its own an environment's tasks are seeds, with disjoint splits;
- what comes back from ``reset`` and ``step`` is checked at this boundary (arity, types, finite reward), as is
  a step after the end;
- ``snapshot`` and ``restore``: by replaying seed and actions and comparing what is then seen, or natively
  where the author writes ``get_state`` and ``set_state``.

Info keys with a meaning: ``success`` (bool, at the end; otherwise reward >= 1 counts as success) and
``invalid_action`` (what was wrong with an action that had no effect).
"""

from __future__ import annotations

import copy
import dataclasses
import functools
import hashlib
import inspect
import math
import numbers
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, TypeAlias

import gymnasium
import numpy as np

from agentgym.errors import EnvError, SnapshotError, UserError, did_you_mean
from agentgym.media import as_media
from agentgym.spaces import TextSpace
from agentgym.types import Action, Observation, StepResult, TaskId

__all__ = ["SPLITS", "Env", "Expert", "Snapshot"]

Expert: TypeAlias = Callable[[Observation], str | Action]
"""An oracle policy bound to one environment instance: observation → action."""

SPLITS = {
    "train": range(1_000_000),
    "validation": range(1_000_000, 1_001_000),
    "test": range(1_001_000, 1_002_000),
}
"""Seeds that serve as tasks where an environment has no tasks of its own."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """A moment of an episode. ``state`` is None where it is reached by replay."""

    seed: int
    options: dict[str, Any]
    actions: tuple[str, ...]
    observation: Observation
    info: dict[str, Any]
    done: bool
    rng: dict[str, Any]
    state: Any = None

    @property
    def digest(self) -> str:
        """Hash of what is seen at this moment."""
        return hashlib.blake2b(repr((str(self.observation), self.done)).encode(), digest_size=16).hexdigest()


class Env(gymnasium.Env[str, str]):
    """Base of every environment.

    Example, a whole environment (``echo.py``; its id is ``echo``)::

        @agentgym.register
        class Echo(agentgym.Env):
            def reset(self, *, seed=None, options=None):
                self.word = str(self.np_random.choice(["red", "blue"]))
                return f"Say {self.word}.", {}

            def step(self, action):
                return "Bye.", float(action == self.word), True, False, {}
    """

    plugin_kind: ClassVar[str] = "environments"
    metadata: dict[str, Any] = {"render_modes": ["ansi"]}  # noqa: RUF012  # as gymnasium.Env types it
    kind: ClassVar[str] = "text"
    """What sort of world it is: text, tools, web, game, …; for listing."""
    extra: ClassVar[str] = ""
    """The optional extra that it needs; for listing."""
    instructions: str = ""
    """What a policy must know of the actions; shown to it once, before the first observation."""
    corpus_episodes: ClassVar[int] = 200
    """Training episodes whose words make the vocabulary of a policy made from nothing; fewer where opening is slow."""
    max_turns: int = 15
    """Turns after which a rollout cuts the episode, unless it is told otherwise."""

    def __new__(cls, *args: Any, **kwargs: Any) -> Env:
        # Not in __init__: authors need not call super().__init__(), and spaces hold an RNG each.
        self = super().__new__(cls)
        self.observation_space, self.action_space = TextSpace(), TextSpace()
        self._seed, self._options, self._actions = 0, {}, []
        self._seen = None
        self._info, self._done, self._inside = {}, False, False
        return self

    _seed: int
    _options: dict[str, Any]
    _actions: list[str]
    _seen: Observation | None
    _info: dict[str, Any]
    _done: bool
    _inside: bool

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "reset" in cls.__dict__:
            cls.reset = _guarded(cls.__dict__["reset"], Env._before_reset, Env._after_reset)  # type: ignore[method-assign]
        if "step" in cls.__dict__:
            cls.step = _guarded(cls.__dict__["step"], Env._before_step, Env._after_step)  # type: ignore[method-assign]

    # -- written by authors --------------------------------------------------------------------------

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
        """Start an episode; ``options={"task": id}`` picks the task. Returns (observation, info)."""
        gymnasium.Env.reset(self, seed=seed)
        return "", {}

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        """One turn. Returns (observation, reward, terminated, truncated, info)."""
        raise NotImplementedError(f"{type(self).__name__} must define step(action)")

    def tasks(self, split: str) -> Sequence[TaskId]:
        """Task ids of "train", "validation" or "test"; the three share none. Raises UserError."""
        if split not in SPLITS:
            raise UserError(f'unknown split "{split}".{did_you_mean(split, SPLITS)} Known: {", ".join(SPLITS)}')
        return SPLITS[split]

    def expert(self) -> Expert | None:
        """An oracle policy for the running episode, or None where there is none."""
        return None

    @classmethod
    def preload(cls, **options: Any) -> None:
        """Load what all instances with these options share; processes of environments are forked after it."""

    def get_state(self) -> Any:
        """The episode's state, apart from ``np_random``. Define it with ``set_state`` where that is cheap."""
        return None

    def set_state(self, state: Any) -> None:
        """Go back to a state that ``get_state`` gave."""
        raise SnapshotError(f"{type(self).__name__} defines get_state but not set_state")

    # -- given to callers ----------------------------------------------------------------------------

    @property
    def has_own_tasks(self) -> bool:
        """False where tasks are seeds."""
        return type(self).tasks is not Env.tasks

    @property
    def name(self) -> str:
        """The id that the environment is registered under, or the class's name."""
        return getattr(type(self), "plugin_id", type(self).__name__)

    @property
    def seed(self) -> int:
        """The seed of the running episode."""
        return self._seed

    def render(self) -> str:
        """The last observation."""
        return str(self._seen or "")

    def snapshot(self) -> Snapshot:
        """This moment of the episode, to come back to. Raises SnapshotError before the first reset."""
        if self._seen is None:
            raise SnapshotError("nothing to save: call reset() first")
        return Snapshot(
            seed=self._seed,
            options=dict(self._options),
            actions=tuple(self._actions),
            observation=self._seen,
            info=self._info,
            done=self._done,
            rng=copy.deepcopy(dict(self.np_random.bit_generator.state)),
            state=self.get_state(),
        )

    def restore(self, snapshot: Snapshot) -> tuple[Observation, dict[str, Any]]:
        """Go back to ``snapshot``, which may come from another instance of the same environment.

        Returns (observation, info) of that moment. Raises SnapshotError when a replay leads elsewhere.
        """
        if snapshot.state is None:
            self._replay(snapshot)
        else:
            self.set_state(snapshot.state)
        self._seed, self._options = snapshot.seed, dict(snapshot.options)
        self._actions, self._done = list(snapshot.actions), snapshot.done
        self._seen, self._info = snapshot.observation, snapshot.info
        self.np_random.bit_generator.state = copy.deepcopy(snapshot.rng)
        return snapshot.observation, snapshot.info

    def _replay(self, snapshot: Snapshot) -> None:
        if inspect.iscoroutinefunction(inspect.unwrap(type(self).step)):
            raise SnapshotError(f"{type(self).__name__} is async: it needs get_state and set_state to be restored")
        self.reset(seed=snapshot.seed, options=dict(snapshot.options) or None)
        for action in snapshot.actions:
            self.step(action)
        assert self._seen is not None
        now = dataclasses.replace(snapshot, observation=self._seen, done=self._done)
        if now.digest != snapshot.digest:
            raise SnapshotError(
                f"{type(self).__name__} is not deterministic: seed {snapshot.seed} and {len(snapshot.actions)} actions "
                f"led to\n{now.observation[:200]!r}\ninstead of\n{snapshot.observation[:200]!r}"
            )

    # -- the boundary --------------------------------------------------------------------------------

    def _before_reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> dict[str, Any]:
        options = dict(options or {})
        if not self.has_own_tasks and options.get("task") is not None:
            seed = self._seed_from(options["task"])
        if seed is None:
            seed = int(self.np_random.integers(2**31))
        gymnasium.Env.reset(self, seed=seed)
        self._seed, self._options, self._actions = seed, options, []
        return {"seed": seed, "options": options}

    def _seed_from(self, task: Any) -> int:
        try:
            seed = int(task)
        except (TypeError, ValueError):
            seed = -1
        if seed < 0:
            raise UserError(f"task {task!r} does not exist: {self.name}'s tasks are seeds, numbers from 0 on")
        return seed

    def _after_reset(self, result: Any) -> tuple[Observation, dict[str, Any]]:
        if not (isinstance(result, tuple) and len(result) == 2):
            raise self._broken(f"reset returned {_shown(result)}, expected (observation, info)")
        self._seen, self._info = self._checked_observation(result[0]), self._checked_info(result[1])
        self._done = False
        return self._seen, self._info

    def _before_step(self, action: Any) -> dict[str, Any]:
        if self._seen is None or self._done:
            raise self._broken("step was called on an episode that is over; call reset() first")
        if not isinstance(action, str):
            raise self._broken(f"an action is text, found {_shown(action)}")
        self._actions.append(action)
        return {"action": action}

    def _after_step(self, result: Any) -> StepResult:
        if not (isinstance(result, tuple) and len(result) == 5):
            raise self._broken(
                f"step returned {_shown(result)}, expected (observation, reward, terminated, truncated, info)"
            )
        observation, reward, terminated, truncated, info = result
        if not isinstance(reward, numbers.Real) or not math.isfinite(reward):
            raise self._broken(f"step gave the reward {_shown(reward)}, expected a finite number")
        for name, flag in (("terminated", terminated), ("truncated", truncated)):
            if not isinstance(flag, bool | np.bool_):
                raise self._broken(f"step gave {name}={_shown(flag)}, expected True or False")
        self._seen, self._info = self._checked_observation(observation), self._checked_info(info)
        self._done = bool(terminated or truncated)
        return StepResult(self._seen, float(reward), bool(terminated), bool(truncated), self._info)

    def _checked_observation(self, value: Any) -> Observation:
        if not isinstance(value, str):
            raise self._broken(f"an observation is text, found {_shown(value)}")
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise self._broken(f"an observation is text that UTF-8 can carry, found {_shown(value)}: {error}") from None
        observation = Observation.of(value)
        return self._with_media(observation) if observation.images else observation

    def _with_media(self, observation: Observation) -> Observation:
        images = []
        for index, image in enumerate(observation.images):
            try:
                images.append(as_media(image))
            except ValueError as error:
                raise self._broken(f"images[{index}] is {error}") from None
        return Observation(observation, admissible=observation.admissible, tools=observation.tools, images=images)

    def _checked_info(self, value: Any) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise self._broken(f"info is a dict, found {_shown(value)}")
        return value

    def _broken(self, what: str) -> EnvError:
        return EnvError(f"{type(self).__name__}: {what} (seed {self._seed}, after {len(self._actions)} actions)")


def _shown(value: Any) -> str:
    text = repr(value)
    return f"{type(value).__name__} {text if len(text) <= 120 else text[:120] + '…'}"


def _guarded(method: Callable[..., Any], before: Callable[..., Any], after: Callable[..., Any]) -> Callable[..., Any]:
    """Put the boundary around an author's ``reset`` or ``step``, once per call however often it calls super()."""

    def enter(self: Env, *args: Any, **kwargs: Any) -> dict[str, Any]:
        arguments: dict[str, Any] = before(self, *args, **kwargs)
        self._inside = True
        return arguments

    if inspect.iscoroutinefunction(method):

        @functools.wraps(method)
        async def guarded_async(self: Env, *args: Any, **kwargs: Any) -> Any:
            if self._inside:
                return await method(self, *args, **kwargs)
            arguments = enter(self, *args, **kwargs)
            try:
                result = await method(self, **arguments)
            finally:
                self._inside = False
            return after(self, result)

        return guarded_async

    @functools.wraps(method)
    def guarded(self: Env, *args: Any, **kwargs: Any) -> Any:
        if self._inside:
            return method(self, *args, **kwargs)
        arguments = enter(self, *args, **kwargs)
        try:
            result = method(self, **arguments)
        finally:
            self._inside = False
        return after(self, result)

    return guarded
