"""From what a person said to settings: short forms written out, defaults of the chosen parts filled in, all checked."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from agentgym.config import Settings, long_form, merged, validated
from agentgym.errors import ConfigError, UserError
from agentgym.launch.combinations import play_ahead, refuse_filters, spent
from agentgym.launch.settings import (
    KINDS,
    MeasureSettings,
    PolicySettings,
    SpeechSettings,
    TrainSettings,
    model_settings,
)
from agentgym.learn.nano_settings import WISHES
from agentgym.registry import plugins

__all__ = ["in_full", "nano_defaults", "resolve", "settings_for", "written_out"]


def resolve(given: Mapping[str, Any]) -> TrainSettings:
    """Settings of a training run. Raises UserError: UnknownIdError for a plug-in, ConfigError for everything else."""
    given = written_out(given)
    is_nano = _id(given, "model") == "nano"
    _refuse_early(validated(TrainSettings, merged(_before_engine(given) if is_nano else {}, given)))
    defaults = nano_defaults(given) if is_nano else {}
    settings = validated(TrainSettings, merged(defaults, given))
    if decided := spent(settings, given):
        settings = validated(TrainSettings, merged(defaults, given, decided))
    refuse_filters(settings.rollout)
    play_ahead(settings)
    settings.complete()
    # Which keys the user set decides what counts as having no effect; the defaults above do not.
    settings.warm_start.__pydantic_fields_set__ = set(given.get("warm_start", {}))
    return settings


def _refuse_early(settings: TrainSettings) -> None:
    """Raise UserError for what can be told before the engine is imported, which takes seconds."""
    for key in ("env", "protocol", "trainer"):
        chosen = getattr(settings, key)
        plugins(KINDS[key]).checked(chosen.id, chosen.options)
    for id, reward in settings.rewards.items():
        plugins("rewards").checked(id, reward.options)
    known = model_settings(settings.model.id)
    if settings.model.options.keys() - known.model_fields.keys():  # how they go together, an engine may decide
        validated(known, settings.model.options, where="model")


def written_out(given: Mapping[str, Any]) -> dict[str, Any]:
    """``given`` with its short forms in full, and the id of every choice of which only options are given."""
    full = in_full(given)
    for key, field in TrainSettings.model_fields.items():
        if isinstance(full.get(key), Mapping) and not field.is_required() and hasattr(field.default, "id"):
            full[key] = {"id": field.default.id, **full[key]}
    return full


def in_full(given: Mapping[str, Any]) -> dict[str, Any]:
    """``given`` with its short forms in full."""
    full = long_form(given)
    return merged(full, {"model": {"lora": full.pop("lora")}}) if "lora" in full else full


def nano_defaults(given: Mapping[str, Any]) -> dict[str, Any]:
    """What a small model made from nothing wants where the user says nothing. Raises UnknownIdError."""
    return merged(_before_engine(given), {"model": {"id": "nano", **_nano("engines", _id(given, "engine"))}})


def _before_engine(given: Mapping[str, Any]) -> dict[str, Any]:
    trainer = _id(given, "trainer")
    return merged(
        WISHES,
        {"warm_start": _nano("trainers", "sft")},  # which the warm start is
        {"trainer": {"id": trainer, **_nano("trainers", trainer)}},
    )


def _nano(kind: str, id: str) -> dict[str, Any]:
    return dict(getattr(plugins(kind).get(id), "nano", {}))


def _id(given: Mapping[str, Any], key: str) -> str:
    chosen = given.get(key)
    return str(chosen["id"] if isinstance(chosen, Mapping) else TrainSettings.model_fields[key].default.id)


# -- a finished policy -----------------------------------------------------------------------------------


def settings_for(
    given: Mapping[str, Any], model: str, *, seed: int, kind: type[SpeechSettings] = MeasureSettings
) -> TrainSettings:
    """Settings to run a finished policy with: those of its run, where it has one, and ``given`` over them.

    Raises ConfigError for keys that ``kind`` does not have.
    """
    if model == "nano":
        raise UserError("nano is made anew for each training run; pass the run directory: --model runs/NAME")
    own = {"model": {"id": model}} if issubclass(kind, PolicySettings) else {}
    chosen = merged(_run_settings(model, kind), written_out(given), own)
    validated(kind, chosen)
    settings = validated(TrainSettings, {**chosen, "model": {"id": model, **chosen.get("model", {})}, "seed": seed})
    _refuse_early(settings)
    settings.complete()
    return settings


def _run_settings(model: str, kind: type[Settings]) -> dict[str, Any]:
    """Those of a run's settings that ``kind`` has."""
    file = Path(model) / "config.json"
    config = json.loads(file.read_text()) if file.is_file() else {}
    if "env" not in config:
        return {}
    if not (Path(model) / "policy").is_dir():
        raise ConfigError(f"{model} has no trained policy yet; let it finish: agentgym train --resume {model}")
    return {key: value for key, value in _shared(config, kind).items() if key != "model"}


def _shared(values: Mapping[str, Any], kind: type[Settings]) -> dict[str, Any]:
    """The part of ``values`` that ``kind`` has fields for, group by group."""
    shared = {key: values[key] for key in kind.model_fields if key in values}
    for key, value in shared.items():
        group = kind.model_fields[key].annotation
        if isinstance(group, type) and issubclass(group, Settings):
            shared[key] = _shared(value, group)
    return shared
