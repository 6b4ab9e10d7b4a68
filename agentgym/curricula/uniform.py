"""Every task once before any comes again."""

from __future__ import annotations

from agentgym.curriculum import Curriculum
from agentgym.draw import Draw
from agentgym.registry import register

__all__ = ["Uniform"]


@register
class Uniform(Curriculum):
    """Every task as often as any other, in a new order each epoch, whatever becomes of them."""

    def draw(self, ordinal: int) -> Draw:
        return Draw(task=self.order[ordinal])
