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

from agentgym.config import Choice, Settings
from agentgym.launch.resolving import chosen_id, in_full, nano_defaults
from agentgym.launch.settings import KINDS, EnvSettings
from agentgym.learn.model_settings import model_settings
from agentgym.registry import plugins

__all__ = ["describe", "page"]

_WORDS = {bool: "true|false", int: "INTEGER", float: "NUMBER", str: "TEXT", Path: "PATH", Choice: "ID", Any: "VALUE"}
_CHOICES = ("engine", "protocol", "model", "curriculum", "trainer", "env")
"""Keys that choose, the one that is asked for most last: there a terminal stands still."""

_WIDTH, _COLUMN = 116, 36
_LONGEST = 60
"""Characters of choices that stand behind a key; more of them stand in its meaning."""


def page(kind: type[EnvSettings], given: Mapping[str, Any], *, beside: Collection[str] = ()) -> str:
    """Every key of ``kind``, and those of the plug-ins that ``given`` or the defaults choose.

    ``beside`` are keys that a command has options or arguments of its own for. Raises UnknownIdError for a plug-in
    that there is not.
    """
    given = in_full(given)
    chosen = [key for key in _CHOICES if key in kind.model_fields and (key in given or key not in beside)]
    ids = {key: id for key in chosen if (id := chosen_id(given, key))}
    defaults = nano_defaults(given) if ids.get("model") == "nano" else {}
    if "protocol" in defaults:
        ids["protocol"] = chosen_id({**defaults, **given}, "protocol")
    sections = [describe(kind, defaults={**defaults, **ids}, without=beside), _known(kind)]
    for id in given.get("rewards", {}):
        sections.append(_of_reward(id))
    for key, id in ids.items():
        settings = model_settings(id) if key == "model" else plugins(KINDS[key]).settings(id)
        title = f"With {id}" if key in beside else f"With --{key} {id}"
        sections.append(describe(settings, f"{key}.", title, defaults.get(key)))
    return "\n\n".join(filter(None, sections))


def _of_reward(id: str) -> str:
    """Its settings, and whether they change what is optimal; the latter alone where it has none."""
    is_invariant = getattr(plugins("rewards").get(id), "is_invariant", False)
    title = f"With --rewards.{id}, which {'is policy-invariant' if is_invariant else 'changes what is optimal'}"
    return describe(plugins("rewards").settings(id), f"rewards.{id}.", title) or title


def _known(kind: type[EnvSettings]) -> str:
    """The ids that there are of each kind."""
    formatter = click.HelpFormatter(width=_WIDTH)
    kinds = {**KINDS, "rewards": "rewards"}
    rows = [(f"--{key}", ", ".join(plugins(kinds[key]).ids())) for key in kinds if key in kind.model_fields]
    with formatter.section("Ids (name one beside --help, and its settings are shown)"):
        formatter.write_dl(rows)
    return formatter.getvalue().strip("\n")


def describe(
    settings: type[BaseModel],
    prefix: str = "",
    title: str = "Settings",
    defaults: Mapping[str, Any] | None = None,
    *,
    without: Collection[str] = (),
) -> str:
    """Every key of ``settings`` with its type, default and meaning, nested ones in sections of their own.

    ``defaults`` stand in for those of the fields. What only Python can give is left out, as are keys in ``without``.
    """
    formatter = click.HelpFormatter(width=_WIDTH)
    for heading, rows in _sections(settings, prefix, title, defaults or {}):
        rows = [row for row in rows if row[0].partition(" ")[0].removeprefix("--") not in without]
        if rows:
            with formatter.section(heading):
                formatter.write_dl(rows, col_max=_COLUMN)
    return formatter.getvalue().strip("\n")


def _sections(
    settings: type[BaseModel], prefix: str, title: str, defaults: Mapping[str, Any]
) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    rows, groups = [], []
    for name, field in settings.model_fields.items():
        kind, default = field.annotation, defaults.get(name, {})
        if isinstance(kind, type) and issubclass(kind, Settings):
            groups.append(_sections(kind, f"{prefix}{name}.", _meaning(field).rstrip("."), default))
        elif words := list(dict.fromkeys(_words(kind))):
            rows.append(_row(prefix + name, field, words, defaults))
    yield title, rows
    for group in groups:
        yield from group


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
        yield "TABLE"
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
    value = value.get("id", "") if isinstance(value, Mapping) else getattr(value, "id", value)
    value = value.value if isinstance(value, enum.Enum) else value
    if value is None or value == "" or value == []:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)
