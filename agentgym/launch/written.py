"""The settings of a run as its config.json has them: every value, those that its plug-ins fill in among them.

Who goes on with a run, or measures its policy, takes them up without what would be filled in again by itself: a slot of
the engine for each episode is another number where there are to be more episodes.
"""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel
from pydantic_core import PydanticSerializationError, to_jsonable_python

from agentgym.config import validated
from agentgym.errors import UserError
from agentgym.launch.settings import BY_ID, KINDS, TrainSettings, engine_defaults
from agentgym.learn.model_settings import model_settings
from agentgym.registry import plugins

__all__ = ["as_given", "resolved"]

_OWN = ("id", "weight")
"""Keys of a choice that are no options of what is chosen."""


def resolved(settings: TrainSettings) -> dict[str, Any]:
    """Every value as JSON; a default that has no such form is left to its plug-in."""
    config = settings.model_dump(mode="json")
    for part, kind, id in _parts(config):
        options = {key: value for key, value in part.items() if key not in _OWN}
        for name, value in _filled(kind, id, _wanted(kind, id, config) | options).items():
            if name not in part:
                with contextlib.suppress(PydanticSerializationError):
                    part[name] = to_jsonable_python(value)
    return config


def as_given(config: Mapping[str, Any], *, beside: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """``config`` without what ``resolved`` fills in; it may be some groups, ``beside`` others.

    What cannot be asked what it fills in stays as it is: whoever uses it says why.
    """
    given = copy.deepcopy(dict(config))
    for part, kind, id in _parts(given):
        named = {key: value for key, value in part.items() if key in _OWN}
        options = {key: value for key, value in part.items() if key not in _OWN}
        with contextlib.suppress(UserError):
            options = _needed(kind, id, options, _wanted(kind, id, beside or config))
        part.clear()
        part.update(named | options)
    return given


def _parts(config: Mapping[str, Any]) -> list[tuple[dict[str, Any], str, str]]:
    """What is chosen, with its kind and id."""
    kinds = {**KINDS, "model": "model"}
    chosen = [(config[key], kind, config[key]["id"]) for key, kind in kinds.items() if key in config]
    return [*chosen, *((part, kind, id) for key, kind in BY_ID.items() for id, part in config.get(key, {}).items())]


def _wanted(kind: str, id: str, config: Mapping[str, Any]) -> dict[str, Any]:
    """What the run wants of it."""
    if kind != "engines" or "concurrency" not in config.get("rollout", {}):
        return {}
    return engine_defaults(id, sessions=config["rollout"]["concurrency"], ahead=config.get("mode", "sync") != "sync")


def _needed(kind: str, id: str, options: Mapping[str, Any], wanted: Mapping[str, Any]) -> dict[str, Any]:
    """The options that would not be filled in as they are; what is given decides that, as a preset does."""
    fields = _settings(kind, id).model_fields
    needed = {name: value for name, value in options.items() if name not in fields or fields[name].is_required()}
    while True:
        filled = _filled(kind, id, {**wanted, **needed})
        others = {
            name: value
            for name, value in options.items()
            if name not in needed and to_jsonable_python(filled[name], fallback=repr) != value
        }
        if not others:
            return needed
        needed |= others


def _settings(kind: str, id: str) -> type[BaseModel]:
    return model_settings(id) if kind == "model" else plugins(kind).settings(id)


def _filled(kind: str, id: str, options: Mapping[str, Any]) -> dict[str, Any]:
    if kind == "model":
        return dict(validated(_settings(kind, id), options, where=kind))
    return dict(plugins(kind).checked(id, options))
