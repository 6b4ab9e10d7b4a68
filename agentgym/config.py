"""Strict settings: pydantic models that refuse unknown keys, filled from TOML and from flags (``flags``).

Where a setting names a plug-in it is a ``Choice``: ``env = "webshop"`` and ``env = {id = "webshop",
catalogue = "DIR"}`` are the same thing said short and long, and so are ``--env webshop --env.catalogue DIR``.
The other keys of a choice are the plug-in's own options, checked against what it takes. A ``Reward`` is the same
with a weight in place of the id; ``--rewards ./mine.py`` is short for a weight of 1. An ``Augment`` has options alone:
``--augment noise`` is short for none.
"""

from __future__ import annotations

import json
import math
import stat
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, ClassVar, Literal, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, ValidationError, ValidationInfo, field_validator, model_validator
from pydantic.fields import FieldInfo
from pydantic_core import PydanticCustomError

from agentgym.errors import ConfigError, did_you_mean

__all__ = [
    "AUGMENT",
    "CHOICES",
    "CRITIC",
    "REWARDS",
    "Augment",
    "Choice",
    "Reward",
    "Settings",
    "flattened",
    "long_form",
    "merged",
    "read_toml",
    "settings_in",
    "validated",
]


class _Typed(BaseModel):
    """What flags fill in: they are read as TOML before anybody knows what is expected."""

    @field_validator("*", mode="before")
    @classmethod
    def _no_switch(cls, value: Any, info: ValidationInfo) -> Any:
        """True, which a flag without a value says, is no number and no text."""
        words = list(map(_expected, cls._takes(info))) if isinstance(value, bool) else [""]
        if all(words):
            raise PydanticCustomError("switch", "expected {words}", {"words": " or ".join(words)})
        return value

    @classmethod
    def _takes(cls, info: ValidationInfo) -> list[Any]:
        return _kinds(cls.model_fields[str(info.field_name)].annotation)


class Settings(_Typed):
    """Base of every group of settings: unknown keys are errors, docstrings under fields are their help.

    A number where text is expected is that text, as it was typed.
    """

    model_config = ConfigDict(
        extra="forbid", use_attribute_docstrings=True, validate_default=True, coerce_numbers_to_str=True
    )

    @field_validator("*", mode="before")
    @classmethod
    def _as_typed(cls, value: Any, info: ValidationInfo) -> Any:
        if isinstance(value, int | float) and not isinstance(value, bool):
            kinds = set(cls._takes(info))
            if kinds & {str, Path} and not kinds & {int, float, bool, Any}:
                return getattr(value, "text", str(value))
        return value

    def changed(self, key: str) -> bool:
        """Whether ``key`` was given another value than its default: if it has no effect, that is an error."""
        default = type(self).model_fields[key].get_default(call_default_factory=True)
        return key in self.model_fields_set and getattr(self, key) != default


class _Chosen(_Typed):
    """Something chosen, with options of its own; a bare value is short for one of its keys."""

    model_config = ConfigDict(extra="allow")
    short_for: ClassVar[str]

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, value: Any) -> Any:
        return {cls.short_for: value} if isinstance(value, str | int | float) else value

    @property
    def options(self) -> dict[str, Any]:
        """Everything but the fields."""
        return dict(self.model_extra or {})


class Choice(_Chosen):
    """A plug-in by id, with its options."""

    short_for = "id"

    id: str


class Reward(_Chosen):
    """How much a shaper counts, with its options."""

    short_for = "weight"

    weight: float = 1.0


class Augment(BaseModel):
    """Options of an augmentation."""

    model_config = ConfigDict(extra="allow")

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, value: Any) -> Any:
        if value is True:
            return {}
        if not isinstance(value, Mapping):
            raise ValueError(f"expected its options, found {value!r:.80}; to do without it, leave it out")
        return value

    @property
    def options(self) -> dict[str, Any]:
        """All of it."""
        return dict(self.model_extra or {})


M = TypeVar("M", bound=BaseModel)


