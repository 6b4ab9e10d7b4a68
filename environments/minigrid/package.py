"""The package ``minigrid`` (MIT), imported on use and kept quiet.

It prints a line for every draw of a BabyAI mission that it rejects.
"""

from __future__ import annotations

import functools
from typing import Any

import gymnasium

from agentgym.environments._quiet import hush
from agentgym.errors import ConfigError, did_you_mean
from agentgym.extras import require

__all__ = ["bot_of", "has_bot", "make_world", "world_ids"]

_PREFIXES = ("BabyAI-", "MiniGrid-")


@functools.cache
def _quiet() -> None:
    require("minigrid", extra="minigrid")  # registers its worlds with gymnasium
    hush("minigrid")


def world_ids() -> list[str]:
    """The ids of all worlds. Raises MissingExtraError."""
    _quiet()
    return [id for id in gymnasium.registry if id.startswith(_PREFIXES)]


def make_world(id: str) -> Any:
    """The world of that id, bare of wrappers. Raises ConfigError for an unknown id, or MissingExtraError."""
    if id not in (known := world_ids()):
        raise ConfigError(
            f'name is "{id}".{did_you_mean(id, known)} Known: {len(known)} ids that begin with BabyAI- or MiniGrid-'
        )
    return gymnasium.make(id, disable_env_checker=True).unwrapped


def has_bot(world: Any) -> bool:
    """Whether BabyAI's bot can play it: it follows BabyAI's instructions, which the worlds of MiniGrid lack."""
    return hasattr(world, "instrs")


def bot_of(world: Any) -> Any:
    """BabyAI's bot for a world that was just reset."""
    module = require("minigrid.utils.baby_ai_bot", extra="minigrid")
    hush("minigrid")
    return module.BabyAIBot(world)
