"""What is refused within a second: before torch is imported, and before anything is said of a run that is there."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from agentgym import store
from agentgym.config import merged, validated
from agentgym.errors import ConfigError
from agentgym.hosts import make_hosts
from agentgym.launch import places
from agentgym.launch.absent import refuse_unloadable
from agentgym.launch.pointing import pointing
from agentgym.launch.resolving import checked, in_full, run_directory
from agentgym.launch.scout import sent_ahead
from agentgym.launch.settings import TrainSettings
from agentgym.launch.written import as_given
from agentgym.registry import EnvFactory, plugins
from agentgym.run import Run, refuse_taken

__all__ = ["refuse_unplayable", "refuse_unresumable", "refuse_untrainable"]


async def refuse_untrainable(settings: TrainSettings) -> None:
    """Raise UserError where the environment, the data to learn from or the run directory is not to be had."""
    await refuse_unplayable(settings)
    trainer = plugins("trainers").checked(settings.trainer.id, settings.trainer.options)
    for data in (getattr(trainer, "data", None), settings.warm_start.data):
        if isinstance(data, Path):
            store.opened(data).close()
    refuse_taken(run_directory(settings))


def refuse_unresumable(directory: Path, given: Mapping[str, Any]) -> None:
    """Raise UserError where there is no run, or ``given`` has what no run takes.

    Plug-ins of files are not run for that: whoever goes on with the run says first that they are.
    """
    config = Run.open(directory).config
    if not given or places.code_of(config):
        return
    try:
        validated(TrainSettings, config)
    except ConfigError:  # it is damaged, which is told by whoever goes on with it
        return
    whole = merged(as_given(config), in_full(given))
    with pointing(TrainSettings, whole):
        checked(TrainSettings, whole).complete()


async def refuse_unplayable(settings: TrainSettings) -> None:
    """Raise UserError where the model or a package is not to be had, or the environment cannot be opened.

    It may have names and files of its own.
    """
    await asyncio.to_thread(refuse_unloadable, settings)
    hosts = make_hosts("threads", EnvFactory(settings.env.id, settings.env.options, settings.augmentations))
    try:
        async with sent_ahead(hosts, settings.env.id, settings.rollout.step_seconds):
            return
    finally:
        await hosts.close()
