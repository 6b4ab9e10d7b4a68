"""Environments as Gymnasium's registry has them, before any is imported."""

from __future__ import annotations

import re
from typing import Any

import gymnasium
from gymnasium.envs.registration import EnvSpec, WrapperSpec, load_env_creator

__all__ = ["LIMITED", "OwnTurns", "gymnasium_id", "plugin_id", "tell_gymnasium"]

_HOME = "agentgym.gymnasium_entry"
"""The module that makes them, which imports what this one must not."""

LIMITED = WrapperSpec("TurnLimit", f"{_HOME}:limited", {})
"""Puts our limit of turns in the place of Gymnasium's."""


_IDS: dict[str, str] = {}
"""What each name was made of."""


def gymnasium_id(id: str) -> str:
    """The name ``gymnasium.make`` knows an environment by: "-" for what its names cannot have, as a file's may."""
    name = re.sub(r"[^\w:.-]", "-", id)
    return f"agentgym/{name}-v0"


def plugin_id(name: str) -> str:
    """The id of which that is the name.

    >>> plugin_id(gymnasium_id("thought-graph"))
    'thought-graph'
    """
    return _IDS.get(name, name.removeprefix("agentgym/").removesuffix("-v0"))


def tell_gymnasium(id: str) -> None:
    """Make an environment known to ``gymnasium.make``."""
    name = gymnasium_id(id)
    if name not in gymnasium.registry:
        _IDS[name] = id
        gymnasium.registry[name] = Spec(name, entry_point=f"{_HOME}:{name}", additional_wrappers=(LIMITED,))


class OwnTurns(int):
    """The environment's own number of turns: nobody has chosen another."""


class Spec(EnvSpec):
    """A registration whose limit is asked of the environment's class when it is wanted: that imports it."""

    @property
    def max_episode_steps(self) -> int | None:
        if self._steps is not None:
            return self._steps
        creator: Any = load_env_creator(str(self.entry_point))
        return OwnTurns(creator.max_turns)

    @max_episode_steps.setter
    def max_episode_steps(self, steps: int | None) -> None:
        self._steps = steps
