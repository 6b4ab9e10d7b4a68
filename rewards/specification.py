"""Whether an episode keeps to what was written down: a formula about its turns so far. Not policy-invariant.

Fine-tuning from the feedback of formal methods checks what a model plans to do against a specification, by an automaton
(Yang et al., "Fine-Tuning Language Models Using Formal Methods Feedback", arXiv 2310.18239). There it ranks plans for
preferences; here it pays turns of an episode that was played, and past-time logic (``agentgym/temporal.py``) takes the
place of temporal logic over what is to come, because a turn is judged by what was, not by what follows.

    --rewards.specification.formula 'tool == "pay" -> once tool == "review"'
    --rewards.specification.formula 'not (action == "open" and previous action == "open")'
    --rewards.specification.formula 'historically channel health > 0.2'
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from agentgym.errors import ConfigError
from agentgym.registry import register
from agentgym.reward import EpisodeShaper
from agentgym.rewards._watched import Watched
from agentgym.types import Trajectory

__all__ = ["Specification"]


@register
class Specification(EpisodeShaper):
    """A price for each turn in which a formula is broken, and a prize at the end where it is kept.

    A reply that could not be read has no action and calls no tool; a channel is as it was until it is reported again,
    and one that was never reported compares with nothing: each test of it is false.
    """

    def __init__(
        self,
        formula: str,
        *,
        penalty: Annotated[float, Field(ge=0)] = 1.0,
        prize: Annotated[float, Field(ge=0)] = 0.0,
    ) -> None:
        """Write down how an episode should be.

        Args:
            formula: tests of a turn's action, reply, tools and channels, with and, or, not, ->, and of the turns up to
                it: once, historically, previous, since; such as 'action == "buy" -> once tool == "search"'.
            penalty: what a turn costs in which the formula is not so.
            prize: what the last turn is paid where it is.
        """
        if penalty == prize == 0:
            raise ConfigError(
                "rewards.specification pays nothing: penalty and prize are 0; type --rewards.specification.prize 1"
            )
        self.watched = Watched(formula, "specification", "formula")
        self.penalty, self.prize = penalty, prize

    def __call__(self, trajectory: Trajectory) -> list[float]:
        """0 or the price for each turn. Raises UserError and JudgeError as ``Watched`` does."""
        kept = self.watched(trajectory)
        paid = [0.0 if is_kept else -self.penalty for is_kept in kept]
        if kept and kept[-1]:
            paid[-1] += self.prize
        return paid
