"""From rows to tensors: which tokens are trained, in which microbatch.

Shape legend: B sequences, T tokens, N trained tokens of a microbatch (flat).

Sequences are packed: their tokens stand one after the other in one long row, without padding, and end where the last
trained token is predicted, since nothing after that has a say. Where they are to share what they begin with, a
microbatch also has their trie (``prefixes``), which is then what is computed.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from agentgym.learn import prefixes
from agentgym.learn.rows import Row

__all__ = ["Microbatch", "in_chunks", "microbatches", "needed_tokens", "units_of"]

_OPTIONAL = ("proximal_logprobs", "reference_logprobs", "values", "returns")


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
    units_N: torch.Tensor
    """Unit that each token belongs to, within the microbatch, from 0; a row without a unit is one of its own."""
    demonstrations_N: torch.Tensor
    """True for tokens of demonstrations."""
    units_B: torch.Tensor
    """Unit of each sequence, -1 for none."""
    media: list[list[str]] = dataclasses.field(default_factory=list)
    """Digests of the images of each sequence; those after its end too. Empty where there are none at all."""
    episodes: list[str] = dataclasses.field(default_factory=list)
    """Whose each sequence is, for errors."""
    highest: int = 0
    """Of all token ids, those that are predicted last among them."""
    trie: prefixes.Trie | None = None
    """The sequences put together where they begin alike; None: each is computed whole."""
    proximal_logprobs_N: torch.Tensor | None = None
    reference_logprobs_N: torch.Tensor | None = None
    values_N: torch.Tensor | None = None
    returns_N: torch.Tensor | None = None

    def to(self, device: torch.device) -> Microbatch:
        """The same on another device."""
        tensors = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        moved: dict[str, Any] = {
            name: value.to(device)
            for name, value in tensors.items()
            if isinstance(value, (torch.Tensor, prefixes.Trie))
        }
        return dataclasses.replace(self, **moved)

    def per_row(self, values_N: torch.Tensor) -> Iterator[tuple[int, NDArray[np.float32]]]:
        """Of each sequence its row of the whole update, and what ``values_N`` has of its tokens."""
        rows_N, values = self.rows_N.cpu().numpy(), values_N.float().cpu().numpy()
        starts = np.flatnonzero(np.diff(rows_N, prepend=-1))
        for start, part in zip(starts, np.split(values, starts)[1:], strict=True):
            yield int(rows_N[start]), part


def microbatches(
    rows: Sequence[Row],
    weights: Sequence[float],
    *,
    max_tokens: int,
    shares: bool = False,
    units: Sequence[list[int]] | None = None,
) -> Iterator[Microbatch]:
    """Cut ``rows`` into microbatches of at most ``max_tokens`` tokens, units whole, the longest units first.

    With ``shares`` those that begin alike stand together instead, and what they share counts once. A single unit longer
    than that makes a microbatch of its own. Rows without trained tokens are left out. ``units`` are those to cut,
    default all that ``units_of`` finds.
    Raises ValueError when only some of the rows have one of the optional columns.
    """
    needed = [row.num_needed for row in rows]
    present = _present([row for row, length in zip(rows, needed, strict=True) if length])
    for chunk in in_chunks(rows, units_of(rows) if units is None else units, max_tokens=max_tokens, shares=shares):
        yield _microbatch(rows, weights, needed, chunk, present, shares=shares)


def in_chunks(
    rows: Sequence[Row], units: Sequence[list[int]], *, max_tokens: int, shares: bool = False
) -> Iterator[list[int]]:
    """Indices of rows by microbatch, as ``microbatches`` cuts ``units``."""
    if shares:
        return prefixes.chunks(units, needed_tokens(rows), max_tokens=max_tokens)
    return _chunks(units, [row.num_needed for row in rows], max_tokens)


def needed_tokens(rows: Sequence[Row]) -> list[NDArray[np.int32]]:
    """Of each row the tokens that a forward pass must see."""
    return [row.token_ids[: row.num_needed] for row in rows]


def _chunks(units: Sequence[list[int]], needed: Sequence[int], max_tokens: int) -> Iterator[list[int]]:
    chunk: list[int] = []
    num_tokens = 0
    for unit in units:
        more = sum(needed[i] for i in unit)
        if chunk and num_tokens + more > max_tokens:
            yield chunk
            chunk, num_tokens = [], 0
        chunk += unit
        num_tokens += more
    if chunk:
        yield chunk


def units_of(rows: Sequence[Row]) -> list[list[int]]:
    """Indices of rows that stay together, the longest units first, otherwise in the order of their first rows.

    Those without trained tokens are left out.
    """
    needed = [row.num_needed for row in rows]
    units: dict[int | tuple[int], list[int]] = {}
    for i, row in enumerate(rows):
        if needed[i]:
            units.setdefault(_unit_of(row, i), []).append(i)
    return sorted(units.values(), key=lambda unit: -sum(needed[i] for i in unit))


def _unit_of(row: Row, index: int) -> int | tuple[int]:
    """What is the same for rows of one unit and for no others."""
    return (index,) if row.unit is None else row.unit


def _present(rows: Sequence[Row]) -> list[str]:
    """Names of the optional columns that the rows have."""
    present = []
    for name in _OPTIONAL:
        having = sum(getattr(row, name) is not None for row in rows)
        if having not in (0, len(rows)):
            raise ValueError(f"{having} of {len(rows)} rows have {name}; expected all of them or none")
        if having:
            present.append(name)
    return present


def _microbatch(
    rows: Sequence[Row],
    weights: Sequence[float],
    needed: Sequence[int],
    chunk: Sequence[int],
    present: Sequence[str],
    *,
    shares: bool,
) -> Microbatch:
    chosen, lengths = [rows[i] for i in chunk], [needed[i] for i in chunk]
    predicts_T = np.concatenate([row.loss_mask[1 : n + 1] for row, n in zip(chosen, lengths, strict=True)])
    counts_B = torch.tensor([row.num_trained for row in chosen])

    def of_targets(columns: Sequence[NDArray[Any]], dtype: type[np.generic]) -> torch.Tensor:
        """What trained tokens have in the column of each sequence, one sequence after the other."""
        next_T = np.concatenate([column[1 : n + 1] for column, n in zip(columns, lengths, strict=True)])
        return torch.from_numpy(next_T[predicts_T].astype(dtype, copy=False))

    def numbers(name: str) -> torch.Tensor:
        return of_targets([getattr(row, name) for row in chosen], np.float32)

    keys = [_unit_of(row, i) for row, i in zip(chosen, chunk, strict=True)]
    places = {key: place for place, key in enumerate(dict.fromkeys(keys))}
    shown = [np.zeros_like(row.loss_mask) if row.demonstrations is None else row.demonstrations for row in chosen]
    sequences = [row.token_ids[:n] for row, n in zip(chosen, lengths, strict=True)]
    targets_N = of_targets([row.token_ids for row in chosen], np.int64)
    return Microbatch(
        ids_T=torch.from_numpy(np.concatenate(sequences).astype(np.int64)),
        positions_T=torch.cat([torch.arange(length) for length in lengths]),
        lengths=lengths,
        predicts_T=torch.from_numpy(predicts_T),
        targets_N=targets_N,
        behavior_logprobs_N=numbers("behavior_logprobs"),
        advantages_N=numbers("advantages"),
        weights_N=torch.tensor([weights[i] for i in chunk]).repeat_interleave(counts_B),
        rows_N=torch.tensor(list(chunk)).repeat_interleave(counts_B),
        sequences_N=torch.arange(len(chunk)).repeat_interleave(counts_B),
        units_N=torch.tensor([places[key] for key in keys]).repeat_interleave(counts_B),
        demonstrations_N=of_targets(shown, np.bool_),
        units_B=torch.tensor([-1 if row.unit is None else row.unit for row in chosen]),
        media=[row.media for row in chosen] if any(row.media for row in chosen) else [],
        episodes=[row.episode for row in chosen],
        highest=max(int(row.token_ids[: n + 1].max()) for row, n in zip(chosen, lengths, strict=True)),
        trie=prefixes.plant(sequences, predicts_T, targets_N.numpy()) if shares else None,
        **{f"{name}_N": numbers(name) for name in present},
    )
