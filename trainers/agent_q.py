"""Agent Q: tree search, and direct preference optimization of what it found, off-policy (arXiv 2408.07199).

An update plays a tree for each of its tasks. At every moment of a tree two explored replies are compared by

    Q = alpha · (mean return of the lines that go through it) + (1 - alpha) · (what a critic gave it among its siblings)

and are a pair where that differs by ``threshold`` or more (§4.2). The loss is DPO's, over all tokens of a reply, its
reasoning among them; the reference is the policy that proposed, whose log-probabilities at temperature 1 are stored
with the tokens. The next update begins from the new policy as reference, and what past updates found may be replayed
(``replay``), each pair still with its own reference.

    agentgym train --env webshop --trainer agent-q --search mcts --search.simulations 16

What the paper leaves open is chosen here: alpha, threshold, beta, and in the search proposals and exploration. Without
a critic in the search its mean returns decide alone. The paper's other learners on the same play: ``learns_from lines``
compares whole lines, the best with the worst (trajectory-level DPO), and ``successes`` imitates those that succeeded,
each in whole, so that a turn counts as often as it led to success (rejection-sampling fine-tuning); both learn from
episodes that do not branch too, unless a search is chosen.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field, model_validator

from agentgym.groups import Group, untaught
from agentgym.learn import objectives
from agentgym.learn.rows import rows_of
from agentgym.learn.trainer import Lesson
from agentgym.pairs import Pairs, branch_pairs
from agentgym.registry import register
from agentgym.trainers.dpo import DPO, DPOSettings
from agentgym.types import Trajectory

if TYPE_CHECKING:
    import torch

    from agentgym.learn.batch import Microbatch
    from agentgym.learn.forward import Predictions
    from agentgym.learn.objectives.estimator import Metrics

__all__ = ["AgentQ", "AgentQSettings"]


class AgentQSettings(DPOSettings):
    """Settings of ``agent-q``."""

    learns_from: Literal["pairs", "lines", "successes"] = "pairs"
    """Pairs of replies at the same moment, whole lines, or what succeeded."""
    pairs: Literal["extremes", "all", "steps"] = "steps"
    """Follows from learns_from: steps with pairs, extremes or all with lines."""
    mix: float = Field(0.5, ge=0, le=1)
    """Alpha: how much the mean return counts when two replies are compared, beside a critic's opinion of them."""
    threshold: float = Field(0.1, ge=0)
    """Least difference between the two sides of a pair."""

    @model_validator(mode="after")
    def _follows(self) -> AgentQSettings:
        if "pairs" not in self.model_fields_set:
            self.__dict__["pairs"] = "steps" if self.learns_from == "pairs" else "extremes"
        if self.learns_from != "successes" and (self.learns_from == "pairs") != (self.pairs == "steps"):
            raise ValueError(
                f"learns_from {self.learns_from} goes with pairs "
                f"{'steps' if self.learns_from == 'pairs' else 'extremes or all'}, found {self.pairs}"
            )
        for key in {"pairs": (), "lines": ("mix",), "successes": _OF_PAIRS}[self.learns_from]:
            if self.changed(key):
                raise ValueError(f"{key} has no effect with learns_from {self.learns_from}")
        return self


_OF_PAIRS = (
    *("pairs", "mix", "threshold", "accept", "accept_beta", "replay", "reference", "loss", "beta", "label_smoothing"),
    *("margin", "imitation", "mean_logratio", "safety", "alpha"),
)
"""Without a meaning where nothing is compared."""


@register
class AgentQ(DPO):
    """Learn from trees: which of two replies at the same moment led to more."""

    Settings: ClassVar[type[AgentQSettings]] = AgentQSettings
    settings: AgentQSettings

    @property
    def search(self) -> str:
        return "mcts" if self.plays and self.settings.learns_from == "pairs" else "flat"

    @property
    def _is_stored(self) -> bool:
        return self.settings.learns_from != "successes" and super()._is_stored

    def _pairs(self, group: Group) -> Pairs:
        if self.settings.pairs != "steps":
            return super()._pairs(group)
        return branch_pairs(self._accepted(group), threshold=self.settings.threshold, alpha=self.settings.mix)

    def lesson(self, update: int, trajectories: Sequence[Trajectory]) -> Lesson:
        if self.settings.learns_from != "successes":
            return super().lesson(update, trajectories)
        groups = self.settings.grouped(trajectories)
        good = [[line for line in group.members if line.success] for group in groups]
        rows = [row for lines in good for line in lines for row in rows_of(line, 1.0)]
        reasons = ["" if lines else "no success" for lines in good]
        return Lesson(rows, {"imitated": float(sum(map(len, good)))}, untaught(groups, reasons))

    def objective(self, predictions: Predictions, batch: Microbatch) -> tuple[torch.Tensor, Metrics]:
        if self.settings.learns_from == "successes":
            return objectives.imitation.imitation(predictions.logprobs_N)
        return super().objective(predictions, batch)
