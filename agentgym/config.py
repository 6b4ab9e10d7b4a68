"""Strict settings: pydantic models that refuse unknown keys, filled from TOML and from ``--dotted.flags``.

Where a setting names a plug-in it is a ``Choice``: ``env = "webshop"`` and ``env = {id = "webshop",
catalogue = "DIR"}`` are the same thing said short and long, and so are ``--env webshop --env.catalogue DIR``.
The other keys of a choice are the plug-in's own options, checked against what it takes.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from agentgym.errors import ConfigError, did_you_mean

__all__ = ["Choice", "Settings", "env_choice", "long_form", "merged", "parse_flags", "read_toml", "validated"]


class Settings(BaseModel):
    """Base of every group of settings: unknown keys are errors, docstrings under fields are their help."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True, validate_default=True)

    def changed(self, key: str) -> bool:
        """Whether ``key`` was given another value than its default: if it has no effect, that is an error."""
        default = type(self).model_fields[key].get_default(call_default_factory=True)
        return key in self.model_fields_set and getattr(self, key) != default


class Choice(BaseModel):
    """A plug-in by id, with its options."""

    model_config = ConfigDict(extra="allow")

    id: str

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, value: Any) -> Any:
        return {"id": value} if isinstance(value, str) else value

    @property
    def options(self) -> dict[str, Any]:
        """Everything but the id."""
        return dict(self.model_extra or {})


M = TypeVar("M", bound=BaseModel)


def validated(model: type[M], values: Mapping[str, Any], *, where: str = "") -> M:
    """``model(**values)``, with every problem told in one ConfigError: the key, what was found, what is known."""
    try:
        return model.model_validate(dict(values))
    except ValidationError as error:
        raise ConfigError("\n".join(_told(model, problem, where) for problem in error.errors())) from None


def _told(model: type[BaseModel], problem: Any, where: str) -> str:
    path = [str(part) for part in problem["loc"]]
    key = ".".join([where, *path] if where else path)
    if problem["type"] == "value_error":  # a validator's own words, which say what was found
        return f"{key or 'settings'}: {problem['ctx']['error']}"
    if problem["type"] != "extra_forbidden":
        return f"{key or 'settings'}: {problem['msg']}, found {problem['input']!r}"
    owner: type[BaseModel] = model
    for part in path[:-1]:
        field = owner.model_fields.get(part)
        owner = (_model_in(field.annotation) if field else None) or owner
    known = list(owner.model_fields)
    return f'unknown key "{key}".{did_you_mean(path[-1], known)} Known here: {", ".join(known)}'


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """The model in a field's annotation, which may be an optional one or a list of them."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next(filter(None, map(_model_in, get_args(annotation))), None)


def parse_flags(arguments: Sequence[str]) -> dict[str, Any]:
    """``--a.b value`` pairs as nested settings; values are read as TOML where they can be, else as text.

    >>> parse_flags(["--env", "webshop", "--trainer.group_size", "8", "--lora"])
    {'env': {'id': 'webshop'}, 'trainer': {'group_size': 8}, 'lora': True}
    """
    settings: dict[str, Any] = {}
    rest = list(arguments)
    while rest:
        flag = rest.pop(0)
        name, equals, inline = flag[2:].partition("=")
        path = name.replace("-", "_").split(".")
        if not (flag.startswith("--") and all(path)):
            raise ConfigError(f'expected a flag such as --seed or --env.catalogue, found "{flag}"')
        value = inline if equals else rest.pop(0) if rest and not rest[0].startswith("--") else "true"
        _put(settings, path, value)
    return settings


CHOICES = ("env", "trainer", "model", "engine", "protocol")
"""Settings whose bare value is short for their ``id``."""


def _put(settings: dict[str, Any], path: list[str], text: str) -> None:
    value = _literal(text)
    if len(path) == 1 and path[0] in CHOICES and not isinstance(value, dict):
        path = [*path, "id"]
        value = value if isinstance(value, str) else text
    for depth, part in enumerate(path[:-1], 1):
        settings = settings.setdefault(part, {})
        if not isinstance(settings, dict):
            raise ConfigError(f'"{".".join(path[:depth])}" was given a value and cannot have "{".".join(path)}"')
    if isinstance(settings.get(path[-1]), dict) != isinstance(value, dict) and path[-1] in settings:
        raise ConfigError(f'"{".".join(path)}" is given both a value and settings of its own')
    settings[path[-1]] = value


def _literal(text: str) -> Any:
    """The TOML value that ``text`` is; text that is none, dates among it, stands for itself."""
    try:
        values = tomllib.loads(f"value = {text}")
    except tomllib.TOMLDecodeError:
        return text
    value = values["value"]
    return value if len(values) == 1 and isinstance(value, bool | int | float | str | list | dict) else text


def read_toml(file: Path) -> dict[str, Any]:
    """Settings from a TOML file; a bare choice takes its long form. Raises ConfigError, naming the file."""
    try:
        settings = tomllib.loads(file.read_text())
    except OSError as error:
        raise ConfigError(f"cannot read {file}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file} is not valid TOML: {error}") from None
    return long_form(settings)


def long_form(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The same settings with ``{"id": ...}`` for every bare choice, so that they can be merged."""
    return {
        key: {"id": value} if key in CHOICES and isinstance(value, str) else value for key, value in settings.items()
    }


def merged(*layers: Mapping[str, Any]) -> dict[str, Any]:
    """Nested settings, later ones first. A choice whose id changes drops the options of the other id."""
    result: dict[str, Any] = {}
    for layer in layers:
        for key, value in layer.items():
            old = result.get(key)
            if not (isinstance(value, Mapping) and isinstance(old, Mapping)):
                result[key] = value
            elif "id" in value and value["id"] != old.get("id", value["id"]):
                result[key] = dict(value)
            else:
                result[key] = merged(old, value)
    return result


def flattened(settings: Mapping[str, Any], prefix: str = "") -> Iterable[tuple[str, str]]:
    """(dotted key, value as JSON) pairs, for showing."""
    for key, value in settings.items():
        if isinstance(value, Mapping):
            yield from flattened(value, f"{prefix}{key}.")
        else:
            yield prefix + key, json.dumps(value)


def env_choice(given: Mapping[str, Any]) -> Choice:
    """The environment of settings that hold nothing else. Raises ConfigError for other keys."""
    return validated(_EnvOnly, given).env


class _EnvOnly(Settings):
    env: Choice
