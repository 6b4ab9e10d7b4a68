"""The processes that learn together: each computes a share of the rows, all take the same step.

Every process has all rows and decides alone, and alike, who computes which; what they find is put together by sums.
A process alone sends nothing. Every forward runs on all processes, on those that have no rows left too: where weights
are spread over them, each needs the others' part.
"""

from __future__ import annotations

import dataclasses
import heapq
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import distributed

from agentgym import sealed
from agentgym.learn import prefixes
from agentgym.learn.batch import Microbatch, in_chunks, microbatches, needed_tokens, units_of
from agentgym.learn.rows import Row
from agentgym.weights import tensors_of

__all__ = ["ALONE", "World", "is_idle", "share_of"]

_BUCKET = 2**24
"""Numbers sent at once."""


@dataclasses.dataclass(frozen=True, slots=True)
class World:
    """``size`` processes, of which this is number ``rank``, from 0.

    All of them must call the same methods in the same order; a ``device`` is where they can send from.
    """

    rank: int
    size: int

    @classmethod
    def one(cls) -> World:
        """A process alone."""
        return cls(0, 1)

    @classmethod
    def here(cls) -> World:
        """The processes of the group that ``torch.distributed`` was initialized with; where it was not, this one."""
        if not (distributed.is_available() and distributed.is_initialized()):
            return cls.one()
        return cls(distributed.get_rank(), distributed.get_world_size())

    @property
    def is_first(self) -> bool:
        """Whether this is the process that writes."""
        return self.rank == 0

    def sum(self, values: torch.Tensor) -> torch.Tensor:
        """``values``, which are overwritten by their sums over processes."""
        if self.size > 1:
            distributed.all_reduce(values)
        return values

    def gathered(self, value: Any, device: torch.device) -> list[Any]:
        """Every process's ``value``, which is sent as JSON, in the order of their ranks."""
        if self.size == 1:
            return [value]
        text = json.dumps(value).encode()
        length = torch.tensor(len(text), device=device)
        distributed.all_reduce(length, distributed.ReduceOp.MAX)
        sent = torch.tensor(list(text.ljust(int(length))), dtype=torch.uint8, device=device)
        received = [torch.empty_like(sent) for _ in range(self.size)]
        distributed.all_gather(received, sent)
        return [json.loads(bytes(found.tolist())) for found in received]

    def agreed(self, work: Callable[[], None], device: torch.device) -> None:
        """Do ``work``, and go on when all have. Raises OSError in all processes where the disk refuses one of them."""
        if self.size == 1:
            return work()
        refused: list[Any] = []
        try:
            work()
        except Exception as error:
            number = sealed.disk_problem(error)
            if number is None:
                raise
            refused = [number, f"rank {self.rank}: {error}"]
        for found in filter(None, self.gathered(refused, device)):
            raise OSError(*found)
        return None

    def put_together(self, parts: Sequence[NDArray[np.float32]], device: torch.device) -> list[NDArray[np.float32]]:
        """``parts``, of which every process has found some numbers and has 0 in place of the others."""
        if self.size == 1 or not parts:
            return list(parts)
        whole = self.sum(torch.from_numpy(np.concatenate(parts)).to(device)).cpu().numpy()
        return np.split(whole, np.cumsum([len(part) for part in parts])[:-1])

    def sum_metrics(self, metrics: Mapping[str, float], device: torch.device) -> dict[str, float]:
        """Each metric summed; a process without rows has no names of its own and learns them from the others."""
        if self.size == 1:
            return dict(metrics)
        names = sorted({name for names in self.gathered(list(metrics), device) for name in names})
        values = torch.tensor([metrics.get(name, 0.0) for name in names], dtype=torch.float64, device=device)
        return dict(zip(names, self.sum(values).tolist(), strict=True))

    def share(self, module: torch.nn.Module) -> None:
        """Give the first process's weights to all others, whose modules are made like its."""
        for tensor in tensors_of(module).values() if self.size > 1 else ():
            distributed.broadcast(tensor.detach(), 0)

    def sum_gradients(self, parameters: Sequence[torch.nn.Parameter]) -> None:
        """Replace each parameter's gradient by its sum; where there is none it counts as 0."""
        if self.size == 1:
            return
        bucket: list[torch.Tensor] = []
        for parameter in parameters:
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
            if bucket and (parameter.grad.dtype is not bucket[0].dtype or sum(g.numel() for g in bucket) >= _BUCKET):
                self._sum_bucket(bucket)
                bucket = []
            bucket.append(parameter.grad)
        if bucket:
            self._sum_bucket(bucket)

    def _sum_bucket(self, gradients: Sequence[torch.Tensor]) -> None:
        flat = self.sum(torch.cat([gradient.flatten() for gradient in gradients]))
        for gradient, total in zip(gradients, torch.split(flat, [g.numel() for g in gradients]), strict=True):
            gradient.copy_(total.view_as(gradient))


