"""From an episode to rows: the token sequences that are trained on, and what goes with each token."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from agentgym.columns import Bools, Doubles, Floats, Ints, Record
from agentgym.types import Role, Sample, Trajectory

__all__ = ["Row", "per_token", "rows_of", "teaches", "trained", "unite", "whole", "write"]


class Row(Record):
    """One sequence to train on; its columns have length T. What a model said is float32, what is computed float64."""

    token_ids: Ints
    loss_mask: Bools
    behavior_logprobs: Floats
    """Log-probabilities under the policy that sampled the tokens."""
    advantages: Doubles
    """Weight of each token's log-likelihood gradient; 1 for imitation."""
    proximal_logprobs: Floats | None = None
    """Log-probabilities under the policy as it was when the update began."""
    reference_logprobs: Floats | None = None
    """Log-probabilities under the policy that training must not leave too far behind."""
    values: Floats | None = None
    """The critic's estimates before the update."""
    returns: Doubles | None = None
    """What the critic is to estimate."""
    unit: int | None = None
    """Rows of one unit, for instance a preference pair, stay in one microbatch, in their order."""
    role: Role = "policy"
    """Who played the episode."""
    demonstrations: Bools | None = None
    """True on tokens that an expert said; None for none."""
    media: list[str] = Field(default_factory=list)
    """Digests of the images that the tokens show, in order."""
    episode: str = ""
    """Whose it is, for errors."""
    episode_tokens: int | None = None
    """Tokens with a loss in all rows of the episode that the row may be a part of; None: the row's own."""
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
        return int(np.count_nonzero(self.loss_mask[1:]))

    @property
    def share(self) -> float:
        """Of its episode's tokens with a loss the share that it has; 0 without any."""
        num = self.num_trained
        return num / (self.episode_tokens or num) if num else 0.0

    @property
    def places(self) -> NDArray[np.intp]:
        """Where the tokens with a loss are."""
        return np.flatnonzero(self.loss_mask[1:]) + 1

    @property
    def num_needed(self) -> int:
        """Tokens from the first to the one that predicts the last trained one: what a forward pass must see."""
        mask = self.loss_mask[1:]
        return len(mask) - int(mask[::-1].argmax()) if mask.any() else 0


def teaches(rows: Sequence[Row]) -> bool:
    """Whether there is a token with a loss in ``rows``."""
    return any(row.num_needed for row in rows)


def rows_of(trajectory: Trajectory, advantages: float | Sequence[float], *, first_turn: int = 0) -> list[Row]:
    """A row for each sample of an episode, which knows who said what; ``advantages`` as for ``Row.of``.

    Turns before ``first_turn`` have no loss.
    """
    rows = []
    for sample in trajectory.samples:
        row, by_expert = Row.of(sample, advantages), trajectory.said_by_expert(sample)
        if first_turn:
            row.loss_mask = row.loss_mask & (sample.turn_index >= first_turn)
            by_expert = by_expert & row.loss_mask
        row.role, row.episode = trajectory.role, trajectory.episode_id
        row.demonstrations = by_expert if by_expert.any() else None
        rows.append(row)
    return whole(rows)


def whole(rows: list[Row]) -> list[Row]:
    """``rows``, which are all of one episode and know from here on how long that is."""
    num = sum(row.num_trained for row in rows) if len(rows) > 1 else None
    for row in rows:
        row.episode_tokens = num
    return rows


def unite(episodes: Sequence[Sequence[Row]]) -> None:
    """Make the rows of each episode a unit, for what runs over all of its tokens."""
    for unit, rows in enumerate(episodes):
        for row in rows:
            row.unit = unit


def per_token(sample: Sample, advantages: float | Sequence[float]) -> NDArray[np.float64]:
    """The advantage of each token of ``sample``, given one for all of them or one for each turn.

    What stands after the last turn, which nobody replied to, has none.
    """
    if isinstance(advantages, (int, float)):
        return np.full(len(sample.token_ids), float(advantages))
    return np.append(np.asarray(advantages, dtype=np.float64), 0.0)[sample.turn_index]


_Column = Literal["behavior_logprobs", "advantages", "proximal_logprobs", "reference_logprobs", "values", "returns"]


def trained(rows: Sequence[Row], name: _Column) -> NDArray[np.float64]:
    """What the trained tokens of ``rows`` have in a column [N], row after row."""
    parts: list[NDArray[Any]] = [getattr(row, name)[row.places] for row in rows]
    return np.concatenate(parts, dtype=np.float64) if parts else np.zeros(0)


def write(rows: Sequence[Row], name: _Column, values_N: NDArray[np.float64]) -> None:
    """Put ``values_N`` where ``trained`` found them."""
    start = 0
    for row in rows:
        places = row.places
        getattr(row, name)[places] = values_N[start : start + len(places)]
        start += len(places)
