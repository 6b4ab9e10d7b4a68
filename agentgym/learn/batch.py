"""From token samples to tensors: which tokens are trained, with which weight, in which microbatch.

Shape legend: B sequences, T tokens, N trained tokens of a microbatch (flat).

Sequences are packed: their tokens stand one after the other in one long row, without padding, and end where the last
trained token is predicted, since nothing after that has a say. The weight of a token is fixed for the whole update
before it is cut into microbatches: the loss is the sum of weight × token loss, so neither the cut nor the order
changes it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterator, Sequence
from itertools import chain, compress
from typing import Any, Literal

import torch

from agentgym.types import Sample

__all__ = ["Aggregation", "Microbatch", "Row", "denominator", "microbatches", "token_weights"]

Aggregation = Literal["token", "sequence", "constant"]

_OPTIONAL = ("proximal_logprobs", "reference_logprobs", "values", "returns")


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
    demonstrations: list[bool] | None = None
    """True on tokens that an expert said; None for none."""
    weight: float = 1.0
    """Multiplies the weight of the row's tokens, after normalization."""

    @classmethod
    def of(cls, sample: Sample, advantages: float | Sequence[float], *, turns: Collection[int] | None = None) -> Row:
        """A row of ``sample`` with one advantage for all its tokens, or one for each turn.

        With ``turns``, only tokens of those turns are trained.
        """
        if isinstance(advantages, (int, float)):
            per_token = [float(advantages)] * len(sample.token_ids)
        else:
            per_token = [float(advantages[turn]) for turn in sample.turn_index]
        mask = sample.loss_mask
        if turns is not None:
            mask = [trained and turn in turns for trained, turn in zip(mask, sample.turn_index, strict=True)]
        by_expert = [
            said and version < 0 for said, version in zip(sample.loss_mask, sample.policy_versions, strict=True)
        ]
        return cls(
            token_ids=sample.token_ids,
            loss_mask=mask,
            behavior_logprobs=sample.logprobs,
            advantages=per_token,
            demonstrations=by_expert if any(by_expert) else None,
        )

    @property
    def num_trained(self) -> int:
        """Tokens with a loss; the first token has nothing before it that could predict it."""
        return sum(self.loss_mask[1:])

    @property
    def num_needed(self) -> int:
        """Tokens from the first to the one that predicts the last trained one: what a forward pass must see."""
        return len(self.loss_mask) - 1 - self.loss_mask[:0:-1].index(True) if self.num_trained else 0


@dataclasses.dataclass(slots=True, kw_only=True)
class Microbatch:
    """What one forward and backward see. Only trained tokens have an entry in the flat tensors."""

    ids_T: torch.Tensor
    """The tokens of all sequences, one after the other."""
    positions_T: torch.Tensor
    """Place of each token in its own sequence."""
    lengths: list[int]
    """Tokens of each sequence; they sum to T."""
    predicts_T: torch.Tensor
    """True where the *next* token is trained: the positions whose logits are needed."""
    targets_N: torch.Tensor
    behavior_logprobs_N: torch.Tensor
    advantages_N: torch.Tensor
    weights_N: torch.Tensor
    rows_N: torch.Tensor
    """Row of the whole update that each token belongs to."""
    sequences_N: torch.Tensor
    """The same within the microbatch, from 0."""
    demonstrations_N: torch.Tensor
    """True for tokens of demonstrations."""
    units_B: torch.Tensor
    """Unit of each sequence, -1 for none."""
    proximal_logprobs_N: torch.Tensor | None = None
    reference_logprobs_N: torch.Tensor | None = None
    values_N: torch.Tensor | None = None
    returns_N: torch.Tensor | None = None

    def to(self, device: torch.device) -> Microbatch:
        """The same on another device."""
        tensors = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        moved: dict[str, Any] = {
            name: value.to(device) for name, value in tensors.items() if isinstance(value, torch.Tensor)
        }
        return dataclasses.replace(self, **moved)


def denominator(rows: Sequence[Row], aggregation: Aggregation) -> float:
    """What the weights of ``rows`` are divided by: trained tokens ("token"), otherwise rows that have any."""
    if aggregation == "token":
        return float(sum(row.num_trained for row in rows))
    return float(sum(row.num_trained > 0 for row in rows))