ALONE = World.one()


# -- who computes what -----------------------------------------------------------------------------------


def share_of(
    world: World, rows: Sequence[Row], weights: Sequence[float], *, max_tokens: int, shares: bool = False
) -> Iterator[Microbatch]:
    """The microbatches that this process computes of ``rows``, and idle ones until every process has as many.

    Units stay whole, and what is computed once (``shares``) goes to one process as far as that leaves all of them as
    much to do. All processes must be given the same.
    """
    options: dict[str, Any] = {"max_tokens": max_tokens, "shares": shares}
    if world.size == 1:
        yield from microbatches(rows, weights, **options)
        return
    parts = _divided(rows, world.size, shares)
    counts = [sum(1 for _ in in_chunks(rows, units, **options)) for units in parts]
    yield from microbatches(rows, weights, **options, units=parts[world.rank])
    for _ in range(max(counts) - counts[world.rank]):
        yield _idle()


def _divided(rows: Sequence[Row], size: int, shares: bool) -> list[list[list[int]]]:
    """Units for each of ``size`` processes: the largest first, each to the process with least to do."""
    units, needed = units_of(rows), [row.num_needed for row in rows]
    families = [[unit] for unit in units]
    if shares:
        tokens = needed_tokens(rows)
        whole = {unit[0]: unit for unit in units}
        most = -(-prefixes.num_distinct([tokens[i] for unit in units for i in unit]) // size)
        chunks = prefixes.chunks(units, tokens, max_tokens=max(1, most))
        families = [[whole[i] for i in chunk if i in whole] for chunk in chunks]
        costs = [prefixes.num_distinct([tokens[i] for unit in family for i in unit]) for family in families]
    else:
        costs = [sum(needed[i] for i in family[0]) for family in families]
    parts: list[list[list[int]]] = [[] for _ in range(size)]
    loads = [(0, rank) for rank in range(size)]
    for place in sorted(range(len(families)), key=lambda place: -costs[place]):
        load, rank = heapq.heappop(loads)
        parts[rank] += families[place]
        heapq.heappush(loads, (load + costs[place], rank))
    return parts


def is_idle(batch: Microbatch) -> bool:
    """Whether nothing in ``batch`` is trained: it is computed because other processes compute theirs."""
    return not len(batch.targets_N)


def _idle() -> Microbatch:
    """One sequence, of whose tokens none is trained."""
    row = Row(token_ids=[0, 0], loss_mask=[True] * 2, behavior_logprobs=[0.0] * 2, advantages=[0.0] * 2)
    (batch,) = microbatches([row], [0.0], max_tokens=2)
    of_tokens = {
        field.name: value[:0]
        for field in dataclasses.fields(batch)
        if field.name.endswith("_N") and (value := getattr(batch, field.name)) is not None
    }
    return dataclasses.replace(batch, predicts_T=torch.zeros_like(batch.predicts_T), **of_tokens)
