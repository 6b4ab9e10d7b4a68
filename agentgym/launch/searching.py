"""Which search plays for a trainer: the one that is chosen, or the trainer's own.

A search plays the policy's episodes. Some trainers learn from trees alone, and to some a tree is of no use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from agentgym.config import Choice
from agentgym.errors import ConfigError
from agentgym.launch.settings import TrainSettings
from agentgym.registry import plugins

if TYPE_CHECKING:
    from agentgym.learn.trainer import Trainer

__all__ = ["choose_search"]


def choose_search(settings: TrainSettings) -> None:
    """Fill in the trainer's own search where none is chosen. Raises ConfigError for one without effect, or the other
    way round.
    """
    trainer: Trainer[Any] = plugins("trainers").build(settings.trainer.id, settings.trainer.options)
    chosen = settings.search
    if "search" not in settings.model_fields_set:
        settings.search = Choice(id=trainer.search)
    elif chosen.id == "flat" and trainer.search != "flat":
        raise ConfigError(
            f"the trainer {settings.trainer.id} learns from trees, and the search flat grows none; leave out --search, "
            f"or type --search {trainer.search}"
        )
    elif chosen.id != "flat" and (why := trainer.why_no_search):
        raise ConfigError(
            f"search {chosen.id} does not go with the trainer {settings.trainer.id}: {why}; leave out --search, or "
            "choose another --trainer"
        )
