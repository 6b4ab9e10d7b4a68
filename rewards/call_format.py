"""How much of an episode could be read and carried out: what a policy learns first of calling tools.

    R = I_tool · (R_format + R_tool)
    R_format = turns that could be read / turns        R_tool = calls that succeeded / calls that were answered

I_tool is 1 if any call was made in the episode, else 0 (Environment Tuning, arXiv 2510.10197, stage 1): who calls
nothing makes no mistake, and would be paid half for it. What is right is not asked; between 0 and 2, on the last turn.

A turn could not be read where the protocol or the environment told the policy what was wrong with it and no call of it
was answered. Departs from the paper in that the form is the one that protocol and environment ask for, whichever it is.
Not policy-invariant.
"""

from __future__ import annotations

from agentgym.registry import register
from agentgym.reward import check_reported, on_last_turn
from agentgym.types import Trajectory, Turn

__all__ = ["call_format"]


@register
def call_format(trajectory: Trajectory) -> list[float]:
    """0 for each turn but the last. Raises UserError where the environment does not report its calls."""
    turns = [turn for turn in trajectory.turns if not turn.is_summary]
    check_reported("call-format", trajectory, "calls")
    num_calls, num_failed = (sum(turn.channels.get(name, 0.0) for turn in turns) for name in ("calls", "failed_calls"))
    if not num_calls:
        return on_last_turn(trajectory, 0.0)
    read = sum(not _is_unreadable(turn) for turn in turns) / len(turns)
    return on_last_turn(trajectory, read + (num_calls - num_failed) / num_calls)


def _is_unreadable(turn: Turn) -> bool:
    return turn.error is not None and not turn.channels.get("calls")
