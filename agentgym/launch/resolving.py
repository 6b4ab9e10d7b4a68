"""From what a person said to settings: short forms written out, defaults of the chosen parts filled in, all checked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from agentgym.config import CHOICES, Settings, long_form, merged, validated
from agentgym.errors import ConfigError, UserError
from agentgym.launch.combinations import play_ahead, refuse_filters, refuse_idle_curriculum, spent
from agentgym.launch.places import code_of, damaged, told_code
from agentgym.launch.settings import MeasureSettings, PolicySettings, SpeechSettings, TrainSettings
from agentgym.learn.nano_settings import WISHES
from agentgym.prompt import text_of_option
from agentgym.registry import plugins
from agentgym.run import read_config

__all__ = ["chosen_id", "in_full", "nano_defaults", "resolve", "settings_for"]


def resolve(given: Mapping[str, Any]) -> TrainSettings:
    """Settings of a training run. Raises UserError: UnknownIdError for a plug-in, ConfigError for everything else."""
    given = in_full(given)
    layers = [nano_defaults(given) if chosen_id(given, "model") == "nano" else {}, given]
    settings = _checked(TrainSettings, merged(*layers))
    if decided := spent(settings, given):
        settings = _checked(TrainSettings, merged(*layers, decided))
    refuse_filters(settings.rollout)
    play_ahead(settings)
    refuse_idle_curriculum(settings)
    settings.complete()
    # Which keys the user set decides what counts as having no effect; the defaults above do not.
    settings.warm_start.__pydantic_fields_set__ = set(given.get("warm_start", {}))
    return settings


S = TypeVar("S", bound=SpeechSettings)


def _checked(kind: type[S], values: Mapping[str, Any]) -> S:
    """Settings of that kind; where only options of a choice are given, they are those of the default."""
    ids = {key: {"id": chosen_id(values, key)} for key in CHOICES if isinstance(values.get(key), Mapping)}
    return validated(kind, merged({key: id for key, id in ids.items() if id["id"]}, values))


def in_full(given: Mapping[str, Any]) -> dict[str, Any]:
    """``given`` with its short forms in full."""
    full = long_form(given)
    model = full.get("model")
    if "lora" in full and isinstance(model, Mapping) and "lora" in model:
        raise ConfigError('"lora" is short for "model.lora", and both are given; leave one of them out')
    if isinstance(protocol := full.get("protocol"), Mapping) and "system" in protocol:
        full["protocol"] = {**protocol, "system": text_of_option(protocol["system"])}
    return merged(full, {"model": {"lora": full.pop("lora")}}) if "lora" in full else full


def nano_defaults(given: Mapping[str, Any]) -> dict[str, Any]:
    """What a small model made from nothing wants where the user says nothing. Raises UnknownIdError."""
    trainer, engine = chosen_id(given, "trainer"), chosen_id(given, "engine")
    options = given.get("trainer")
    beside: Any = getattr(plugins("trainers").get(trainer), "nano_beside", None)
    wishes = beside(options if isinstance(options, Mapping) else {}) if beside else {}
    return merged(
        WISHES,
        {"warm_start": _nano("trainers", "sft")},  # which the warm start is
        {"trainer": {"id": trainer, **wishes}},
        {"model": {"id": "nano", **_nano("engines", engine)}},
        {"engine": {"id": engine, **_nano("engines", engine, "with_nano")}},
    )


def _nano(kind: str, id: str, wish: str = "nano") -> dict[str, Any]:
    return dict(getattr(plugins(kind).get(id), wish, {}))


def chosen_id(given: Mapping[str, Any], key: str) -> str:
    """The id of a choice in full form, or its default; empty where there is none."""
    chosen, default = given.get(key), TrainSettings.model_fields[key].default
    id = chosen.get("id") if isinstance(chosen, Mapping) else None
    return str(id or getattr(default, "id", ""))


# -- a finished policy -----------------------------------------------------------------------------------


def settings_for(
    given: Mapping[str, Any],
    model: str,
    *,
    seed: int,
    kind: type[SpeechSettings] = MeasureSettings,
    note: Callable[[str], None] = lambda text: None,
) -> TrainSettings:
    """Settings to run a finished policy with: those of its run, where it has one, and ``given`` over them.

    ``note`` is told which code of the run's own settings is executed. Raises ConfigError for keys that ``kind`` does
    not have, DataError for a run whose settings are damaged.
    """
    if model == "nano":
        raise UserError("nano is made anew for each training run; pass the run directory: --model runs/NAME")
    own = {"model": {"id": model}} if issubclass(kind, PolicySettings) else {}
    also = in_full(given).get("model")
    if isinstance(also, Mapping) and also.get("id", model) != model:
        raise ConfigError(f'the model is given twice: "{model}" and "{also["id"]}"; leave one of them out')
    of_run = _run_settings(model, kind)
    chosen = merged(of_run, _anew(in_full(given)), own)
    _checked(kind, chosen)
    if code := sorted({*code_of(of_run)} & {*code_of(chosen)}):
        note(told_code(Path(model), code))
    settings = _checked(TrainSettings, merged(chosen, {"model": {"id": model}, "seed": seed}))
    settings.complete()
    return settings


def _anew(given: Mapping[str, Any]) -> dict[str, Any]:
    """``given``; what a run made of options of the prompt counts no longer where there are others."""
    protocol = given.get("protocol")
    if isinstance(protocol, Mapping) and protocol.keys() & {"example", "shots", "shots_from"}:
        return merged(given, {"protocol": {"kept": None}})
    return dict(given)


def _run_settings(model: str, kind: type[SpeechSettings]) -> dict[str, Any]:
    """Those of a run's settings that ``kind`` has."""
    file = Path(model) / "config.json"
    config = read_config(Path(model)) if file.is_file() else {}
    if "env" not in config:
        return {}
    if not (Path(model) / "policy").is_dir():
        raise ConfigError(f"{model} has no trained policy yet; let it finish: agentgym train --resume {model}")
    shared = {key: value for key, value in _shared(config, kind).items() if key != "model"}
    try:
        _checked(kind, shared)
    except ConfigError as error:
        raise damaged(Path(model), error) from None
    return shared


def _shared(values: Mapping[str, Any], kind: type[Settings]) -> dict[str, Any]:
    """The part of ``values`` that ``kind`` has fields for, group by group."""
    shared = {key: values[key] for key in kind.model_fields if key in values}
    for key, value in shared.items():
        group = kind.model_fields[key].annotation
        if isinstance(group, type) and issubclass(group, Settings) and isinstance(value, Mapping):
            shared[key] = _shared(value, group)
    return shared
