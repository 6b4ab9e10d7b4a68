"""From an episode to rows: the token sequences that are trained on, and what goes with each token."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from agentgym.types import Role, Sample, Trajectory

__all__ = ["Row", "per_token", "rows_of"]


@dataclasses.dataclass(slots=True, kw_only=True)
class Row:
    """One sequence to train on; all lists have length T."""

    token_ids: list[int]
    loss_mask: list[bool]
    behavior_logprobs: list[float]
    """Log-probabilities under the policy that sampled the tokens."""
    advantages: list[float]
    """Weight of each token's log-likelihood gradient; 1 for imitation."""
    proximal_logprobs: list[float] | None = None
    """Log-probabilities under the policy as it was when the update began."""
    reference_logprobs: list[float] | None = None
    """Log-probabilities under the policy that training must not leave too far behind."""
    values: list[float] | None = None
    """The critic's estimates before the update."""
    returns: list[float] | None = None
    """What the critic is to estimate."""
    unit: int | None = None
    """Rows of one unit, for instance a preference pair, stay in one microbatch, in their order."""
    role: Role = "policy"
    """Who played the episode."""
    demonstrations: list[bool] | None = None
    """True on tokens that an expert said; None for none."""
    media: list[str] = dataclasses.field(default_factory=list)
    """Digests of the images that the tokens show, in order."""
    episode: str = ""
    """Whose it is, for errors."""
    weight: float = 1.0
    """Multiplies the weight of the row's tokens, after normalization."""

    @classmethod
    def of(cls, sample: Sample, advantages: float | Sequence[float]) -> Row:
        """A row of ``sample`` with one advantage for all its tokens, or one for each turn."""
        return cls(
            token_ids=sample.token_ids,
            loss_mask=sample.loss_mask,
            behavior_logprobs=sample.logprobs,
            advantages=per_token(sample, advantages),
            media=sample.media,
        )

    @property
    def num_trained(self) -> int:
        """Tokens with a loss; the first token has nothing before it that could predict it."""
        return sum(self.loss_mask[1:])

    @property
    def num_needed(self) -> int:
        """Tokens from the first to the one that predicts the last trained one: what a forward pass must see."""
        return len(self.loss_mask) - 1 - self.loss_mask[:0:-1].index(True) if self.num_trained else 0


def rows_of(trajectory: Trajectory, advantages: float | Sequence[float]) -> list[Row]:
    """A row for each sample of an episode, which knows who said what; ``advantages`` as for ``Row.of``."""
    rows, shown = [], trajectory.shown
    for sample in trajectory.samples:
        row = Row.of(sample, advantages)
        row.role, row.episode = trajectory.role, trajectory.episode_id
        by_expert = [said and turn in shown for said, turn in zip(sample.loss_mask, sample.turn_index, strict=True)]
        row.demonstrations = by_expert if any(by_expert) else None
        rows.append(row)
    return rows


def per_token(sample: Sample, advantages: float | Sequence[float]) -> list[float]:
    """The advantage of each token of ``sample``, given one for all of them or one for each turn."""
    if isinstance(advantages, (int, float)):
        return [float(advantages)] * len(sample.token_ids)
    return [float(advantages[turn]) for turn in sample.turn_index]
