"""Where the policy pointed, against the box it should have hit: inside counts, and so does how near. Not invariant.

SE-GUI (arXiv 2505.12370) rewards a point with 1 inside the box, and everywhere with 1 - (d / d_max)²: d is its
distance to the box's center, d_max that of the farthest corner of the picture. So the center pays 2, and that corner 0.
Both axes run from 0 to 1, each by itself, whatever the picture's shape; a point outside the picture pays nothing. The
corners are the picture's as we read it. The paper's reward for form is the protocol's business here, or another
reward's.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field

from agentgym.errors import ConfigError, UserError
from agentgym.pointing import Box, hit, nearness
from agentgym.registry import register
from agentgym.reward import EpisodeShaper
from agentgym.types import Trajectory

__all__ = ["Point"]

_POINT = ("point_x", "point_y")
_BOX = ("box_left", "box_top", "box_right", "box_bottom")


@register
class Point(EpisodeShaper):
    """Of each turn that points: whether it hit, and how near it came.

    The environment reports point_x and point_y of a turn that points, and box_left, box_top, box_right and box_bottom
    at the reset or with a turn, from 0 to 1; a box stays until there is another.
    """

    def __init__(self, *, hit: Annotated[float, Field(ge=0)] = 1.0, near: Annotated[float, Field(ge=0)] = 1.0) -> None:
        """Choose what counts.

        Args:
            hit: what a point inside the box is paid.
            near: what a point in its center is paid beside, and less from there on.
        """
        if hit == near == 0:
            raise ConfigError("rewards.point pays nothing: hit and near are 0; type --rewards.point.hit 1, or near")
        self.hit, self.near = hit, near

    def __call__(self, trajectory: Trajectory) -> list[float]:
        """0 for a turn that does not point. Raises UserError for half a point, and for a point without a box."""
        box, paid = _edges(trajectory.channels), list[float]()
        for turn in trajectory.turns:
            box |= _edges(turn.channels)
            points = any(name in turn.channels for name in _POINT)
            paid.append(self._paid(trajectory, box | turn.channels) if points else 0.0)
        return paid

    def _paid(self, trajectory: Trajectory, report: dict[str, float]) -> float:
        if missing := [name for name in (*_POINT, *_BOX) if name not in report]:
            raise UserError(
                f'reward "point": {trajectory.env} reports a point and no info["channels"]["{missing[0]}"]; expected '
                f"{', '.join(_POINT)} of a turn that points, and {', '.join(_BOX)} by then"
            )
        x, y = (report[name] for name in _POINT)
        box = Box(*(report[name] for name in _BOX))
        if not (0 <= box.left <= box.right <= 1 and 0 <= box.top <= box.bottom <= 1):
            raise UserError(
                f'reward "point": {trajectory.env} reports a box with left {box.left:g}, top {box.top:g}, right '
                f"{box.right:g}, bottom {box.bottom:g}; expected 0 to 1, left to right and top to bottom"
            )
        return self.hit * hit((x, y), box) + self.near * nearness((x, y), box)


def _edges(report: Mapping[str, float]) -> dict[str, float]:
    return {name: report[name] for name in _BOX if name in report}
