"""A task: what is asked, what is there, what must be true at the end, and commands that make it so."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from agentgym.environments.terminal.goals import Goal

__all__ = ["Task"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One task. Paths are relative to the directory that commands begin in."""

    topic: tuple[str, ...]
    """What it is about: decides the split."""
    text: str
    files: Mapping[str, bytes] = dataclasses.field(default_factory=dict)
    folders: tuple[str, ...] = ()
    modes: Mapping[str, int] = dataclasses.field(default_factory=dict)
    programs: tuple[str, ...] = ()
    """Files that run when the episode begins."""
    goals: tuple[Goal, ...]
    solution: tuple[str, ...]
