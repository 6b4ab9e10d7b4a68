"""The environment contract.

An environment is a ``gymnasium.Env`` over text: subclass ``Env``, write ``reset`` and ``step`` (plain or
``async``), return plain strings in Gymnasium's tuples. What the base class adds, so that no author has to:

- ``self.np_random`` is seeded before ``reset`` runs; a reset without a seed draws one, so every episode has
  a seed and can be repeated;
- tasks: without a ``tasks`` of its own an environment's tasks are seeds, with disjoint splits;
- what comes back from ``reset`` and ``step`` is checked at this boundary (arity, types, finite rewards and their sum,
  actions, tools, info; see ``agentgym.boundary``), as is a step after the end;
- ``snapshot`` and ``restore``: by replaying seed and actions and comparing what is then seen, or natively
  where the author writes ``get_state`` and ``set_state``; see ``agentgym.snapshot``.

Info keys with a meaning: ``success`` (True or False, at the end; otherwise reward >= 1 counts as success),
``invalid_action`` (text: what was wrong with an action that had no effect) and ``channels`` (named numbers that rewards
can be made of, such as ``{"progress": 0.5}``; they go on record with the turn).
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Generator, Sequence
from typing import Any, ClassVar, Literal, TypeAlias

import gymnasium

from agentgym.blame import home
from agentgym.boundary import checked_reset, checked_step, guarded, is_guarded, shown
from agentgym.errors import EnvError, SnapshotError, UserError, did_you_mean
from agentgym.hint import Hint
from agentgym.loops import driven
from agentgym.pickling import reduced
from agentgym.snapshot import Copied, Past, Snapshot, digest_of
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


_KEPT_HERE = frozenset(
    (
        *("_seed", "_options", "_actions", "_digests", "_seen", "_info", "_done", "_total", "_inside", "_made_with"),
        *("_np_random", "_np_random_seed", "observation_space", "action_space", "instructions", "max_turns"),
    )
)
"""Attributes that the base class itself brings back with a moment, or that hold no part of an episode."""


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
    metadata: dict[str, Any] = {"render_modes": ["ansi"], "render_fps": 4}  # noqa: RUF012  # as gymnasium.Env types it
    kind: ClassVar[str] = "text"
    """What sort of world it is: text, tools, web, game, …; for listing."""
    extra: ClassVar[str] = ""
    """The optional extra that it needs; for listing."""
    instructions: str = ""
    """What a policy must know of the actions; shown to it once, before the first observation."""
    corpus_episodes: ClassVar[int] = 200
    """Training episodes whose words make the vocabulary of a policy made from nothing; fewer where opening is slow."""
    hints: ClassVar[tuple[Hint, ...]] = ()
    """What may be added to its errors in training, the first that fits; by "error-hints"."""
    max_turns: int = 15
    """Turns after which a rollout cuts the episode, unless it is told otherwise; so do ``gymnasium.make`` and a server.

    The class's is that of the default options. The constructor may set another, and ``reset`` may change this one and
    ``instructions``.
    """
    restored_by: ClassVar[Literal["copy", "replay", "none"]] = "replay"
    """How a moment is come back to without ``get_state``: "copy" where copies of the attributes are the whole state."""

    def __new__(cls, *args: Any, **kwargs: Any) -> Env:
        # Not in __init__: authors need not call super().__init__(), and spaces hold an RNG each.
        self = super().__new__(cls)
        self.observation_space, self.action_space = TextSpace(), TextSpace()
        self._seed, self._options, self._actions, self._digests = 0, {}, [], []
        self._seen = None
        self._info, self._done, self._inside = {}, False, False
        self._total = 0.0
        self._made_with = args, kwargs
        return self

    def __reduce_ex__(self, protocol: Any) -> Any:
        return reduced(self, protocol)

    _seed: int
    _options: dict[str, Any]
    _actions: list[str]
    _digests: list[str]
    _seen: Observation | None
    _info: dict[str, Any]
    _done: bool
    _inside: bool
    _total: float
    """Rewards of the running episode so far."""
    _made_with: tuple[tuple[Any, ...], dict[str, Any]]
    """Arguments of the constructor."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        # Also those that come from a class beside this one, which is no environment itself.
        if not is_guarded(cls.reset):
            cls.reset = guarded(cls.reset, _of("_before_reset"), _of("_after_reset"))  # type: ignore[method-assign]
        if not is_guarded(cls.step):
            cls.step = guarded(cls.step, _of("_before_step"), _of("_after_step"))  # type: ignore[method-assign]

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
        """The episode's state, apart from ``np_random``. Define it with ``set_state`` where that is cheap.

        None is no state: then the moment is come back to as ``restored_by`` says. Both may be ``async``.
        """
        return None

    def set_state(self, state: Any) -> Any:
        """Go back to a state that ``get_state`` gave."""
        raise SnapshotError(f"{type(self).__name__} defines get_state but not set_state")

    # -- given to callers ----------------------------------------------------------------------------

    @property
    def has_own_tasks(self) -> bool:
        """False where tasks are seeds."""
        return type(self).tasks is not Env.tasks

    @property
    def is_async(self) -> bool:
        """Whether ``reset`` or ``step`` must be awaited."""
        return any(map(inspect.iscoroutinefunction, (type(self).reset, type(self).step)))

    @property
    def expert_may_lose(self) -> bool:
        """Whether the expert may lose, by bad luck or because it errs: then nobody expects nine wins in ten of it."""
        return False

    @property
    def name(self) -> str:
        """The id that the environment is registered under, or the class's name."""
        return str(vars(type(self)).get("plugin_id", type(self).__name__))

    @property
    def seed(self) -> int:
        """The seed of the running episode."""
        return self._seed

    def render(self) -> str:
        """The last observation."""
        return str(self._seen or "")

    def snapshot(self) -> Any:
        """This moment of the episode, to come back to: a Snapshot, to be awaited where ``get_state`` is ``async``.

        Raises SnapshotError before the first reset, and where there is no way back.
        """
        return driven(self._snapshot())

    def restore(self, snapshot: Snapshot) -> Any:
        """Go back to ``snapshot``, which may come from another instance of the same environment.

        Returns (observation, info) of that moment, to be awaited where the environment is ``async`` and is replayed.
        Raises SnapshotError when a replay leads elsewhere.
        """
        return driven(self._restored(snapshot))

    def replay(self, past: Past) -> Any:
        """Come to the moment that ``past`` led to by taking its actions again, each compared with what it showed.

        Returns (observation, info), to be awaited where the environment is ``async``. Raises SnapshotError, which names
        the turn, at the first that shows something else.
        """
        return driven(self._replayed(past))

    def _snapshot(self) -> Generator[Any, Any, Snapshot]:
        if self._seen is None:
            raise SnapshotError("nothing to save: call reset() first")
        self._check_last_step()
        state = yield self.get_state()
        if state is None and self.restored_by == "none":
            raise SnapshotError(f"{self.name} cannot be saved: there is no way back to a moment of it")
        if state is None and self.restored_by == "copy":
            state = Copied(self, but=_KEPT_HERE)
        return self._moment(state)

    def _moment(self, state: Any = None) -> Snapshot:
        """This moment, with a state to go back to or, without one, to be replayed."""
        self._check_last_step()
        assert self._seen is not None
        return Snapshot(
            seed=self._seed,
            options=dict(self._options),
            actions=tuple(self._actions),
            digests=tuple(self._digests),
            observation=self._seen,
            info=dict(self._info),  # an author may go on with one and the same
            done=self._done,
            total=self._total,
            rng=dict(self.np_random.bit_generator.state),
            instructions=self.instructions,
            max_turns=self.max_turns,
            state=state,
        )

    def _check_last_step(self) -> None:
        if len(self._digests) != len(self._actions) + 1:
            raise SnapshotError(f"{self.name} cannot be saved: its last step raised")

    def _restored(self, snapshot: Snapshot) -> Generator[Any, Any, tuple[Observation, dict[str, Any]]]:
        state = snapshot.state
        if state is None or (isinstance(state, Copied) and state.env is not self):
            yield from self._replayed(snapshot)
        elif isinstance(state, Copied):
            state.bring_back()
        else:
            yield self.set_state(state)
        self._seed, self._options = snapshot.seed, dict(snapshot.options)
        self._actions, self._digests = list(snapshot.actions), list(snapshot.digests)
        self._seen, self._info = snapshot.observation, dict(snapshot.info)
        self._done, self._total = snapshot.done, snapshot.total
        self.np_random.bit_generator.state = snapshot.rng
        for name in ("instructions", "max_turns"):
            if getattr(self, name) != getattr(snapshot, name):  # a reset changed them there, or here
                setattr(self, name, getattr(snapshot, name))
        return self._seen, self._info

    def _replayed(self, past: Past) -> Generator[Any, Any, tuple[Observation | None, dict[str, Any]]]:
        yield self.reset(seed=past.seed, options=dict(past.options))
        self._must_agree(past)
        for action in past.actions:
            if self._done:
                raise SnapshotError(f"{self._differs(past)} is the end, with actions left to take")
            yield self.step(action)
            self._must_agree(past)
        return self._seen, self._info

    def _must_agree(self, past: Past) -> None:
        turn = len(self._actions)
        if self._digests[turn] == past.digests[turn]:
            return
        seen = past.observation if isinstance(past, Snapshot) and turn == past.num_turns else None
        instead = "something else than before" if seen is None or seen == self._seen else f"not {seen[:200]!r}"
        raise SnapshotError(f"{self._differs(past)} shows {str(self._seen)[:200]!r}, {instead}")

    def _differs(self, past: Past) -> str:
        turn = f"turn {len(self._actions)} of {past.num_turns}"
        return f"{type(self).__name__} is not deterministic: replayed with seed {past.seed}, {turn}"

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
        try:
            self._seen, self._info = checked_reset(result, self._seen)
        except ValueError as error:
            raise self._broken(f"{error}{_written(self.reset)}") from None
        self._done, self._total = False, 0.0
        self._digests = [digest_of(StepResult(self._seen, 0.0, False, False, self._info))]
        return self._seen, self._info

    def _before_step(self, *said: Any, **named: Any) -> tuple[str]:
        if len(said) + len(named) != 1:
            raise self._broken(f"step takes one action, found {len(said) + len(named)} arguments")
        [action] = (*said, *named.values())
        if self._seen is None or self._done:
            raise self._broken("step was called on an episode that is over; call reset() first")
        if not isinstance(action, str):
            raise self._broken(f"an action is text, found {shown(action)}")
        self._actions.append(action)
        return (action,)

    def _after_step(self, result: Any) -> StepResult:
        try:
            turn = checked_step(result, self._total, self._seen)
        except ValueError as error:
            raise self._broken(f"{error}{_written(self.step)}") from None
        self._seen, self._info = turn.observation, turn.info
        self._done = turn.terminated or turn.truncated
        self._total += turn.reward
        self._digests.append(digest_of(turn))
        return turn

    def _broken(self, what: str) -> EnvError:
        return EnvError(f"{type(self).__name__}: {what} (seed {self._seed}, after {len(self._actions)} actions)")


def _of(name: str) -> Callable[..., Any]:
    """The method of that name of the class that an environment is of, which may inherit ``reset`` and ``step``."""
    return lambda env, *args, **named: getattr(type(env), name)(env, *args, **named)


def _written(method: Callable[..., Any]) -> str:
    """Where an author wrote the method that returned what is told."""
    where = home(method)
    return f"; {method.__name__} is at {where}" if where else ""
