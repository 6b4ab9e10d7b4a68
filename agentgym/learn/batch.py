"""From token samples to tensors: which tokens are trained, with which weight, in which microbatch.

Shape legend: B sequences, T tokens, N trained tokens of a microbatch (flat).

The weight of a token is fixed for the whole update before it is cut into microbatches: the loss is the sum of
weight × token loss, so neither the cut nor the order nor the padding changes it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Literal

import torch

from agentgym.types import Sample

__all__ = ["Aggregation", "Microbatch", "Row", "microbatches", "token_weights"]

Aggregation = Literal["token", "sequence"]


@dataclasses.dataclass(slots=True, kw_only=True)
class Row:
    """One sequence to train on; all lists have length T."""

    token_ids: list[int]
    loss_mask: list[bool]
    behavior_logprobs: list[float]
    advantages: list[float]
    """Weight of each token's log-likelihood gradient; 1 for imitation."""

    @classmethod
    def of(cls, sample: Sample, advantages: float | Sequence[float]) -> Row:
        """A row of ``sample`` with one advantage for all its tokens, or one for each turn."""
        if isinstance(advantages, (int, float)):
            per_token = [float(advantages)] * len(sample.token_ids)
        else:
            per_token = [float(advantages[turn]) for turn in sample.turn_index]
        return cls(
            token_ids=sample.token_ids,
            loss_mask=sample.loss_mask,
            behavior_logprobs=sample.logprobs,
            advantages=per_token,
        )

    @property
    def num_trained(self) -> int:
        return sum(self.loss_mask[1:])


@dataclasses.dataclass(slots=True, kw_only=True)
class Microbatch:
    """What one forward and backward see. Only trained tokens have an entry in the flat tensors."""

    ids_BT: torch.Tensor
    """Right-padded; under causal attention padding changes nothing before it."""
    predicts_BT: torch.Tensor
    """True where the *next* token is trained: the positions whose logits are needed."""
    targets_N: torch.Tensor
    behavior_logprobs_N: torch.Tensor
    advantages_N: torch.Tensor
    weights_N: torch.Tensor
    rows_N: torch.Tensor
    """Row of the whole update that each token belongs to."""

    def to(self, device: torch.device) -> Microbatch:
        """The same on another device."""
        moved = {field.name: getattr(self, field.name).to(device) for field in dataclasses.fields(self)}
        return Microbatch(**moved)


def token_weights(rows: Sequence[Row], aggregation: Aggregation) -> list[float]:
    """The weight of every trained token of each row; over all rows they sum to 1.

    "token": 1 / trained tokens of the update (DAPO, arXiv 2503.14476, eq. 8). "sequence": a mean over rows of
    the mean over a row's tokens (GRPO, arXiv 2402.03300, eq. 3). Rows without trained tokens count for nothing.
    """
    counts = [row.num_trained for row in rows]
    if aggregation == "token":
        total = sum(counts)
        return [1.0 / total if count else 0.0 for count in counts]
    filled = sum(count > 0 for count in counts)
    return [1.0 / (filled * count) if count else 0.0 for count in counts]


def microbatches(rows: Sequence[Row], weights: Sequence[float], *, max_tokens: int) -> Iterator[Microbatch]:
    """Cut ``rows`` into microbatches of at most ``max_tokens`` padded tokens, rows of like length together.

    A single row longer than that makes a microbatch of its own. Rows without trained tokens are left out.
    """
    order = sorted((i for i, row in enumerate(rows) if row.num_trained), key=lambda i: -len(rows[i].token_ids))
    chunk: list[int] = []
    for i in order:
        if chunk and len(rows[chunk[0]].token_ids) * (len(chunk) + 1) > max_tokens:
            yield _microbatch(rows, weights, chunk)
            chunk = []
        chunk.append(i)
    if chunk:
        yield _microbatch(rows, weights, chunk)


def _microbatch(rows: Sequence[Row], weights: Sequence[float], chunk: Sequence[int]) -> Microbatch:
    width = max(len(rows[i].token_ids) for i in chunk)
    ids_BT = torch.zeros(len(chunk), width, dtype=torch.long)
    trained_BT = torch.zeros(len(chunk), width, dtype=torch.bool)
    behavior_BT, advantages_BT = torch.zeros(len(chunk), width), torch.zeros(len(chunk), width)
    for b, i in enumerate(chunk):
        row, length = rows[i], len(rows[i].token_ids)
        ids_BT[b, :length] = torch.tensor(row.token_ids)
        trained_BT[b, 1:length] = torch.tensor(row.loss_mask[1:])
        behavior_BT[b, :length] = torch.tensor(row.behavior_logprobs)
        advantages_BT[b, :length] = torch.tensor(row.advantages)
    counts = trained_BT.sum(1)
    return Microbatch(
        ids_BT=ids_BT,
        predicts_BT=trained_BT.roll(-1, dims=1),
        targets_N=ids_BT[trained_BT],
        behavior_logprobs_N=behavior_BT[trained_BT],
        advantages_N=advantages_BT[trained_BT],
        weights_N=torch.tensor([weights[i] for i in chunk]).repeat_interleave(counts),
        rows_N=torch.tensor(list(chunk)).repeat_interleave(counts),
    )
