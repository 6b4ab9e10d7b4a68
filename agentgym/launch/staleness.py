"""What goes with playing ahead of learning.

Episodes that were begun under older weights are off-policy: whatever trainer corrects for that is told to, and one
that would not is refused.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from agentgym.config import validated
from agentgym.errors import ConfigError
from agentgym.learn.players import Players
from agentgym.learn.trainer import Trainer
from agentgym.registry import plugins
from agentgym.scheduler import Scheduler

if TYPE_CHECKING:
    from agentgym.launch.settings import TrainSettings

__all__ = ["Mode", "make_scheduler", "play_ahead"]

Mode: TypeAlias = Literal["sync", "async", "fully-async"]

_DEFAULTS: dict[Mode, int] = {"async": 1, "fully-async": 2}


def play_ahead(settings: TrainSettings) -> None:
    """Fill in what the mode of ``settings`` decides. Raises ConfigError for what does not go with it."""
    if settings.mode == "sync":
        if settings.max_staleness is not None:
            raise ConfigError("max_staleness has no effect with mode sync; add --mode async")
        return
    factory: Any = plugins("trainers").get(settings.trainer.id)
    if not factory(validated(factory.Settings, settings.trainer.options, where="trainer")).plays_ahead:
        raise ConfigError(
            f"the trainer {settings.trainer.id} plays what depends on what it has just learned, or on an expert: "
            "there is nothing to play ahead; type: --mode sync"
        )
    if settings.max_staleness is None:
        settings.max_staleness = _DEFAULTS[settings.mode]
    if "correction" not in factory.Settings.model_fields:
        return
    options = {"correction": "truncate", **settings.trainer.options}
    if options["correction"] == "none":
        raise ConfigError(
            f"mode {settings.mode} learns from episodes of older weights, which the loss must correct for; "
            "type: --trainer.correction truncate (or mask), or --mode sync"
        )
    settings.trainer = settings.trainer.model_copy(update=options)


def make_scheduler(settings: TrainSettings, trainer: Trainer[Any], players: Players) -> Scheduler | None:
    """What plays ahead, in the mode of ``settings``; None where nothing does."""
    if settings.mode == "sync":
        return None
    assert settings.max_staleness is not None
    return Scheduler(
        lambda update: trainer.specs(update, players.draws),
        players.policy,
        max_staleness=settings.max_staleness,
        in_order=settings.mode == "async",
        num_updates=settings.updates,
    )
