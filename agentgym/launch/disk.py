"""Whether a run fits on the disk, before anything is written.

A checkpoint holds the policy, the trainer's further modules and learners, and for each trained parameter AdamW's two
moments. A new checkpoint is complete before the oldest goes, so one more than are kept must fit; each may need
another best policy, and two more are there while a better one is written.
"""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch

from agentgym.errors import UserError
from agentgym.learn.learner import Learner
from agentgym.learn.policy import Policy
from agentgym.learn.trainer import Trainer

__all__ = ["Estimate", "estimate", "refuse_full"]

_SMALL = 2**18
"""Configuration, state and manifest of a checkpoint."""
_LINES = 2**14
"""What an update adds to metrics, ledger, trajectories and TensorBoard."""


@dataclasses.dataclass(frozen=True, slots=True)
class Estimate:
    """Bytes that a run writes at most."""

    policy: int
    """The policy as it is saved: with low-rank adapters, these alone."""
    optimizers: int
    further: int
    """Weights of the trainer's other learners and modules."""
    lines: int
    keep: int
    """Checkpoints kept."""

    @property
    def checkpoint(self) -> int:
        return self.policy + self.optimizers + self.further + _SMALL

    @property
    def total(self) -> int:
        return (self.keep + 1) * self.checkpoint + (self.keep + 3) * self.policy + self.lines


def estimate(policy: Policy, learner: Learner, trainer: Trainer[Any], *, keep: int, updates: int) -> Estimate:
    """What a run with this trainer, which is prepared, writes. The warm start's policy is counted too."""
    further = trainer.learners().values()
    modules = [*(each.module for each in further), *trainer.modules().values()]
    return Estimate(
        policy=_saved(policy) + _tokenizer(policy),
        optimizers=sum(2 * _bytes(each.parameters) for each in (learner, *further)),
        further=sum(_bytes(module.state_dict(keep_vars=True).values()) for module in modules),
        lines=updates * _LINES,
        keep=keep,
    )


def refuse_full(directory: Path, needed: Estimate) -> None:
    """Raise UserError unless there is room for ``needed`` where ``directory`` is or will be."""
    existing = next(path for path in [directory, *directory.absolute().parents] if path.is_dir())
    free = shutil.disk_usage(existing).free
    if needed.total <= free:
        return
    num = needed.keep + 1
    advice = f"lower --keep_checkpoints (now {needed.keep}) or " if needed.keep > 1 else ""
    raise UserError(
        f"the run needs {_size(needed.total)} under {directory}, {_size(free)} are free: {num} checkpoints of "
        f"{_size(needed.checkpoint)} (policy {_size(needed.policy)}, optimizers {_size(needed.optimizers)}, other "
        f"weights {_size(needed.further)}), {num + 2} policies, and {_size(needed.lines)} of metrics and episodes; "
        f"{advice}choose an --output on a larger disk"
    )


def _saved(policy: Policy) -> int:
    is_adapter = hasattr(policy.module, "peft_config")
    return _bytes(p for p in policy.module.parameters() if p.requires_grad or not is_adapter)


def _tokenizer(policy: Policy) -> int:
    backend = getattr(policy.tokenizer.hf, "backend_tokenizer", None)
    return len(backend.to_str().encode()) if backend is not None else _SMALL


def _bytes(tensors: Iterable[torch.Tensor]) -> int:
    """A shared one counts once."""
    return sum(tensor.nbytes for tensor in {id(tensor): tensor for tensor in tensors}.values())


def _size(num: int) -> str:
    return f"{num / 1e9:.1f} GB" if num >= 1e9 else f"{num / 1e6:.1f} MB"
