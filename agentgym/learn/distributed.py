"""The processes that learn together: every one has a share of the rows, all take the same step.

Sums over processes are what they would be in one process. A process alone sends nothing. Every forward runs on all
processes, on those that have no rows left too: where weights are spread over them, each needs the others' part.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import distributed

from agentgym.learn.batch import Microbatch, microbatches
from agentgym.learn.rows import Row

__all__ = ["ALONE", "World", "in_step", "is_idle"]

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

    def barrier(self) -> None:
        """Go on when all have come here."""
        if self.size > 1:
            distributed.barrier()

    def summed(self, values: Sequence[float], device: torch.device) -> list[float]:
        """Each of ``values`` summed over processes, which all must give equally many."""
        if self.size == 1:
            return list(values)
        total = torch.tensor(values, dtype=torch.float64, device=device)
        distributed.all_reduce(total)
        found: list[float] = total.tolist()
        return found

    def most(self, value: int, device: torch.device) -> int:
        """The largest ``value`` of all processes."""
        if self.size == 1:
            return value
        largest = torch.tensor(value, device=device)
        distributed.all_reduce(largest, distributed.ReduceOp.MAX)
        return int(largest)

    def gathered(self, value: Any, device: torch.device) -> list[Any]:
        """Every process's ``value``, which is sent as JSON, in the order of their ranks."""
        if self.size == 1:
            return [value]
        text = json.dumps(value).encode()
        sent = torch.tensor(list(text.ljust(self.most(len(text), device))), dtype=torch.uint8, device=device)
        received = [torch.empty_like(sent) for _ in range(self.size)]
        distributed.all_gather(received, sent)
        return [json.loads(bytes(found.tolist())) for found in received]

    def sum_metrics(self, metrics: Mapping[str, float], device: torch.device) -> dict[str, float]:
        """Each metric summed; a process without rows has no names of its own and learns them from the others."""
        if self.size == 1:
            return dict(metrics)
        names = sorted({name for names in self.gathered(list(metrics), device) for name in names})
        return dict(zip(names, self.summed([metrics.get(name, 0.0) for name in names], device), strict=True))

    def sum_gradients(self, parameters: Sequence[torch.nn.Parameter]) -> None:
        """Replace each parameter's gradient by its sum; where there is none it counts as 0."""
        if self.size == 1:
            return
        bucket: list[torch.Tensor] = []
        for parameter in parameters:
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
            if bucket and (parameter.grad.dtype is not bucket[0].dtype or sum(g.numel() for g in bucket) >= _BUCKET):
                _sum_bucket(bucket)
                bucket = []
            bucket.append(parameter.grad)
        if bucket:
            _sum_bucket(bucket)


ALONE = World.one()


def _sum_bucket(gradients: Sequence[torch.Tensor]) -> None:
    flat = torch.cat([gradient.flatten() for gradient in gradients])
    distributed.all_reduce(flat)
    for gradient, total in zip(gradients, torch.split(flat, [g.numel() for g in gradients]), strict=True):
        gradient.copy_(total.view_as(gradient))


def in_step(batches: Iterable[Microbatch], world: World, device: torch.device) -> Iterator[Microbatch]:
    """``batches``, and after them idle ones until every process has had as many."""
    if world.size == 1:
        yield from batches
        return
    own = list(batches)
    yield from own
    for _ in range(world.most(len(own), device) - len(own)):
        yield _idle()


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
