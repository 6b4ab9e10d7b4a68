"""How a model speaks, before anything is asked of it: its tokenizer, and the protocol that it would play with."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from agentgym.launch.absent import refuse_unloadable
from agentgym.launch.resolving import resolve, settings_for
from agentgym.launch.settings import SpeechSettings
from agentgym.registry import make, plugins

if TYPE_CHECKING:
    from agentgym.launch.settings import TrainSettings

__all__ = ["speech", "spoken"]


def spoken(given: Mapping[str, Any], model: str | None, *, note: Callable[[str], None]) -> TrainSettings:
    """The settings of ``model``, or nano's; ``note`` is told which code of a run is executed.

    Raises UserError, before torch is imported, where there is none such.
    """
    if model in (None, "nano"):
        return resolve(given)
    settings = settings_for(given, str(model), seed=0, kind=SpeechSettings, note=note)
    refuse_unloadable(settings)
    return settings


def speech(settings: TrainSettings, model: str | None) -> tuple[Any, Any]:
    """Tokenizer and protocol of ``model``; without one, single bytes and the protocol that nano has by default."""
    from agentgym.launch.models import make_policy
    from agentgym.launch.prompting import prompted
    from agentgym.learn.byte_tokenizer import byte_tokenizer
    from agentgym.loops import run
    from agentgym.tokenizer import ChatTokenizer

    protocol = plugins("protocols").build(settings.protocol.id, settings.protocol.options)
    with contextlib.closing(make(settings.env.id, **settings.env.options)) as env:
        if model is None:
            return ChatTokenizer(byte_tokenizer()), run(prompted(protocol, env))
        tokenizer = run(make_policy(settings.model, env, seed=0)).tokenizer
        return tokenizer, run(prompted(protocol.suited(*tokenizer.speech), env))
