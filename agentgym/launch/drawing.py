"""What says which tasks a stage plays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from agentgym.config import Choice
from agentgym.curriculum import Curriculum
from agentgym.registry import plugins
from agentgym.types import TaskId

__all__ = ["curriculum_of"]


def curriculum_of(chosen: Choice, tasks: Sequence[TaskId], *, seed: int, strength: float | None) -> Curriculum:
    """The chosen curriculum at its beginning; ``strength`` is the augmentations' where a draw says none."""
    curriculum = cast("Curriculum", plugins("curricula").build(chosen.id, chosen.options, tasks, seed=seed))
    curriculum.run_strength = strength
    return curriculum
