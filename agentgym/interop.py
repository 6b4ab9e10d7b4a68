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

import weakref
from collections.abc import Callable, Sequence
from typing import Any

from agentgym.errors import ConfigError
from agentgym.registry import EnvFactory
from agentgym.types import Observation
from agentgym.visit import Player

__all__ = ["as_trl", "trl_reward"]

_OVER = "The episode is over."


class TRLEnvironment:
    """One environment as TRL plays it. ``as_trl`` makes a class of it that needs no arguments."""

    def __init__(self, make_env: EnvFactory) -> None:
        self._player = Player(make_env())
        weakref.finalize(self, self._player.close)  # a trainer may hold it to the end, when __del__ comes too late

    def reset(self, task: int | str | None = None, seed: int | None = None, **_: Any) -> str:
        """Start an episode; returns the instructions and the first observation. Other columns have no effect."""
        seen = self._player.reset(task, seed)
        return "\n\n".join(filter(None, (self._player.env.instructions, self._told(seen))))

    def act(self, action: str) -> str:
        """Take one action in the environment, and see what comes of it.

        Args:
            action: The action, in the words that the instructions ask for.

        Returns:
            What is seen after the action.
        """
        if self.done:
            return _OVER
        result = self._player.step(action)
        told = "\n".join(filter(None, (str(result.info.get("invalid_action", "")), self._told(result.observation))))
        return f"{told}\n{_OVER}".strip() if self.done else told

    @property
    def reward(self) -> float:
        """Rewards of the episode so far."""
        return self._player.now.total

    @property
    def done(self) -> bool:
        """The episode is over, or has as many turns as it may have."""
        return not self._player.goes_on

    @property
    def success(self) -> bool:
        """Whether the episode ended in success."""
        return self._player.now.success

    def _told(self, seen: Observation) -> str:
        return str(seen) if not seen.admissible else f"{seen}\nActions: {' | '.join(seen.admissible)}"


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