def validated(model: type[M], values: Mapping[str, Any], *, where: str = "") -> M:
    """``model(**values)``, with every problem told in one ConfigError: the key, what was found, what is known.

    A number that is given is finite, unless the setting's own default is not.
    """
    try:
        made = model.model_validate(dict(values))
    except ValidationError as error:
        problems: dict[str, list[Any]] = {}
        for problem in error.errors():
            key = ".".join(filter(None, [where, *_typed(model, problem["loc"])]))
            problems.setdefault(key, []).append(problem)
        told = {key: _told(model, key, found) for key, found in problems.items()}
        unknown = {key for key, found in problems.items() if found[0]["type"] == "extra_forbidden"}
        raise ConfigError("\n".join(told.values()), unknown={key: told[key] for key in unknown}) from None
    if wrong := [f"{key}: expected a finite number, found {value}" for key, value in _not_finite(made, where)]:
        raise ConfigError("\n".join(wrong))
    return made


def _not_finite(value: Any, key: str) -> Iterator[tuple[str, float]]:
    """The numbers in ``value`` that are none (nan) or without end, each with its key."""
    if isinstance(value, float) and not math.isfinite(value):
        yield key or "settings", value
    elif isinstance(value, BaseModel):
        # The options of a choice are seen where they are checked: there "nan" may be a name.
        more = {} if isinstance(value, _Chosen) else value.model_extra or {}
        for name in value.model_fields_set - more.keys():
            found, field = getattr(value, name, None), type(value).model_fields.get(name)
            if field is not None and (found != found or found != field.default):
                yield from _not_finite(found, f"{key}.{name}".lstrip("."))
        yield from _not_finite(more, key)
    elif isinstance(value, Mapping):
        for name, found in value.items():
            yield from _not_finite(found, f"{key}.{name}".lstrip("."))
    elif isinstance(value, list | tuple):
        for found in value:
            yield from _not_finite(found, key)


def _told(model: type[BaseModel], key: str, problems: Sequence[Any]) -> str:
    """What is wrong with ``key``; of several problems there, each is why one of its alternatives does not fit."""
    first, *others = problems
    more = "".join(f", or {problem['msg'].removeprefix('Input should be ')}" for problem in others)
    match first["type"]:
        case "value_error":  # a validator's own words, which say what was found
            return f"{key or 'settings'}: {first['ctx']['error']}"
        case "extra_forbidden":
            known = list(_owner(model, first["loc"]).model_fields)
            hint = did_you_mean(key.rpartition(".")[2], known)
            return f'unknown key "{key}".{hint} Known here: {", ".join(known) or "none"}'
        case "switch":
            found = "true, as is a flag without a value" if first["input"] else "false"
            return f"{key} is {found}; {first['msg']}"
        case "missing":
            return f"{key}: {first['msg']}"
        case "literal_error" if isinstance(first["input"], str):
            known = [value.strip("'") for value in first["ctx"]["expected"].replace(" or ", ", ").split(", ")]
            return f'{key} is "{first["input"]}".{did_you_mean(first["input"], known)} Known: {", ".join(known)}{more}'
    return f"{key or 'settings'}: {first['msg']}{more}, found {first['input']!r}"


def _typed(model: type[BaseModel], location: Sequence[int | str]) -> Iterable[str]:
    """The parts of a problem's key as a person types them: without the alternatives of a union, which are named too."""
    here: Any = model
    for part in location:
        kinds = _kinds(here)
        here = kinds[0] if len(kinds) == 1 else None
        if isinstance(here, type) and issubclass(here, BaseModel):
            field = here.model_fields.get(str(part))
            here = field.annotation if field else None
        elif len(kinds) > 1:
            continue
        else:
            here = next(reversed(get_args(here)), None)
        yield str(part)


def _kinds(annotation: Any) -> list[Any]:
    """The types that an annotation allows, None left out."""
    if get_origin(annotation) is Annotated:
        return _kinds(get_args(annotation)[0])
    if get_origin(annotation) in (Union, UnionType):
        return [kind for member in get_args(annotation) if member is not type(None) for kind in _kinds(member)]
    return [annotation]


def _owner(model: type[BaseModel], location: Sequence[int | str]) -> type[BaseModel]:
    """The model that an unknown key was given to."""
    owner = model
    for part in location[:-1]:
        field = owner.model_fields.get(str(part))
        owner = (_model_in(field.annotation) if field else None) or owner
    return owner