def token_weights(
    rows: Sequence[Row], aggregation: Aggregation, *, total: float | None = None, max_tokens: int | None = None
) -> list[float]:
    """The weight of every trained token of each row, times the row's own ``weight``.

    "token": 1 / trained tokens of the update (DAPO, arXiv 2503.14476, eq. 8). "sequence": a mean over rows of
    the mean over a row's tokens (GRPO, arXiv 2402.03300, eq. 3). With these two the weights sum to 1. "constant":
    1 / (rows × ``max_tokens``), so that a token weighs the same in short and long rows of every update (Dr. GRPO,
    arXiv 2503.20783, listing 1). Rows without trained tokens count for nothing.

    ``total`` is the ``denominator`` of the whole update where ``rows`` are one process's share of it. Raises
    ValueError for "constant" without ``max_tokens``.
    """
    total = denominator(rows, aggregation) if total is None else total
    if aggregation == "constant":
        if not max_tokens:
            raise ValueError('aggregation "constant" divides by a number of tokens; give max_tokens')
        return [row.weight / (total * max_tokens) if row.num_trained else 0.0 for row in rows]
    if aggregation == "token":
        return [row.weight / total if row.num_trained else 0.0 for row in rows]
    return [row.weight / (total * row.num_trained) if row.num_trained else 0.0 for row in rows]


def microbatches(rows: Sequence[Row], weights: Sequence[float], *, max_tokens: int) -> Iterator[Microbatch]:
    """Cut ``rows`` into microbatches of at most ``max_tokens`` tokens, units whole, the longest units first.

    A single unit longer than that makes a microbatch of its own. Rows without trained tokens are left out.
    Raises ValueError when only some of the rows have one of the optional lists.
    """
    needed = [row.num_needed for row in rows]
    present = _present([row for row, length in zip(rows, needed, strict=True) if length])
    chunk: list[int] = []
    for unit in _units(rows, needed):
        if chunk and sum(needed[i] for i in chunk + unit) > max_tokens:
            yield _microbatch(rows, weights, chunk, present)
            chunk = []
        chunk += unit
    if chunk:
        yield _microbatch(rows, weights, chunk, present)


def _units(rows: Sequence[Row], needed: Sequence[int]) -> list[list[int]]:
    """Indices of rows that stay together, the longest units first, otherwise in the order of their first rows."""
    units: dict[int | tuple[int], list[int]] = {}
    for i, row in enumerate(rows):
        if needed[i]:
            units.setdefault((i,) if row.unit is None else row.unit, []).append(i)
    return sorted(units.values(), key=lambda unit: -sum(needed[i] for i in unit))


def _present(rows: Sequence[Row]) -> list[str]:
    """Names of the optional lists that the rows have."""
    present = []
    for name in _OPTIONAL:
        having = sum(getattr(row, name) is not None for row in rows)
        if having not in (0, len(rows)):
            raise ValueError(f"{having} of {len(rows)} rows have {name}; expected all of them or none")
        if having:
            present.append(name)
    return present


def _microbatch(
    rows: Sequence[Row], weights: Sequence[float], chunk: Sequence[int], present: Sequence[str]
) -> Microbatch:
    chosen = [rows[i] for i in chunk]
    lengths = [row.num_needed for row in chosen]
    trained = [row.loss_mask[1 : length + 1] for row, length in zip(chosen, lengths, strict=True)]
    counts = torch.tensor([sum(mask) for mask in trained])

    shown = (
        compress((row.demonstrations or [False] * len(row.loss_mask))[1:], mask)
        for row, mask in zip(chosen, trained, strict=True)
    )

    def of_targets(name: str) -> list[float]:
        """Values of trained tokens, sequence after sequence."""
        per_row = (compress(getattr(row, name)[1:], mask) for row, mask in zip(chosen, trained, strict=True))
        return list(chain.from_iterable(per_row))

    return Microbatch(
        ids_T=torch.tensor([token for row in chosen for token in row.token_ids[: row.num_needed]]),
        positions_T=torch.cat([torch.arange(length) for length in lengths]),
        lengths=lengths,
        predicts_T=torch.tensor(list(chain.from_iterable(trained)), dtype=torch.bool),
        targets_N=torch.tensor(of_targets("token_ids"), dtype=torch.long),
        behavior_logprobs_N=torch.tensor(of_targets("behavior_logprobs"), dtype=torch.float32),
        advantages_N=torch.tensor(of_targets("advantages"), dtype=torch.float32),
        weights_N=torch.tensor([weights[i] for i in chunk]).repeat_interleave(counts),
        rows_N=torch.tensor(list(chunk)).repeat_interleave(counts),
        sequences_N=torch.arange(len(chunk)).repeat_interleave(counts),
        demonstrations_N=torch.tensor(list(chain.from_iterable(shown)), dtype=torch.bool),
        units_B=torch.tensor([-1 if row.unit is None else row.unit for row in chosen]),
        **{f"{name}_N": torch.tensor(of_targets(name), dtype=torch.float32) for name in present},
    )
