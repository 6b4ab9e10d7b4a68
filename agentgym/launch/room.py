"""Whether a run has room, in memory and on the disk, before anything is written.

A checkpoint holds the policy, the trainer's further modules and learners, and for each trained parameter AdamW's two
moments and, where it has two bytes, its master. A new checkpoint is complete before the oldest goes, so one more than
are kept must fit; each may need another best policy, and two more are there while a better one is written.
"""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch

from agentgym.errors import UserError
from agentgym.launch.parts import Parts
from agentgym.launch.settings import TrainSettings
from agentgym.learn import footprint
from agentgym.learn.learner import Learner
from agentgym.learn.masters import optimizer_bytes
from agentgym.learn.policy import Policy
from agentgym.learn.trainer import Trainer, TrainerSettings
from agentgym.weights import tensors_of

__all__ = ["DiskEstimate", "episodes_at_once", "refuse_full_disk", "refuse_too_large"]

_SMALL = 2**18
"""Configuration, state and manifest of a checkpoint."""
_LINES = 2**14
"""What an update adds to metrics, ledger and TensorBoard."""
_TOKEN = 6
"""What the archive takes for a token: of random ids and log-probabilities it is less, benchmarks/archive.py says."""


def episodes_at_once(settings: TrainSettings, parts: Parts, an_update: int) -> int:
    """How many a run has under way at most: those of ``an_update``, or of a look at the tasks it is measured by.

    Who plays ahead has as many as may be.
    """
    if settings.mode != "sync":
        return settings.rollout.concurrency
    looks = {"test": settings.eval.episodes, "validation": settings.eval.validation_episodes}
    most = max(an_update, *(min(num, len(parts.env.tasks(split))) for split, num in looks.items()))
    return min(settings.rollout.concurrency, most)


def refuse_too_large(settings: TrainSettings, parts: Parts, trainer: TrainerSettings, *, episodes: int) -> str:
    """What training will take beside the weights, which are there already, in words.

    The engine's cache grows with the ``episodes`` that are under way at once: it is counted for ``engine.max_context``
    where that is given, and else for sequences that fill a microbatch. Raises UserError, naming what to lower, when
    there is less.
    """
    module: Any = parts.policy.module
    given = settings.engine.options.get("max_context")
    trained = [parameter for parameter in module.parameters() if parameter.requires_grad]
    needed = footprint.estimate(
        module.config,
        num_parameters=parts.policy.num_parameters,
        num_trained=sum(p.numel() for p in trained),
        max_microbatch_tokens=trainer.max_microbatch_tokens,
        max_context=given or min(parts.engine.max_context, trainer.max_microbatch_tokens),
        sessions=episodes,
        element_size=next(module.parameters()).element_size(),
        trained_size=trained[0].element_size(),
        autocast=trainer.precision == "bfloat16",
        gradient_checkpointing=trainer.gradient_checkpointing,
        on_cpu=module.device.type == "cpu",
    )
    del needed["weights"]
    footprint.check_fits(needed, module.device)
    parts_told = ", ".join(f"{name} {footprint.told(size)}" for name, size in needed.items() if size)
    return f"memory beside the weights: about {footprint.told(sum(needed.values()))} at most ({parts_told})"


@dataclasses.dataclass(frozen=True, slots=True)
class DiskEstimate:
    """Bytes that a run writes at most."""

    policy: int
    """The policy as it is saved: with low-rank adapters, these alone."""
    optimizers: int
    further: int
    """Weights of the trainer's other learners and modules."""
    lines: int
    """Metrics, ledger and TensorBoard."""
    episodes: int
    keep: int
    """Checkpoints kept."""

    @classmethod
    def of(
        cls, policy: Policy, learner: Learner, trainer: Trainer[Any], *, keep: int, updates: int, episode_tokens: float
    ) -> DiskEstimate:
        """What a run with this trainer, which is prepared, writes. The warm start's policy is counted too.

        ``episode_tokens`` are those of all the episodes that its archive keeps.
        """
        further = trainer.learners().values()
        modules = [*(each.module for each in further), *trainer.modules().values()]
        return cls(
            policy=_saved(policy) + _tokenizer(policy),
            optimizers=sum(optimizer_bytes(each.parameters) for each in (learner, *further)),
            further=sum(tensor.nbytes for module in modules for tensor in tensors_of(module).values()),
            lines=updates * _LINES,
            episodes=int(episode_tokens * _TOKEN),
            keep=keep,
        )

    @property
    def checkpoint(self) -> int:
        return self.policy + self.optimizers + self.further + _SMALL

    @property
    def total(self) -> int:
        return (self.keep + 1) * self.checkpoint + (self.keep + 3) * self.policy + self.lines + self.episodes


def refuse_full_disk(directory: Path, needed: DiskEstimate) -> None:
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
        f"weights {_size(needed.further)}), {num + 2} policies, {_size(needed.episodes)} of episodes (--archive.keep) "
        f"and {_size(needed.lines)} of metrics; {advice}choose an --output on a larger disk"
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
