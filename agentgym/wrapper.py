"""Environments around environments.

A ``Wrapper`` is an environment that changes another one on its way in or out: what is seen, what is done, what is paid.
The rest of the contract is the wrapped environment's: tasks, expert, instructions, turns, spaces, snapshots.
``adopted`` makes one of Gymnasium's own wrappers around an environment of ours, so that a rollout can play it.

    @agentgym.register
    class Whispering(agentgym.Wrapper):
        def __init__(self, level: str = "b3"):
            super().__init__(agentgym.make("blocksworld", level=level))

        def observation(self, seen):
            return seen.lower()
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from typing import Any

import gymnasium
import numpy as np
from gymnasium import wrappers

from agentgym.env import Env, Expert
from agentgym.errors import UserError
from agentgym.loops import must_wait, run, settled, then
from agentgym.types import Observation, StepResult, TaskId, succeeded

__all__ = ["Settled", "Wrapper", "adopted"]


class _Inner:
    """An attribute that the wrapped environment has the say on, until the wrapper sets its own."""

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, wrapper: Wrapper | None, owner: type) -> Any:
        return getattr(Env if wrapper is None else wrapper.env, self._name)


class _WayBack(_Inner):
    """How the wrapped environment is restored; one of which a copy is the state is not copied from outside."""

    def __get__(self, wrapper: Wrapper | None, owner: type) -> Any:
        way = super().__get__(wrapper, owner)
        return "replay" if way == "copy" else way


class Wrapper(Env):
    """An environment around ``env``; subclasses override what they change.

    ``observation``, ``action`` and ``reward`` change one thing each, whether the wrapped environment is plain or
    ``async``. ``reset`` and ``step`` can be overridden as those of any environment. ``np_random`` is the wrapper's own,
    seeded with the episode's seed: what it draws changes nothing in the wrapped environment.
    """

    metadata = _Inner()
    kind = _Inner()
    extra = _Inner()
    instructions = _Inner()
    corpus_episodes = _Inner()
    hints = _Inner()
    max_turns = _Inner()
    restored_by = _WayBack()
    render_mode = _Inner()
    spec = _Inner()

    def __init__(self, env: gymnasium.Env[Any, Any]) -> None:
        self.env: Env = adopted(env)
        self.observation_space, self.action_space = self.env.observation_space, self.env.action_space
        if self.env.restored_by == "none":
            self.restored_by = "none"  # type: ignore[misc]  # of this one: another may be around another environment

    # -- changed by authors --------------------------------------------------------------------------

    def observation(self, seen: Observation) -> str:
        """What is shown in place of ``seen``: a plain string carries neither admissible actions, tools nor images."""
        return seen

    def action(self, said: str) -> str:
        """What the wrapped environment is told in place of ``said``. Override ``expert`` with it."""
        return said

    def reward(self, paid: float) -> float:
        """What is paid in place of ``paid``; success is judged by what was paid before."""
        return paid

    # -- the wrapped environment's -------------------------------------------------------------------

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        return then(self.env.reset(seed=seed, options=options), self._begun)

    def step(self, action: str) -> Any:
        return then(self.env.step(self._told(action)), self._gone_on)

    def _begun(self, result: tuple[Observation, dict[str, Any]]) -> Any:
        return self.observation(result[0]), result[1]

    def _told(self, action: str) -> str:
        return self.action(action)

    def _gone_on(self, result: StepResult) -> Any:
        return result._replace(
            observation=self.observation(result.observation),  # type: ignore[arg-type]  # checked at the boundary
            reward=self.reward(result.reward),
        )

    def tasks(self, split: str) -> Sequence[TaskId]:
        return self.env.tasks(split)

    def expert(self) -> Expert | None:
        """The wrapped environment's, which goes by what that one shows."""
        inner = self.env.expert()
        return None if inner is None else lambda _: inner(self.env._seen or Observation())

    @classmethod
    def preload(cls, **options: Any) -> None:
        """Make one: what it loads for all is there then."""
        closing = cls(**options).close()
        if must_wait(closing):
            run(settled(closing))

    def get_state(self) -> Any:
        """The wrapped environment's moment; None where that one is replayed.

        A wrapper that keeps something from turn to turn adds it to ``super().get_state()``. One that overrides
        ``reset`` or ``step`` may keep something, and is replayed unless it overrides this too.
        """
        kind, own = type(self), Wrapper
        may_keep = kind.reset is not own.reset or kind.step is not own.step
        if may_keep and kind.get_state is own.get_state:
            return None
        return then(self.env.snapshot(), lambda now: None if now.state is None else now)

    def set_state(self, state: Any) -> Any:
        return self.env.restore(state)

    def render(self) -> Any:
        return self.env.render()

    def close(self) -> Any:
        return self.env.close()

    @property
    def unwrapped(self) -> Env:
        """The innermost environment."""
        inner = self.env.unwrapped
        assert isinstance(inner, Env)
        return inner

    @property
    def has_own_tasks(self) -> bool:
        return self.env.has_own_tasks if type(self).tasks is Wrapper.tasks else True

    @property
    def expert_may_lose(self) -> bool:
        return self.env.expert_may_lose

    @property
    def is_async(self) -> bool:
        return self.env.is_async or super().is_async

    @property
    def name(self) -> str:
        """Its own id, or else the wrapped environment's name."""
        return str(vars(type(self)).get("plugin_id", self.env.name))

    def _before_reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> dict[str, Any]:
        arguments = super()._before_reset(seed=seed, options=options)
        self.np_random = np.random.default_rng([arguments["seed"], _depth(self)])
        return arguments

    def _after_step(self, result: Any) -> StepResult:
        after = super()._after_step(result)
        if self._done and "success" not in self._info:
            self._info = {**self._info, "success": succeeded(self._info, self.env._total)}
        return after._replace(info=self._info)


