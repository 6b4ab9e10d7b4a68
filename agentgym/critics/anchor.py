"""How likely an episode is to win against an anchor: Pairwise-RL's score (arXiv 2504.04950), from both orders.

A pairwise judge has no scale of its own; that every candidate meets the same opponent gives it one. The anchor is an
episode of the same task from a file, for instance the expert's (``agentgym record``), or, where no file is named, the
first of those that are scored together.

Departs from the paper in asking for a word, A, B or tie, and not for the probability of a token, which a server may
not tell.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, TypeAlias

from pydantic import Field

from agentgym import store
from agentgym.critics._comparing import Comparing
from agentgym.errors import DataError, JudgeError
from agentgym.loops import together
from agentgym.registry import register
from agentgym.types import TaskId, Trajectory

__all__ = ["Anchor"]

_Task: TypeAlias = tuple[str, TaskId | None]


@register
class Anchor(Comparing):
    """0 to 1: the probability of winning against the task's anchor, both orders averaged."""

    def __init__(self, rubric: Annotated[str, Field(min_length=1)], *, anchors: Path | None = None) -> None:
        """Say what to judge by, and against whom.

        Args:
            rubric: what makes one episode better than another, in words, or a file that holds them.
            anchors: a run, archive or JSONL file with an episode of each task that is scored, the best paid if it has
                several; none given: the first episode of a task among those that are scored together.
        """
        self.rubric, self.anchors = rubric, anchors
        self._anchors: dict[_Task, Trajectory] | None = None

    async def open(self) -> None:
        """Raises DataError for a file without an episode that counts."""
        if self.anchors is None:
            return
        found: dict[_Task, Trajectory] = {}
        with contextlib.closing(store.opened(self.anchors)) as source:
            for episode in source.episodes():
                best = found.get(_task(episode))
                if not episode.stop_reason.is_void and (best is None or episode.reward > best.reward):
                    found[_task(episode)] = episode
        if not found:
            raise DataError(f"{self.anchors} has no episode that counts; expected one of each task that is scored")
        self._anchors = found

    async def score(self, trajectories: Sequence[Trajectory]) -> list[float]:
        """Raises JudgeError for an episode of a task without an anchor too."""
        anchors = self._anchors
        if anchors is None:
            anchors = {_task(episode): episode for episode in reversed(trajectories)}
        for trajectory in trajectories:
            if _task(trajectory) not in anchors:
                raise JudgeError(
                    f"{self.anchors} has no episode of task {trajectory.task!r} of {trajectory.env} to compare with"
                )
        return await together(self.compare(each, anchors[_task(each)]) for each in trajectories)


def _task(episode: Trajectory) -> _Task:
    return episode.env, episode.task
