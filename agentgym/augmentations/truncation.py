"""Long observations are cut: the policy must do with what is left, or ask again.

What is beyond ``keep`` characters loses a share of its middle that is the strength. Beginning and end stay, where tasks
and results stand, and it says how much is missing. Actions that are listed, tools and pictures are not text, and stay.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from agentgym.augmentation import Augmentation
from agentgym.registry import register
from agentgym.types import Observation

__all__ = ["Truncation", "cut"]


@register
class Truncation(Augmentation):
    """Long observations lose their middle."""

    def __init__(self, env: Any, *, keep: Annotated[int, Field(ge=2)] = 1000) -> None:
        """Choose what is long.

        Args:
            keep: characters that an observation keeps at strength 1; shorter ones stay as they are.
        """
        super().__init__(env)
        self.keep = keep

    def observation(self, seen: Observation) -> str:
        if len(seen) <= self.keep:
            return seen
        text = cut(seen, round(len(seen) - self.strength * (len(seen) - self.keep)))
        return Observation(text, admissible=seen.admissible, tools=seen.tools, images=seen.images)


def cut(text: str, keep: int) -> str:
    """``text`` without its middle, of which ``keep`` characters are left, and what says so.

    >>> cut("0123456789", 4)
    '01 [... 6 characters are missing ...] 89'
    """
    if keep >= len(text):
        return text
    head = (keep + 1) // 2
    return f"{text[:head]} [... {len(text) - keep} characters are missing ...] {text[len(text) - (keep - head) :]}"
