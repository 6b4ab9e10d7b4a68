"""Errors that say what is behind them: actionable feedback of Environment Tuning (arXiv 2510.10197, §3).

An environment knows why an action failed, and often says no more than that it did. Its hints (``agentgym.hint``) are
added to what is seen then; they are diagnostic and do not hold the answer. In the paper every error has its hint until
the last stage, which has none; here the strength is the share of errors that have one, so that a curriculum can take
them away bit by bit.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from agentgym.augmentation import Augmentation
from agentgym.hint import hints_for
from agentgym.registry import register
from agentgym.types import Observation

__all__ = ["ErrorHints"]


@register
class ErrorHints(Augmentation):
    """Errors come with a hint at what caused them."""

    def __init__(self, env: Any, *, probability: Annotated[float, Field(gt=0, le=1)] = 1.0) -> None:
        """Choose how often.

        Args:
            probability: that an error has its hint, at strength 1.
        """
        super().__init__(env)
        self.probability = probability

    def misfit(self, seen: Observation) -> str:
        return "" if self.env.hints else "it has no hints; write some, and name them: hints = (Hint(...), ...)"

    def observation(self, seen: Observation) -> str:
        if not self._actions:
            return seen
        told = f"{self.env._info.get('invalid_action', '')}\n{seen}"
        found = hints_for(self.env.hints, self._actions[-1], told)
        given = [hint for hint in found if self.np_random.random() < self.probability * self.strength]
        if not given:
            return seen
        text = "\n".join([seen, *(f"Hint: {hint}" for hint in given)])
        return Observation(text, admissible=seen.admissible, tools=seen.tools, images=seen.images)
