"""Paths in a run's settings, so that the run can be gone on with from anywhere, and moved together with what it is of.

config.json has them in full, and places.json where each is from the run's directory: ``read_config`` looks there for
what is no longer where it was.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

from agentgym.config import CRITIC
from agentgym.errors import ConfigError, DataError
from agentgym.launch.settings import BY_ID, KINDS
from agentgym.learn.sources import is_here
from agentgym.registry import plugins

__all__ = ["absolute", "code_of", "damaged", "relative", "told_code"]


def absolute(config: Mapping[str, Any]) -> dict[str, Any]:
    """Settings in full form, all of them or some, with absolute paths of plug-ins, of the model and of their data."""
    full = dict(config)
    for key in full.keys() & {"model", *KINDS}:
        if isinstance(full[key], Mapping):
            full[key] = _choice(key, full[key])
    for key in BY_ID:
        if isinstance(full.get(key), Mapping):
            full[key] = {_plugin(id): _reward(value) for id, value in full[key].items()}
    warm = full.get("warm_start")
    if isinstance(warm, Mapping) and warm.get("data"):
        full["warm_start"] = {**warm, "data": os.path.abspath(str(warm["data"]))}
    return full


def relative(config: Mapping[str, Any], directory: Path) -> dict[str, str]:
    """Where the paths of ``config`` are from the run's ``directory``."""
    return {path: os.path.relpath(path, directory.resolve()) for path in sorted(_paths(config))}


def code_of(config: Mapping[str, Any]) -> list[str]:
    """What ``config`` has run on this machine: the files of its plug-ins, and commands that they start."""
    chosen, named = [config.get(key) for key in KINDS], [config.get(key) for key in BY_ID]
    options = [choice if isinstance(choice, Mapping) else {"id": choice} for choice in chosen]
    ids = [each.get("id") for each in options]
    by_id = [each for each in named if isinstance(each, Mapping)]
    ids += [id for each in by_id for id in each]
    given = [value for each in by_id for options_of in each.values() for value in _code_in(options_of)]
    files = {_file_of(id) for id in [*ids, *given] if isinstance(id, str) and ".py" in id}
    commands = [each["command"] for each in options if each.get("command")]
    return [*sorted(files), *(" ".join(map(str, each)) if isinstance(each, list) else str(each) for each in commands)]


def told_code(directory: Path, code: Sequence[str]) -> str:
    """What a person is to know who uses the run in ``directory``."""
    return f"this runs the code that {directory / 'config.json'} names: {', '.join(code)}"


def damaged(directory: Path, error: ConfigError) -> DataError:
    """What to say of a config.json that no run has written."""
    return DataError(
        f"{directory / 'config.json'} is not what a run of this version writes: {error}\nput back what was written, or "
        "begin a new run with another --output"
    )


def _file_of(id: str) -> str:
    """The file that a plug-in's id names; a name may be behind it."""
    path = id.partition(".py:")[0]
    return path if path.endswith(".py") else f"{path}.py"


def _choice(key: str, choice: Mapping[str, Any]) -> dict[str, Any]:
    id = str(choice["id"]) if choice.get("id") else ""
    full = {name: os.path.abspath(value) if _is_path(key, id, name, value) else value for name, value in choice.items()}
    if id:
        full["id"] = (os.path.abspath(id) if id != "nano" and is_here(id) else id) if key == "model" else _plugin(id)
    return full


def _reward(value: Any) -> Any:
    """A reward's weight, or that and its options, among which there may be paths, functions of files, and a critic."""
    if not isinstance(value, Mapping):
        return value
    paths = {name: os.path.abspath(option) for name, option in value.items() if _is_path("", "", name, option)}
    paths |= {name: _reward(_choice(name, option)) for name, option in value.items() if _is_critic(name, option)}
    return {**value, **paths, **{name: _plugin(option) for name, option in value.items() if option in _code_in(value)}}


def _is_critic(name: str, option: Any) -> bool:
    return name == CRITIC and isinstance(option, Mapping)


def _code_in(value: Any) -> list[str]:
    """The options of a reward that name a function of a file, as ``function_from`` takes it, and its critic's file."""
    options = value if isinstance(value, Mapping) else {}
    own = [option for option in options.values() if isinstance(option, str) and _FUNCTION.fullmatch(option)]
    critics = [option for name, option in options.items() if _is_critic(name, option)]
    return [
        *own,
        *(str(each["id"]) for each in critics if ".py" in str(each.get("id"))),
        *(code for each in critics for code in _code_in(each)),
    ]


_FUNCTION = re.compile(r"\S+\.py:\w+")


def _plugin(id: str) -> str:
    """The id of a plug-in; a path may have a name behind it."""
    path, ends, name = id.partition(".py")
    return f"{os.path.abspath(path + ends)}{name}" if ends else id


def _is_path(key: str, id: str, name: str, value: Any) -> bool:
    """Whether an option is a path: by its type, or because it looks like one and is there."""
    if not isinstance(value, str) or not value or name == "id":
        return False
    kinds = {**KINDS, CRITIC: "critics"}
    if id and key in kinds:
        field = plugins(kinds[key]).settings(id).model_fields.get(name)
        if field is not None and Path in (field.annotation, *get_args(field.annotation)):
            return True
    return "/" in value and not _is_prose(value) and os.path.exists(value)


def _is_prose(value: str) -> bool:
    """Whether it cannot be a path, such as the text of a prompt."""
    return "\n" in value or len(value) > 1000


def _paths(value: Any) -> set[str]:
    """Every absolute path in ``value``, without the names behind them."""
    if isinstance(value, Mapping):
        return {path for pair in value.items() for each in pair for path in _paths(each)}
    if not isinstance(value, str) or not os.path.isabs(value) or _is_prose(value):
        return set()
    path, ends, _ = value.partition(".py:")
    return {path + ".py" if ends else value}
