"""From what a person said to settings: short forms written out, defaults of the chosen parts filled in, all checked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from agentgym.config import CHOICES, CRITIC, Choice, Settings, long_form, merged, validated
from agentgym.errors import ConfigError, UserError
from agentgym.launch import served
from agentgym.launch.absent import refuse_missing_model
from agentgym.launch.combinations import (
    play_ahead,
    refuse_idle_augmentations,
    refuse_idle_curriculum,
    refuse_lone,
    refuse_shifting,
    spent,
)
from agentgym.launch.paying import spelled_out
from agentgym.launch.places import code_of, damaged, told_code
from agentgym.launch.pointing import pointing
from agentgym.launch.sampling import refuse_filters
from agentgym.launch.searching import choose_search
from agentgym.launch.settings import (
    EnvSettings,
    MeasureSettings,
    PolicySettings,
    SpeechSettings,
    TrainSettings,
    chosen_id,
)
from agentgym.launch.written import as_given
from agentgym.learn.nano_settings import WISHES
from agentgym.prompt import text_of_option
from agentgym.registry import plugins
from agentgym.run import read_config

__all__ = [
    "checked",
    "decided",
    "env_of",
    "in_full",
    "nano_defaults",
    "resolve",
    "run_directory",
    "settings_for",
    "usual",
]


def resolve(given: Mapping[str, Any]) -> TrainSettings:
    """Settings of a training run. Raises UserError: UnknownIdError for a plug-in, ConfigError for everything else."""
    given = in_full(given)
    with pointing(TrainSettings, given):
        given = merged(_spoken_by(given), given)
        settings = decided(given)
        settings.complete()
    refuse_missing_model(settings)
    # Which keys the user set decides what counts as having no effect; the defaults above do not.
    settings.warm_start.__pydantic_fields_set__ = set(given.get("warm_start", {}))
    return settings


def decided(given: Mapping[str, Any]) -> TrainSettings:
    """The same of ``given`` in full form, before the options of plug-ins are checked."""
    layers = [nano_defaults(given) if chosen_id(given, "model") == "nano" else {}, given]
    settings = checked(TrainSettings, merged(*layers))
    if more := spent(settings, given):
        settings = checked(TrainSettings, merged(*layers, more))
    refuse_filters(settings.rollout)
    choose_search(settings)
    play_ahead(settings)
    refuse_idle_curriculum(settings)
    refuse_idle_augmentations(settings)
    refuse_shifting(settings)
    refuse_lone(settings)
    return settings


def run_directory(settings: TrainSettings) -> Path:
    """Where the run is kept."""
    names = (Path(choice.id).stem for choice in (settings.env, settings.trainer))
    return settings.output or Path("runs") / f"{'-'.join(names)}-{settings.seed}"


S = TypeVar("S", bound=EnvSettings)


def checked(kind: type[S], values: Mapping[str, Any]) -> S:
    """Settings of that kind; where only options of a choice are given, they are those of the default."""
    if "env" not in values or (isinstance(values["env"], Mapping) and "id" not in values["env"]):
        raise ConfigError("no environment is named; type: --env webshop   (agentgym envs lists the environments)")
    ids = {key: {"id": chosen_id(values, key)} for key in CHOICES if isinstance(values.get(key), Mapping)}
    return validated(kind, merged({key: id for key, id in ids.items() if id["id"]}, values))


def env_of(kind: type[EnvSettings], given: Mapping[str, Any]) -> Choice:
    """The environment of settings of that kind. Raises ConfigError for keys that they do not have."""
    with pointing(kind, full := in_full(given)):
        return checked(kind, full).env


def in_full(given: Mapping[str, Any]) -> dict[str, Any]:
    """``given`` with its short forms in full."""
    full = long_form(spelled_out(long_form(given)))
    model = full.get("model")
    if "lora" in full and isinstance(model, Mapping) and "lora" in model:
        raise ConfigError('"lora" is short for "model.lora", and both are given; leave one of them out')
    if isinstance(protocol := full.get("protocol"), Mapping) and "system" in protocol:
        full["protocol"] = {**protocol, "system": text_of_option(protocol["system"])}
    for key, option in (("rewards", "rubric"), ("augment", "text")):
        for id, chosen in named.items() if isinstance(named := full.get(key), Mapping) else ():
            if isinstance(chosen, Mapping) and option in chosen:
                text = text_of_option(chosen[option], f"{key}.{id}.{option}")
                full[key] = {**full[key], id: {**chosen, option: text}}
            critic = chosen.get(CRITIC) if isinstance(chosen, Mapping) else None
            if isinstance(critic, Mapping) and option in critic:
                text = text_of_option(critic[option], f"{key}.{id}.{CRITIC}.{option}")
                full[key] = {**full[key], id: {**chosen, CRITIC: {**critic, option: text}}}
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


def usual(kind: type[EnvSettings], given: Mapping[str, Any]) -> dict[str, Any]:
    """``given`` in full form over what a command begins with: what nano wants, or what the named run was told."""
    model = given.get("model", {}).get("id")
    if issubclass(kind, TrainSettings):
        return merged(nano_defaults(given), given) if chosen_id(given, "model") == "nano" else dict(given)
    own = {key: value for key, value in given.items() if key in kind.model_fields}
    if not issubclass(kind, SpeechSettings):
        return own
    if model in (None, "nano") and not issubclass(kind, PolicySettings):
        return merged(_shared(nano_defaults(given), kind), own)
    return merged(_run_settings(model, kind) if model else {}, own)


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
    if issubclass(kind, PolicySettings):
        given, model = served.in_full(in_full(given), model)
    own = {"model": {"id": model}} if issubclass(kind, PolicySettings) else {}
    also = in_full(given).get("model")
    if isinstance(also, Mapping) and also.get("id", model) != model:
        raise ConfigError(f'the model is given twice: "{model}" and "{also["id"]}"; leave one of them out')
    of_run = _run_settings(model, kind)
    chosen = merged(of_run, _anew(in_full(given)), own)
    with pointing(kind, chosen):
        checked(kind, chosen)
        if code := sorted({*code_of(of_run)} & {*code_of(chosen)}):
            note(told_code(Path(model), code))
        settings = checked(TrainSettings, merged(chosen, {"model": {"id": model}, "seed": seed}))
        settings.complete()
    refuse_missing_model(settings)
    return settings


def _spoken_by(given: Mapping[str, Any]) -> dict[str, Any]:
    """The protocol that the run which training begins with talks in, where no other is given.

    What the run made of options of the prompt is left behind in another environment.
    """
    own = _run_settings(chosen_id(given, "model"), SpeechSettings)
    spoken, asked = own.get("protocol", {}), given.get("protocol", {})
    if not spoken or asked.get("id", spoken["id"]) != spoken["id"]:
        return {}
    if own["env"]["id"] != chosen_id(given, "env"):
        spoken = {key: value for key, value in spoken.items() if key != "kept"}
    return {"protocol": dict(spoken)}


def _anew(given: Mapping[str, Any]) -> dict[str, Any]:
    """``given``; what a run made of options of the prompt counts no longer where there are others."""
    protocol = given.get("protocol")
    if isinstance(protocol, Mapping) and protocol.keys() & {"example", "shots", "shots_from"}:
        return merged(given, {"protocol": {"kept": None}})
    return dict(given)


def _run_settings(model: str, kind: type[SpeechSettings]) -> dict[str, Any]:
    """Those of a run's settings that ``kind`` has."""
    directory = Path(model)
    is_run = (directory / "policies").is_dir() or (directory / "ledger.jsonl").exists()
    config = read_config(directory) if is_run or (directory / "config.json").is_file() else {}
    if "env" not in config and is_run:
        raise damaged(directory, ConfigError("it has no env"))
    if "env" not in config:
        return {}
    if not (Path(model) / "policy").is_dir():
        raise ConfigError(f"{model} has no trained policy yet; let it finish: agentgym train --resume {model}")
    own = ("model", "search")  # a search is of what is played now, not of what was learned from
    shared = {key: value for key, value in _shared(config, kind).items() if key not in own}
    try:
        checked(kind, shared)
    except ConfigError as error:
        raise damaged(Path(model), error) from None
    return as_given(shared, beside=config)


def _shared(values: Mapping[str, Any], kind: type[Settings]) -> dict[str, Any]:
    """The part of ``values`` that ``kind`` has fields for, group by group."""
    shared = {key: values[key] for key in kind.model_fields if key in values}
    for key, value in shared.items():
        group = kind.model_fields[key].annotation
        if isinstance(group, type) and issubclass(group, Settings) and isinstance(value, Mapping):
            shared[key] = _shared(value, group)
    return shared
