"""An environment where it lives: called directly, with the expert of its running episode beside it."""

from __future__ import annotations

from typing import Any

from agentgym.env import Env, Expert
from agentgym.errors import EnvError
from agentgym.types import Action, Observation

__all__ = ["Resident", "as_action"]


class Resident:
    """One environment. What its methods return must be awaited where the environment is ``async``."""

    def __init__(self, env: Env) -> None:
        self.env = env
        self._expert: Expert | None = None
        self._knows_expert = False

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

    def close(self) -> Any:
        """Close the environment."""
        return self.env.close()


def as_action(said: Any) -> Action | None:
    """What an expert said, as an action. Raises EnvError when it is no text."""
    if said is None or isinstance(said, Action):
        return said
    if not isinstance(said, str):
        raise EnvError(f"an expert says text, found {type(said).__name__} {said!r:.120}")
    return Action(said)
