"""agentgym: a language model learns to act over many turns.

The public names on one page. They are imported on first use, so that ``import agentgym`` stays fast and
needs neither torch nor vllm; what it does at once is to make ``gymnasium.make("agentgym/<id>-v0")`` work.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from agentgym.registry import make, plugins, register, tell_gymnasium_of_all
from agentgym.version import VERSION

if TYPE_CHECKING:
    from agentgym.augmentation import Augmentation
    from agentgym.env import Env, Snapshot
    from agentgym.errors import AgentGymError, JudgeError, UserError
    from agentgym.launch import (
        evaluate,
        evaluate_async,
        record,
        record_async,
        resume,
        resume_async,
        train,
        train_async,
    )
    from agentgym.repl import play_async
    from agentgym.repl.session import play
    from agentgym.reward import EpisodeShaper, Shaper
    from agentgym.search import Search
    from agentgym.tools import ToolEnv, ToolError, tool
    from agentgym.types import Action, Observation, StopReason, ToolCall, Trajectory
    from agentgym.wrapper import Wrapper

__version__ = VERSION

__all__ = [
    "Action",
    "AgentGymError",
    "Augmentation",
    "Env",
    "EpisodeShaper",
    "JudgeError",
    "Observation",
    "Search",
    "Shaper",
    "Snapshot",
    "StopReason",
    "ToolCall",
    "ToolEnv",
    "ToolError",
    "Trajectory",
    "UserError",
    "Wrapper",
    "evaluate",
    "evaluate_async",
    "make",
    "play",
    "play_async",
    "plugins",
    "record",
    "record_async",
    "register",
    "resume",
    "resume_async",
    "tool",
    "train",
    "train_async",
]

_HOMES = {
    "agentgym.augmentation": ("Augmentation",),
    "agentgym.env": ("Env", "Snapshot"),
    "agentgym.errors": ("AgentGymError", "JudgeError", "UserError"),
    "agentgym.launch": (
        "evaluate",
        "evaluate_async",
        "record",
        "record_async",
        "resume",
        "resume_async",
        "train",
        "train_async",
    ),
    "agentgym.repl": ("play_async",),
    "agentgym.repl.session": ("play",),
    "agentgym.reward": ("EpisodeShaper", "Shaper"),
    "agentgym.search": ("Search",),
    "agentgym.tools": ("ToolEnv", "ToolError", "tool"),
    "agentgym.types": ("Action", "Observation", "StopReason", "ToolCall", "Trajectory"),
    "agentgym.wrapper": ("Wrapper",),
}


def __getattr__(name: str) -> Any:
    for home, names in _HOMES.items():
        if name in names:
            return getattr(importlib.import_module(home), name)
    raise AttributeError(f"module 'agentgym' has no attribute '{name}'")


tell_gymnasium_of_all()