def settings_in(field: FieldInfo) -> type[Settings] | None:
    """The group of settings that a field is, which may be an optional one; None for one that is none."""
    kind, *others = _kinds(field.annotation)
    return kind if not others and isinstance(kind, type) and issubclass(kind, Settings) else None


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """The model in a field's annotation, which may be an optional one or a list of them."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next(filter(None, map(_model_in, get_args(annotation))), None)


def _expected(kind: Any) -> str:
    """What a value of that type is, in words; nothing where it may be true or false, or is nothing that is typed."""
    origin = get_origin(kind)
    if origin is Literal:
        values = get_args(kind)
        return "" if any(isinstance(value, bool) for value in values) else ", ".join(map(str, values))
    if isinstance(origin, type) and issubclass(origin, Iterable):
        return "a table" if issubclass(origin, Mapping) else "a list"
    return {int: "a whole number", float: "a number", str: "text", Path: "a path"}.get(kind, "")


CHOICES = ("env", "trainer", "curriculum", "search", "model", "engine", "protocol", "cluster")
"""Settings whose bare value is short for their ``id``."""

CRITIC = "critic"
"""Setting of a part, whose bare value is short for its ``id`` too."""

REWARDS = "rewards"
"""Settings by the ids of rewards, whose bare value is short for the ``weight``."""

AUGMENT = "augment"
"""Settings by the ids of augmentations."""

PRESETS = "presets"
"""Table of a file of settings with further tables, of which one may be chosen."""

_MAX_TOML = 2**22
"""Bytes of a file of settings that are read at most."""


def read_toml(file: Path, *, preset: str | None = None) -> dict[str, Any]:
    """Settings from a TOML file; a bare choice takes its long form. Raises ConfigError, naming the file.

    What its table ``[presets.NAME]`` says goes over the rest where that ``preset`` is asked for.
    """
    settings = _in_file(file)
    presets = settings.pop(PRESETS, {})
    if not isinstance(presets, dict) or not all(isinstance(each, dict) for each in presets.values()):
        raise ConfigError(f"{file}: {PRESETS} is {presets!r:.80}, expected tables such as [{PRESETS}.nano]")
    if preset is None:
        return long_form(settings)
    if preset not in presets:
        raise ConfigError(
            f'{file} has no preset "{preset}".{did_you_mean(preset, presets)} Found: {", ".join(presets) or "none"}; '
            f"write it as [{PRESETS}.{preset}]"
        )
    return merged(long_form(settings), long_form(presets[preset]))


def _in_file(file: Path) -> dict[str, Any]:
    try:
        about = file.stat()
        if not stat.S_ISREG(about.st_mode):  # a device may have no end, and a pipe never a beginning
            raise ConfigError(f"{file} is not a plain file; expected settings in TOML, in a file of their own")
        if about.st_size > _MAX_TOML:
            raise ConfigError(f"{file} has {about.st_size} bytes; expected settings in TOML, at most {_MAX_TOML}")
        return tomllib.loads(file.read_text())
    except OSError as error:
        raise ConfigError(f"cannot read {file}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ConfigError(f"{file} is not valid TOML: {error}") from None


def long_form(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The same settings with ``{"id": ...}`` for every bare choice, to be merged; what goes by ids likewise."""
    written = {
        key: {"id": value} if key in CHOICES and isinstance(value, str) else value for key, value in settings.items()
    }
    for key, usual in {REWARDS: {"weight": 1}, AUGMENT: {}}.items():
        named = written.get(key)
        if isinstance(named, str | list) and all(isinstance(id, str) for id in named):
            written[key] = {id: dict(usual) for id in ([named] if isinstance(named, str) else named)}
    if isinstance(rewards := written.get(REWARDS), Mapping):
        written[REWARDS] = {
            id: _critic_in_full(value) if isinstance(value, Mapping) else {"weight": value}
            for id, value in rewards.items()
        }
    if isinstance(search := written.get("search"), Mapping):
        written["search"] = _critic_in_full(search)
    if isinstance(augment := written.get(AUGMENT), Mapping):
        written[AUGMENT] = {id: {} if value is True else value for id, value in augment.items()}
    return written


def _critic_in_full(part: Mapping[str, Any]) -> dict[str, Any]:
    return {key: {"id": value} if key == CRITIC and isinstance(value, str) else value for key, value in part.items()}


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
