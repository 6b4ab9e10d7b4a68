"""Every setting that there is with its default and its bounds, to the letter. ``make golden`` writes it anew.

A default that is changed changes what people get who never named it: it shows here, and the diff is part of the commit.
"""

from __future__ import annotations

import enum
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

import click
from pydantic import BaseModel

from agentgym.cli import cli
from agentgym.config import flattened
from agentgym.launch import resolving, settings
from agentgym.learn.model_settings import model_settings
from agentgym.registry import KINDS, plugins

GOLDEN = Path(__file__).parent / "settings.json"

COMMANDS = ("EnvSettings", "SpeechSettings", "PolicySettings", "MeasureSettings", "TrainSettings")
OF_ENVIRONMENTS = ("kind", "extra", "max_turns", "corpus_episodes", "restored_by")


def test_settings() -> None:
    told = json.dumps(everything(), indent=2, ensure_ascii=False, sort_keys=True) + "\n"
    if os.environ.get("AGENTGYM_GOLDEN") == "write":
        GOLDEN.write_text(told)
    assert told == GOLDEN.read_text()


def everything() -> dict[str, Any]:
    return {
        "commands": {name: options(command) for name, command in commands(cli)},
        "settings": {name: keys(getattr(settings, name)) for name in COMMANDS},
        "models": {id: keys(model_settings(id)) for id in ("nano", "HF")},
        "what nano wants": {
            f"{trainer}, {engine}": dict(flattened(resolving.nano_defaults(chosen(trainer, engine))))
            for trainer in ids("trainers")
            for engine in ("embedded",)
        },
        "environments' own": {id: attributes(plugins("environments").get(id)) for id in ids("environments")},
        **{kind: {id: keys(plugins(kind).settings(id)) for id in ids(kind)} for kind in KINDS},
    }


def ids(kind: str) -> list[str]:
    """Those of the package, whatever else was registered in this process."""
    table = plugins(kind)
    return [id for id in table.ids() if table.get(id).__module__.startswith(f"{table.package}.")]


def chosen(trainer: str, engine: str) -> dict[str, Any]:
    return {"trainer": {"id": trainer}, "engine": {"id": engine}}


def attributes(env: Any) -> dict[str, str]:
    """What a class says of itself; what only an instance knows is left out."""
    return {name: str(getattr(env, name)) for name in OF_ENVIRONMENTS if not isinstance(getattr(env, name), property)}


def commands(group: click.Group, prefix: str = "") -> Iterator[tuple[str, click.Command]]:
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, f"{prefix}{name} ")
        else:
            yield prefix + name, command


def options(command: click.Command) -> dict[str, str]:
    """The arguments and options of a command that are no settings."""
    found = {}
    for parameter in command.params:
        about = parameter.to_info_dict()
        default = "required" if parameter.required else shown(about["default"])
        kind = "|".join(map(str, parameter.type.choices)) if isinstance(parameter.type, click.Choice) else ""
        kind = kind or str(parameter.type).strip("<>") if "object at" not in str(parameter.type) else "PATH"
        found[" ".join(parameter.opts)] = f"{default}  {kind}"
    return found


def keys(model: type[BaseModel], prefix: str = "") -> dict[str, str]:
    """Dotted key → default and what may stand there."""
    found: dict[str, str] = {}
    for name, field in model.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel) and kind.model_config.get("extra") == "forbid":
            found |= keys(kind, f"{prefix}{name}.")
            continue
        default = "required" if field.is_required() else shown(field.get_default(call_default_factory=True))
        found[prefix + name] = "  ".join([default, *map(bound, field.metadata), *allowed(kind)])
    return found


def shown(value: object) -> str:
    if isinstance(value, BaseModel):
        value = value.model_dump(mode="json")
    value = value.value if isinstance(value, enum.Enum) else value
    if isinstance(value, str | Path):
        return str(value) or "(empty)"
    return json.dumps(value, default=lambda other: getattr(other, "__qualname__", type(other).__name__))


def bound(constraint: object) -> str:
    """``Ge(ge=1)`` as ">= 1"."""
    text = re.sub(r"^_\w+\((.*)\)$", r"\1", repr(constraint))
    for name, sign in (("Ge", ">="), ("Gt", ">"), ("Le", "<="), ("Lt", "<")):
        text = re.sub(rf"^{name}\(\w+=(.*)\)$", rf"{sign} \1", text)
    return text


def allowed(annotation: Any) -> Iterator[str]:
    """Words and bounds that a type has within."""
    if get_origin(annotation) is Literal:
        yield "|".join(map(str, get_args(annotation)))
    elif isinstance(annotation, type) and issubclass(annotation, enum.Enum):
        yield "|".join(str(member.value) for member in annotation)
    else:
        if get_origin(annotation) is Annotated:
            yield from (
                bound(part) for meta in annotation.__metadata__ for part in getattr(meta, "metadata", None) or [meta]
            )
        for part in get_args(annotation):
            if get_origin(part) is not None or isinstance(part, type):
                yield from allowed(part)
