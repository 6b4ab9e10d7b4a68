"""Help that comes from the settings themselves: keys, types and defaults, and the docstring under each field."""

from __future__ import annotations

import collections.abc
import dataclasses
import enum
import types
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import click
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from typing_extensions import is_typeddict

from agentgym.config import Augment, Choice, Reward, merged, settings_in, validated
from agentgym.errors import ConfigError, did_you_mean
from agentgym.launch.resolving import decided, in_full, usual
from agentgym.launch.settings import (
    BY_ID,
    KINDS,
    EnvSettings,
    PolicySettings,
    TrainSettings,
    chosen_id,
    engine_defaults,
)
from agentgym.learn.model_settings import model_settings
from agentgym.registry import plugins

__all__ = ["describe", "page"]

_WORDS = {bool: "true|false", int: "INTEGER", float: "NUMBER", str: "TEXT", Path: "PATH", Choice: "ID", Any: "VALUE"}
_CHOICES = ("engine", "protocol", "model", "search", "curriculum", "trainer", "env")
"""Keys that choose, the one that is asked for most last: there a terminal stands still."""

_WIDTH, _COLUMN = 116, 36
_LONGEST = 60
"""Characters of choices that stand behind a key; more of them stand in its meaning."""


def page(
    kind: type[EnvSettings],
    given: Mapping[str, Any],
    *,
    beside: Collection[str] = (),
    topic: str = "",
    type_in: str = "",
) -> str:
    """Every key of ``kind``, and those of the plug-ins that ``given`` or the defaults choose, as they are with it.

    ``beside`` are keys that a command has options or arguments of its own for. A ``topic``, a key or the id of a
    plug-in, is shown alone; ``type_in`` is the command that it is typed in. Raises UnknownIdError for a plug-in that
    there is not, ConfigError for a topic that is none.
    """
    topic, given = _looked_up(kind, topic, in_full(given))
    values = usual(kind, given)
    ids = _ids(kind, values, beside)
    shown = _in_effect(kind, values)
    sections = [
        describe(kind, defaults={**shown, **ids}, without=beside, only=topic),
        _known(kind, topic),
    ]
    for id in values.get("rewards", {}) if "rewards" in kind.model_fields else ():
        sections.append(_of_reward(id, shown["rewards"].get(id), topic))
    for id in values.get("augment", {}) if "augment" in kind.model_fields else ():
        sections.append(_of_augmentation(id, shown["augment"].get(id), topic))
    for key, id in ids.items():
        title = f"With --{key} {id}" if key not in beside else f"With {id}" if key in given else f"With --{key}"
        sections.append(describe(_settings_of(key, id), f"{key}.", title, _of_plugin(key, id, shown), only=topic))
    if topic and not any(sections):
        known = _topics(kind)
        raise ConfigError(f'--help knows no "{topic}".{did_you_mean(topic, known)} Known: {", ".join(known)}, or an id')
    if not topic and type_in:
        sections.insert(0, f"One part alone, say: {type_in} --help {min(_topics(kind), key=len)}")
        sections += [_OF_A_RUN] if "model" in beside and issubclass(kind, PolicySettings) else []
    return "\n\n".join(filter(None, sections))


_OF_A_RUN = "With --model RUN, a run's directory, what RUN was trained with is the default: see there with --help too."


def _topics(kind: type[EnvSettings]) -> list[str]:
    """Keys that have sections of their own."""
    return [
        name
        for name, field in kind.model_fields.items()
        if name in (*_CHOICES, *BY_ID) or settings_in(field) is not None
    ]


