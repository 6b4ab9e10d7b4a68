"""Experts for tasks of MiniWoB++: scripts that see what a policy sees, and act as one would.

Each is a function of the task's words and of the page, without a memory, so that it goes on from any moment of an
episode. ``scene`` has what they share; the others have the scripts, by what a task is done with.
"""

from __future__ import annotations

import dataclasses

from agentgym.browser import Action, Seen, Wait
from agentgym.environments.miniwob.experts import clicking, filling
from agentgym.environments.miniwob.experts.scene import EXPERTS, Scene, Script

__all__ = ["EXPERTS", "Expertise", "clicking", "expertise_for", "filling"]


@dataclasses.dataclass(frozen=True, slots=True)
class Expertise:
    """The script of a task."""

    script: Script

    def next(self, utterance: str, seen: Seen) -> Action:
        """What to do now; to wait, where the page is not what the script knows."""
        try:
            return self.script(Scene(utterance, seen))
        except (LookupError, StopIteration, ValueError):
            return Wait(1)


def expertise_for(task: str) -> Expertise | None:
    """The expert for a task, or None."""
    script = EXPERTS.get(task)
    return None if script is None else Expertise(script)
