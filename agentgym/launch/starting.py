"""The beginning of a training run: everything that can be refused is refused before a file is written."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from agentgym.errors import ConfigError, UserError
from agentgym.launch import disk, fingerprint, memory
from agentgym.launch.assemble import Parts, assemble, make_trainer, settled
from agentgym.launch.engines import refuse_untrainable
from agentgym.launch.reporting import Reporter, Silent
from agentgym.launch.sampling import refuse_filters
from agentgym.launch.settings import TrainSettings, resolve
from agentgym.launch.training import Training, seed_all
from agentgym.run import Run
from agentgym.trainers.sft import SFT

__all__ = ["is_warm", "train"]


def train(given: Mapping[str, Any], *, reporter: Reporter | None = None) -> Path:
    """Train as ``given`` says, a mapping with the keys of ``TrainSettings``; returns the run directory.

    Raises UserError for bad input before anything is written.

    Example::

        run = train({"env": "webshop", "updates": 20, "output": "runs/mine"})
    """
    settings = resolve(given)
    refuse_filters(settings.rollout)
    if settings.output is None:
        names = (Path(choice.id).stem for choice in (settings.env, settings.trainer))
        settings.output = Path("runs") / f"{'-'.join(names)}-{settings.seed}"
    _refuse_unwritable(settings.output)
    trainer = make_trainer(settings.trainer)  # refuses what is wrong with it now, not after the warm start
    seed_all(settings.seed)
    parts = assemble(settings)
    refuse_untrainable(parts.engine)
    trainer.check(parts.policy.tokenizer)
    reporter = reporter or Silent()
    reporter.note(memory.refuse_too_large(settings, parts, trainer.settings))
    warm = _wants_warm_start(settings, parts)
    training = Training(settings, parts, Run(settings.output), reporter, warm)
    disk.refuse_full(settings.output, training.estimate())
    training.run = Run.create(settings.output, settings.model_dump(mode="json"))
    with training.run.locked():
        fingerprint.record(training.run, settings.model.id)
        training.begin()
        asyncio.run(training.go())
    return settings.output


def _refuse_unwritable(output: Path) -> None:
    if (output / "config.json").exists():
        raise UserError(
            f"{output} already holds a run; type: agentgym train --resume {output}, or choose another --output"
        )
    existing = next(path for path in [output, *output.absolute().parents] if path.exists())
    if not existing.is_dir() or not os.access(existing, os.W_OK):
        raise UserError(
            f"cannot write the run directory {output}: {existing} is not a writable directory; choose another --output"
        )


def is_warm(settings: TrainSettings, parts: Parts) -> bool:
    """Whether the run begins with a warm start."""
    if settings.warm_start.enabled is not None:
        return settings.warm_start.enabled
    return settings.model.id == "nano" and settings.trainer.id != "sft" and _has_expert(parts)


def _wants_warm_start(settings: TrainSettings, parts: Parts) -> bool:
    warm = is_warm(settings, parts)
    if warm:
        SFT(settings.warm_start).check(parts.policy.tokenizer)
    shown = warm and settings.warm_start.data is None
    if (shown or make_trainer(settings.trainer).needs_expert) and not _has_expert(parts):
        raise ConfigError(
            f'"{parts.env.name}" has no expert() to imitate; choose another --trainer, and no --warm_start.enabled'
        )
    keys = settings.warm_start.model_fields_set - {"enabled"}
    if not warm and keys:
        raise ConfigError(
            f"warm_start.{min(keys)} has no effect: there is no warm start here; add --warm_start.enabled true"
        )
    return warm


def _has_expert(parts: Parts) -> bool:
    async def look() -> bool:
        await settled(parts.env.reset(seed=0))
        return parts.env.expert() is not None

    return asyncio.run(look())
