"""Channels of the environment that a reward is made of."""

from __future__ import annotations

from collections.abc import Iterable

from agentgym.errors import UserError
from agentgym.types import Trajectory

__all__ = ["refuse_unreported"]


def refuse_unreported(trajectory: Trajectory, names: Iterable[str], reward: str, setting: str) -> None:
    """Raise UserError for a channel that a whole episode does not report; ``setting`` chooses another.

    Where nothing was done and nothing reported, nothing is missed.
    """
    reports = [trajectory.channels, *(turn.channels for turn in trajectory.turns)]
    known = {name for report in reports for name in report}
    has_acted = any(turn.action is not None for turn in trajectory.turns)
    for name in names:
        if name not in known and (known or has_acted):
            raise UserError(
                f'reward "{reward}": in a whole episode {trajectory.env} reports no info["channels"]["{name}"]; '
                f"reported: {', '.join(sorted(known)) or 'none'}; choose one with {setting}"
            )
