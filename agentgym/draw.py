"""What a curriculum says is played."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from agentgym.types import TaskId

__all__ = ["Draw"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Draw:
    """What an ordinal of training plays, as a curriculum says."""

    task: TaskId
    options: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    """Given to ``reset`` beside the task; JSON."""
    level: float | None = None
    """How hard it is, in the curriculum's own measure; None where it has none."""
    strength: float | None = None
    """How strong the augmentations around the environment are, in [0, 1]; None: as the run says."""
    max_turns: int | None = None
    """Turns that its episodes may have, where that is less than they may have anyhow; evaluation has none."""
    shown_turns: int = 0
    """First turns that the expert plays; the policy goes on from there."""
    rewards: Mapping[str, float] = dataclasses.field(default_factory=dict)
    """Factors of the weights of the run's rewards, by name; 1 for those that are not named."""