def _depth(env: Env) -> int:
    """How many environments it is around."""
    return 1 + _depth(env.env) if isinstance(env, Wrapper) else 0


class Settled(Wrapper):
    """An ``async`` environment for those who cannot await: it runs in an event loop and a thread of its own.

    So it can also be played from where an event loop is running, which then waits.
    """

    def __init__(self, env: gymnasium.Env[Any, Any]) -> None:
        super().__init__(env)
        self._loop: asyncio.AbstractEventLoop | None = None

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        return self._settled(self.env.reset(seed=seed, options=options))

    def step(self, action: str) -> Any:
        return self._settled(self.env.step(action))

    def get_state(self) -> Any:
        now = self._settled(self.env.snapshot())
        return None if now.state is None else now

    def set_state(self, state: Any) -> Any:
        return self._settled(self.env.restore(state))

    def expert(self) -> Expert | None:
        inner = self.env.expert()
        return None if inner is None else lambda _: self._settled(inner(self.env._seen or Observation()))

    def render(self) -> Any:
        return self._settled(self.env.render())

    def close(self) -> Any:
        """Close the environment, and end its event loop."""
        try:
            closing: Any = self.env.close()  # type: ignore[func-returns-value]  # may be async
            return self._settled(closing)
        finally:
            if self._loop is not None:
                self._loop.call_soon_threadsafe(self._loop.stop)
                self._thread.join()
                self._loop.close()
                self._loop = None

    @property
    def is_async(self) -> bool:
        return False

    def _settled(self, result: Any) -> Any:
        if not must_wait(result):
            return result
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            self._thread = threading.Thread(target=self._loop.run_forever, name=f"agentgym-{self.name}", daemon=True)
            self._thread.start()
        return asyncio.run_coroutine_threadsafe(settled(result), self._loop).result()


# -- Gymnasium's wrappers --------------------------------------------------------------------------------

_REFUSED: dict[type, str] = {
    wrappers.Autoreset: "a step would begin the next episode, on a task and a seed that nobody chose; leave it out: a "
    "rollout resets",
    wrappers.NormalizeReward: "what is paid would depend on the episodes before, and the same seed not give the same "
    "episode; override reward() of an agentgym.Wrapper",
}


class GymnasiumWrapped(Wrapper):
    """Gymnasium's wrappers around an environment of ours, which are what is played; they may keep what they like."""

    def __init__(self, outermost: gymnasium.Env[Any, Any]) -> None:
        super().__init__(_inside(outermost))
        self.outermost = outermost

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        return self.outermost.reset(seed=seed, options=options)

    def step(self, action: str) -> Any:
        return self.outermost.step(action)

    def render(self) -> Any:
        return self.outermost.render()

    def close(self) -> Any:
        return self.outermost.close()


def adopted(env: Any) -> Env:
    """``env`` itself, or, with Gymnasium's wrappers around it, an environment of ours that plays through them.

    Raises UserError for wrappers that cannot be played through, and for what has no environment of ours inside.
    """
    return env if isinstance(env, Env) else GymnasiumWrapped(env)


def _inside(outermost: Any) -> Env:
    """The environment of ours that is found inside. Raises UserError."""
    env = outermost
    while isinstance(env, gymnasium.Wrapper):
        for kind, reason in _REFUSED.items():
            if isinstance(env, kind):
                raise UserError(f"Gymnasium's {kind.__name__} cannot be played through: {reason}")
        env = env.env
    if isinstance(env, gymnasium.vector.VectorEnv):
        raise UserError(f"found {env}, expected one environment; a rollout plays many at once: --rollout.concurrency")
    if not isinstance(env, Env):
        raise UserError(
            f"found {type(outermost).__name__} {outermost!s:.80}, expected an agentgym.Env, or Gymnasium's wrappers "
            "around one; Gymnasium's own environments are played as --env gymnasium:ID"
        )
    if env.is_async:
        raise UserError(
            f'Gymnasium\'s wrappers cannot await the async environment "{env.name}"; leave them out (agentgym.make in '
            "place of gymnasium.make), or write an agentgym.Wrapper"
        )
    return env
