"""What is refused within a second: before torch is imported, and before anything is said of a run that is there."""

from __future__ import annotations

from pathlib import Path

from agentgym import store
from agentgym.hosts import make_hosts
from agentgym.launch.resolving import run_directory
from agentgym.launch.scout import sent_ahead
from agentgym.launch.settings import TrainSettings
from agentgym.registry import EnvFactory, plugins
from agentgym.run import refuse_taken

__all__ = ["refuse_unplayable", "refuse_untrainable"]


async def refuse_untrainable(settings: TrainSettings) -> None:
    """Raise UserError where the environment, the data to learn from or the run directory is not to be had."""
    await refuse_unplayable(settings)
    trainer = plugins("trainers").checked(settings.trainer.id, settings.trainer.options)
    for data in (getattr(trainer, "data", None), settings.warm_start.data):
        if isinstance(data, Path):
            store.opened(data).close()
    refuse_taken(run_directory(settings))


async def refuse_unplayable(settings: TrainSettings) -> None:
    """Raise UserError where the environment cannot be opened: it may have names and files of its own."""
    hosts = make_hosts("threads", EnvFactory(settings.env.id, settings.env.options))
    try:
        async with sent_ahead(hosts, settings.env.id, settings.rollout.step_seconds):
            return
    finally:
        await hosts.close()
