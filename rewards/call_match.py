"""One where the calls are those of the reference, nothing otherwise: no credit for what is nearly right.

FunRL (arXiv 2508.05118): 1 iff the reply has its form *and* its calls equal the reference's as syntax trees. Here for
each turn at which the environment compares calls with a reference (in a conversation: each of the user's, in which
several replies may have called): as many calls as expected, all of them matched, and no reply since the last comparison
that could not be read. A call too many is a mistake, and so is one where none is expected.

The reference stays in the environment, which reports how many calls were made, expected and the same: see
``agentgym/reward.py``. Not policy-invariant.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

from agentgym.registry import register
from agentgym.reward import EpisodeShaper, check_reported
from agentgym.types import Trajectory

__all__ = ["CallMatch"]

Mode: TypeAlias = Literal["ast", "exact"]


@register
class CallMatch(EpisodeShaper):
    """1 for each turn whose calls are the reference's."""

    def __init__(self, *, mode: Mode = "ast") -> None:
        """Choose when calls are the same.

        Args:
            mode: "ast": name and arguments are equal but for how values are written (case, blanks, 1 and 1.0), in any
                order of calls; "exact": to the letter, in the reference's order.
        """
        self.mode, self._same = mode, "matched_calls" if mode == "ast" else "exact_calls"

    def __call__(self, trajectory: Trajectory) -> list[float]:
        """1 or 0 for each turn. Raises UserError where a whole episode compares no calls with a reference."""
        check_reported("call-match", trajectory, "expected_calls", at_end=True)
        values, has_form = [], True
        for turn in trajectory.turns:
            has_form = has_form and turn.error is None
            made, expected, same = (turn.channels.get(name) for name in ("made_calls", "expected_calls", self._same))
            values.append(float(expected is not None and has_form and made == expected == same))
            has_form = has_form or expected is not None
        return values
