"""What is typed behind a command as settings: ``--dotted.flags``, whose values are read as TOML.

The command line of pydantic-settings knows flags only of fields, which an option of a plug-in that is named on the same
line is not yet; a bare ``--env webshop`` must be JSON there, and an unknown flag is told without the nearest one.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from typing import Any

from agentgym.config import AUGMENT, CHOICES, CRITIC, REWARDS, flattened, merged
from agentgym.errors import ConfigError

__all__ = ["parse_flags", "twice"]


def parse_flags(arguments: Sequence[str]) -> dict[str, Any]:
    """``--a.b value`` pairs as nested settings; values are read as TOML where they can be, else as text.

    Raises ConfigError for what is no flag, and for one that is given twice: which of the two was meant?

    >>> parse_flags(["--env", "webshop", "--trainer.group_size", "8", "--lora"])
    {'env': {'id': 'webshop'}, 'trainer': {'group_size': 8}, 'lora': True}
    """
    settings: dict[str, Any] = {}
    rest = list(arguments)
    while rest:
        flag = rest.pop(0)
        name, equals, inline = flag[2:].partition("=")
        path = _path(name)
        if not (flag.startswith("--") and all(path)):
            word = flag.lstrip("-")
            hint = f"; type: --{word}" if all(_path(word.partition("=")[0])) and flag[:2] != "--" else ""
            raise ConfigError(f'expected a flag such as --seed or --env.catalogue, found "{flag}"{hint}')
        is_bare = not equals and (not rest or rest[0].startswith("--"))
        _put(settings, path, _bare(name, path) if is_bare else inline if equals else rest.pop(0))
    return settings


_BY_ID = (REWARDS, AUGMENT)
"""Keys below which the ids of plug-ins stand."""
_OF_FILE = re.compile(rf"({'|'.join(_BY_ID)})\.(.+?\.py(?::\w+)?)(?:\.(.+))?")
"""The flag of a reward or an augmentation by path, and of its settings."""


def _path(name: str) -> list[str]:
    """The parts of a flag's name; a blank is written as - or _, but in ids."""
    if of_file := _OF_FILE.fullmatch(name):
        return [*filter(None, of_file.groups())]
    parts = name.split(".")
    return [part if depth and parts[0] in _BY_ID else part.replace("-", "_") for depth, part in enumerate(parts)]


def _bare(name: str, path: Sequence[str]) -> str:
    """What a flag without a value says: a switch is on, and a reward has its usual weight."""
    if len(path) == 1 and path[0] in (*CHOICES, *_BY_ID):
        raise ConfigError(f"--{name} has no value; expected an id or a path, as in --{name} ./mine.py")
    return "1" if len(path) == 2 and path[0] == REWARDS else "true"


def _in_full(path: list[str], text: str) -> tuple[list[str], Any]:
    """Where a flag's value belongs, and the value: a bare choice is its id, and a bare reward its weight."""
    value = _literal(text)
    if path == [REWARDS] and isinstance(value, str):  # a reward by its id or path alone
        path, value = [REWARDS, value], 1
    if path == [AUGMENT] and isinstance(value, str):
        path, value = [AUGMENT, value], {}
    if len(path) == 2 and path[0] == AUGMENT and value is True:
        value = {}
    if not isinstance(value, dict):
        is_nested = len(path) > 1 and path[-1] == CRITIC and path != [REWARDS, CRITIC]
        if is_nested or (len(path) == 1 and path[0] in CHOICES):
            path = [*path, "id"]
            value = value if isinstance(value, str) else text
        elif len(path) == 2 and path[0] == REWARDS:
            path = [*path, "weight"]
    return path, value


def _put(settings: dict[str, Any], path: list[str], text: str) -> None:
    path, value = _in_full(path, text)
    for depth, part in enumerate(path[:-1], 1):
        settings = settings.setdefault(part, {})
        if not isinstance(settings, dict):
            raise ConfigError(f'"{".".join(path[:depth])}" was given a value and cannot have "{".".join(path)}"')
    if path[-1] in settings:
        old, name = settings[path[-1]], ".".join(path)
        if isinstance(old, dict) != isinstance(value, dict):
            raise ConfigError(f'"{name}" is given both a value and settings of its own')
        if not isinstance(value, dict):
            raise twice(name, old, value)
        if not (old or value):
            raise ConfigError(f'"{name}" is given twice; leave one of the two out')
        if both := dict(flattened(old)).keys() & dict(flattened(value)).keys():
            raise ConfigError(f'"{name}.{min(both)}" is given twice; leave one of the two out')
        value = merged(old, value)
    settings[path[-1]] = value


def twice(name: str, old: Any, new: Any) -> ConfigError:
    """What to say of a setting that is given twice: the one that is not taken would be without effect."""
    return ConfigError(f'"{name}" is given twice, {old!r} and {new!r}; leave one of the two out')


def _literal(text: str) -> Any:
    """The TOML value that ``text`` is; text that is none, dates among it, stands for itself."""
    try:
        values = tomllib.loads(f"value = {text}")
    except (tomllib.TOMLDecodeError, RecursionError):
        return text
    value = values["value"]
    if len(values) > 1 or not isinstance(value, bool | int | float | str | list | dict):
        return text
    kind = {int: _Whole, float: _Real}.get(type(value))
    if kind is not None:
        value = kind(value)
        value.text = text
    return value


class _Whole(int):
    """A whole number that was typed as ``text``, which counts where text is expected: a folder may be called 007."""

    text: str


class _Real(float):
    """The same of another number."""

    text: str
