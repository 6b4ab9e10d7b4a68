"""The settings of a plug-in: those that it brings, or those that its constructor's signature tells.

A parameter is a setting of that name, type and default, and its line under ``Args:`` in the docstring is its help, so
``level: Literal["easy", "hard"] = "easy"`` and ``size: Annotated[int, Field(ge=1)] = 4`` are all that a constructor has
to say. A parameter without a type hint takes anything; with ``**kwargs`` any further key is taken.
"""

from __future__ import annotations

import functools
import inspect
import itertools
import re
import textwrap
import types
import typing
import warnings
from collections.abc import Callable, Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, PydanticUserError, create_model

from agentgym.config import Settings

__all__ = ["Signature", "arguments", "both", "described", "settings_of"]


class Signature(Settings):
    """Settings that a signature tells. Defaults are the author's own: they are not checked.

    It has no lines in a file, which pydantic would look for in all frames that lead here.
    """

    model_config = ConfigDict(
        arbitrary_types_allowed=True, validate_default=False, protected_namespaces=(), use_attribute_docstrings=False
    )


class OpenSignature(Signature):
    """The same where any further key is taken."""

    model_config = ConfigDict(extra="allow")


@functools.cache
def settings_of(plugin: Callable[..., Any], given: tuple[str, ...] = ()) -> type[BaseModel]:
    """The settings of a class or function; ``given`` are parameters that whoever calls it fills in.

    A nested class ``Settings`` has the last word.
    """
    own = getattr(plugin, "Settings", None)
    if inspect.isclass(own) and issubclass(own, BaseModel):
        return own
    constructor, parameters = _signature(plugin)
    helps = {**described(plugin)[1], **described(constructor)[1]}
    takes_any = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters)
    fields: dict[str, Any] = {}
    for parameter in parameters:
        named = parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY)
        if named and parameter.name not in given and not parameter.name.startswith("_"):
            default = ... if parameter.default is parameter.empty else parameter.default
            about = Field(default, description=helps.get(parameter.name))
            fields[parameter.name] = (_hint(constructor, parameter), about)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*shadows an attribute")  # "copy" is a name as good as any
        return create_model(plugin.__name__, __base__=OpenSignature if takes_any else Signature, **fields)


@functools.cache
def both(own: type[BaseModel], shared: type[BaseModel]) -> type[BaseModel]:
    """Settings that are ``own`` and those that all of a kind ``shared``; of two with one name it is the own one."""
    unwritten = {"use_attribute_docstrings": False}
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*shadows an attribute")
        if own.model_fields.keys() & shared.model_fields.keys():
            fields = {name: field for name, field in shared.model_fields.items() if name not in own.model_fields}
            more: dict[str, Any] = {name: (field.annotation, field) for name, field in fields.items()}
            return create_model(own.__name__, __base__=own, __cls_kwargs__=unwritten, **more)
        return create_model(own.__name__, __base__=(shared, own), __cls_kwargs__=unwritten)


def arguments(settings: BaseModel) -> dict[str, Any]:
    """What was given of settings, as keyword arguments; for the rest the signature has its defaults."""
    values = {**settings.__dict__, **(settings.model_extra or {})}
    return {name: values[name] for name in settings.model_fields_set}


def _signature(plugin: Callable[..., Any]) -> tuple[Callable[..., Any], list[inspect.Parameter]]:
    """What is called in the end, and its parameters without ``self``."""
    if not inspect.isclass(plugin):
        return plugin, list(inspect.signature(plugin).parameters.values())
    constructor: Callable[..., Any] = plugin.__init__
    if constructor is object.__init__:
        return plugin, []
    return constructor, list(inspect.signature(constructor).parameters.values())[1:]


def _hint(function: Callable[..., Any], parameter: inspect.Parameter) -> Any:
    """The type that a parameter takes; ``Any`` where its hint says nothing that can be checked."""
    if parameter.annotation is parameter.empty:
        return Any
    alone = types.SimpleNamespace(__annotations__={parameter.name: parameter.annotation})
    try:
        names = getattr(inspect.unwrap(function), "__globals__", {})
        hint = typing.get_type_hints(alone, globalns=names, include_extras=True)[parameter.name]
        create_model("Alone", __base__=Signature, value=(hint, ...))
    except (NameError, TypeError, PydanticUserError):  # imported for type checkers only, or no type at all
        return Any
    return hint


# -- docstrings ------------------------------------------------------------------------------------------

_SECTION = re.compile(r"^[A-Z]\w+:[ ]*$", re.MULTILINE)
_ARGUMENT = re.compile(r"(\w+)(?: \(.*?\))?: (.*)")


def described(function: Callable[..., Any]) -> tuple[str, Mapping[str, str]]:
    """What a docstring in Google's form says of a function or class, and of each argument under ``Args:``."""
    text = inspect.getdoc(function) or ""
    first = _SECTION.search(text)
    about = " ".join(text[: first.start() if first else None].split())
    lines = text.partition("Args:\n")[2].splitlines()
    section = itertools.takewhile(lambda line: not line.strip() or line[0] == " ", lines)
    helps: dict[str, str] = {}
    for line in textwrap.dedent("\n".join(section)).splitlines():
        if entry := _ARGUMENT.fullmatch(line):
            helps[entry[1]] = entry[2].strip()
        elif helps and line.strip():
            helps[next(reversed(helps))] += " " + line.strip()
    return about, helps
