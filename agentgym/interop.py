"""Environments for the trainers of others.

``as_trl`` is for TRL's ``GRPOTrainer(environment_factory=...)``: it makes one object for each rollout by calling the
factory without arguments, calls ``reset`` with the columns of the data set's row and appends the text that comes back
to the prompt, offers every public method but ``reset`` to the model as a tool, by its type hints and docstring, and
hands the objects to the reward functions as ``environments``.

    from agentgym.interop import as_trl, trl_reward

    GRPOTrainer(..., environment_factory=as_trl("blocksworld", level="b3"), reward_funcs=trl_reward)

The data set's column ``task``, where there is one, picks the task, and ``seed`` the episode. TRL is not imported here.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Sequence
from typing import Any

from agentgym.errors import ConfigError
from agentgym.registry import EnvFactory
from agentgym.types import Observation

__all__ = ["as_trl", "trl_reward"]

_OVER = "The episode is over."


class TRLEnvironment:
    """One environment as TRL plays it. ``as_trl`` makes a class of it that needs no arguments."""

    def __init__(self, make_env: EnvFactory) -> None:
        self._env, self._runner = make_env(), asyncio.Runner()
        self._turns, self.reward, self.done, self.success = 0, 0.0, True, False

    def reset(self, task: int | str | None = None, seed: int | None = None, **_: Any) -> str:
        """Start an episode; returns the instructions and the first observation. Other columns have no effect."""
        self._turns, self.reward, self.done, self.success = 0, 0.0, False, False
        options = None if task is None else {"task": task}
        seen, _info = self._now(self._env.reset(seed=seed, options=options))
        return "\n\n".join(filter(None, (self._env.instructions, self._told(seen))))

    def act(self, action: str) -> str:
        """Take one action in the environment, and see what comes of it.

        Args:
            action: The action, in the words that the instructions ask for.

        Returns:
            What is seen after the action.
        """
        if self.done:
            return _OVER
        seen, reward, terminated, truncated, info = self._now(self._env.step(action))
        self._turns += 1
        self.reward += float(reward)
        over = bool(terminated or truncated)
        if over:
            self.success = bool(info.get("success", self.reward >= 1))
        self.done = over or self._turns >= self._env.max_turns
        told = "\n".join(filter(None, (str(info.get("invalid_action", "")), self._told(seen))))
        return f"{told}\n{_OVER}".strip() if self.done else told

    def _told(self, seen: str) -> str:
        known = Observation.of(seen)
        return str(known) if not known.admissible else f"{known}\nActions: {' | '.join(known.admissible)}"

    def _now(self, result: Any) -> Any:
        return self._runner.run(_awaited(result)) if inspect.isawaitable(result) else result

    def __del__(self) -> None:
        if hasattr(self, "_runner"):
            self._env.close()
            self._runner.close()


def as_trl(env: str, **options: Any) -> Callable[[], TRLEnvironment]:
    """A class for TRL's ``environment_factory``: the environment of that id or path, with these options.

    Raises UserError for an unknown id or option.
    """
    make_env = EnvFactory(env, options)
    tried = make_env()  # what is wrong with it shows here
    name = tried.name
    tried.close()

    class Environment(TRLEnvironment):
        def __init__(self) -> None:
            super().__init__(make_env)

    Environment.__name__ = Environment.__qualname__ = f"TRL_{''.join(c if c.isalnum() else '_' for c in name)}"
    return Environment


def trl_reward(completions: Sequence[Any], environments: Sequence[Any] | None = None, **_: Any) -> list[float]:
    """The rewards of the episodes, for TRL's ``reward_funcs``. Raises ConfigError without environments."""
    if environments is None:
        raise ConfigError("trl_reward needs environments; give GRPOTrainer environment_factory=as_trl(ID)")
    return [float(environment.reward) for environment in environments[: len(completions)]]


async def _awaited(result: Any) -> Any:
    return await result