def _looked_up(kind: type[EnvSettings], topic: str, given: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """The key that a topic is about, and ``given`` with the plug-in that it is the id of."""
    topic = topic.removeprefix("--")
    for key, of in {**KINDS, **BY_ID}.items():
        if topic and key in kind.model_fields and topic not in kind.model_fields and topic in plugins(of).ids():
            if key in BY_ID:
                return f"{key}.{topic}", merged(given, {key: {topic: {}}})
            return key, merged(given, {key: {"id": topic}})
    return topic if topic.partition(".")[0] in BY_ID else topic.replace("-", "_"), given


def _ids(kind: type[EnvSettings], values: Mapping[str, Any], beside: Collection[str]) -> dict[str, str]:
    """What is chosen of each kind. A model that nobody names is one that is loaded, where it must be named."""
    ids = {key: chosen_id(values, key) for key in _CHOICES if key in kind.model_fields}
    if "model" in ids and "model" in beside and "model" not in values:
        ids["model"] = _LOADED
    return {key: id for key, id in ids.items() if id}


_LOADED = "DIR"


def _settings_of(key: str, id: str) -> type[BaseModel]:
    return model_settings(id) if key == "model" else plugins(KINDS[key]).settings(id)


def _in_effect(kind: type[EnvSettings], values: Mapping[str, Any]) -> dict[str, Any]:
    """What every key of ``kind`` is; of what does not go together, what was said."""
    try:
        stand_in = merged({"env": {"id": ""}}, values)
        settings = decided(stand_in) if issubclass(kind, TrainSettings) else validated(kind, stand_in)
    except ConfigError:
        return dict(values)
    shown = settings.model_dump()
    return shown if "env" in values else {key: value for key, value in shown.items() if key != "env"}


def _of_plugin(key: str, id: str, shown: Mapping[str, Any]) -> dict[str, Any]:
    """The same of a plug-in's settings."""
    options = {name: value for name, value in shown.get(key, {}).items() if name != "id"}
    concurrency = shown.get("rollout", {}).get("concurrency")
    if key == "engine" and concurrency is not None:
        ahead = shown.get("mode", "sync") != "sync"
        options = {**engine_defaults(id, sessions=concurrency, ahead=ahead), **options}
    try:
        return dict(validated(_settings_of(key, id), options))
    except ConfigError:
        return options


def _of_reward(id: str, shown: Any, topic: str) -> str:
    """Its weight and settings, and whether they change what is optimal."""
    is_invariant = getattr(plugins("rewards").get(id), "is_invariant", False)
    title = f"With --rewards.{id}, which {'is policy-invariant' if is_invariant else 'changes what is optimal'}"
    formatter = click.HelpFormatter(width=_WIDTH)
    weight = shown.get("weight", 1.0) if isinstance(shown, Mapping) else shown
    rows = [(f"--rewards.{id} NUMBER", f"Its weight.  [{weight}]")]
    rows += [row for _, rows in _sections(plugins("rewards").settings(id), f"rewards.{id}.", "", {}) for row in rows]
    if rows := _about(topic, rows):
        with formatter.section(title):
            formatter.write_dl(rows, col_max=_COLUMN)
    return formatter.getvalue().strip("\n")


def _of_augmentation(id: str, shown: Any, topic: str) -> str:
    """Its settings."""
    settings = plugins("augmentations").settings(id)
    return describe(settings, f"augment.{id}.", f"With --augment {id}", dict(shown or {}), only=topic)


def _known(kind: type[EnvSettings], topic: str = "") -> str:
    """The ids that there are of each kind."""
    formatter = click.HelpFormatter(width=_WIDTH)
    kinds = {**KINDS, **BY_ID}
    rows = [(f"--{key}", ", ".join(plugins(kinds[key]).ids())) for key in kinds if key in kind.model_fields]
    if rows := [row for row in rows if topic in ("", row[0].removeprefix("--"))]:
        with formatter.section("Ids (name one beside --help, and its settings are shown)"):
            formatter.write_dl(rows)
    return formatter.getvalue().strip("\n")


def _about(topic: str, rows: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """The rows of a key and of those below it."""
    keys = [row[0].partition(" ")[0].removeprefix("--") for row in rows]
    return [row for row, key in zip(rows, keys, strict=True) if not topic or f"{key}.".startswith(f"{topic}.")]


def describe(
    settings: type[BaseModel],
    prefix: str = "",
    title: str = "Settings",
    defaults: Mapping[str, Any] | None = None,
    *,
    without: Collection[str] = (),
    only: str = "",
) -> str:
    """Every key of ``settings`` with its type, default and meaning, nested ones in sections of their own.

    ``defaults`` stand in for those of the fields. What only Python can give is left out, as are keys in ``without``,
    and all but ``only`` and what is below it.
    """
    formatter = click.HelpFormatter(width=_WIDTH)
    for heading, rows in _sections(settings, prefix, title, defaults or {}):
        rows = [row for row in rows if row[0].partition(" ")[0].removeprefix("--") not in without]
        rows = _about(only, rows)
        if rows:
            with formatter.section(heading):
                formatter.write_dl(rows, col_max=_COLUMN)
    return formatter.getvalue().strip("\n")


def _sections(
    settings: type[BaseModel], prefix: str, title: str, defaults: Mapping[str, Any]
) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    rows, further = [], []
    for name, field in settings.model_fields.items():
        if (group := settings_in(field)) is not None:
            default = defaults.get(name) or {}
            further.append(_sections(group, f"{prefix}{name}.", _meaning(field).rstrip("."), default))
        elif words := list(dict.fromkeys(_words(field.annotation))):
            rows.append(_row(prefix + name, field, words, defaults))
    yield title, rows
    for sections in further:
        yield from sections


def _row(key: str, field: FieldInfo, words: list[str], defaults: Mapping[str, Any]) -> tuple[str, str]:
    choices, meaning = "|".join(words), _meaning(field)
    if len(choices) > _LONGEST:
        choices, meaning = "CHOICE", f"{meaning.rstrip('.')}: {', '.join(words)}."
    usual = "required" if field.is_required() else field.get_default(call_default_factory=True)
    shown = _shown(defaults.get(key.rpartition(".")[2], usual))
    return f"--{key} {choices}", f"{meaning}  [{shown}]" if shown else meaning


def _meaning(field: FieldInfo) -> str:
    return " ".join((field.description or "").replace("``", "").split())


def _words(annotation: Any) -> Iterator[str]:
    """What a value may be, in a word each; nothing for what cannot be typed."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        yield from _words(arguments[0])
    elif origin in (Union, types.UnionType):
        for member in arguments:
            yield from _words(member)
    elif origin is Literal:
        yield from map(str, arguments)
    elif isinstance(origin, type) and issubclass(origin, collections.abc.Mapping):
        yield "ID" if {Reward, Augment} & {*arguments} else "TABLE"
    elif isinstance(origin, type) and issubclass(origin, collections.abc.Iterable):
        yield "LIST"
    elif isinstance(annotation, type) and issubclass(annotation, enum.Enum):
        yield from (str(member.value) for member in annotation)
    elif annotation in _WORDS:
        yield _WORDS[annotation]
    elif dataclasses.is_dataclass(annotation) or is_typeddict(annotation) or _is_model(annotation):
        yield "TABLE"


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _shown(value: object) -> str:
    if isinstance(value, Mapping) and value and all(isinstance(each, Mapping) for each in value.values()):
        weights = {id: f" {each['weight']}" if "weight" in each else "" for id, each in value.items()}
        return ", ".join(f"{id}{weight}" for id, weight in weights.items())
    value = value.get("id", "") if isinstance(value, Mapping) else getattr(value, "id", value)
    value = value.value if isinstance(value, enum.Enum) else value
    if value is None or value == "" or value == [] or value == ():
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)
