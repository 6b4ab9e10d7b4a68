"""The benchmark: what the package ``bfcl-eval`` holds of tasks, ground truths, tools and their descriptions.

Read once and shared; nothing in it changes afterwards. The package asks for a hundred others that multi-turn tasks do
not need, so it is installed without them, and only its data files and the classes of its tools are used.
"""

from __future__ import annotations

import dataclasses
import functools
import importlib.metadata
import json
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from agentgym.environments.bfcl.toolbox import Tool, make_tool
from agentgym.errors import ConfigError, DataError
from agentgym.extras import require

__all__ = ["CATEGORIES", "VERSION", "WRONG_TRUTHS", "Benchmark", "Task", "open_benchmark"]

VERSION = "2026.3.23"
"""The release whose tasks, tools and checker these are; another one may have other answers."""

CATEGORIES = ("base", "miss_func", "miss_param", "long_context")

WRONG_TRUTHS = {
    4: "the text that is to be posted comes out of no tool: the file has one line, and sorting lines leaves it",
    18: "the text that is to be posted comes out of no tool: diff puts a line break where the truth has none",
}
"""Scenario → why no policy can be right in it, in any of the four categories; found in this release, maybe not all."""

INSTALL = f"pip install 'agentgym-lab[bfcl]' && pip install --no-deps bfcl-eval=={VERSION}"

_SOURCES = "bfcl_eval.eval_checker.multi_turn_eval.func_source_code"
_APIS = {
    "GorillaFileSystem": "gorilla_file_system",
    "MathAPI": "math_api",
    "MessageAPI": "message_api",
    "TwitterAPI": "posting_api",
    "TicketAPI": "ticket_api",
    "TradingBot": "trading_bot",
    "TravelAPI": "travel_booking",
    "VehicleControlAPI": "vehicle_control",
}
"""API class → its module, and the file that describes its tools."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A conversation to be had; sequences have one entry for each of the user's turns."""

    id: str
    category: str
    number: int
    """Which of the 200 scenarios it is; the four categories vary the same ones."""
    messages: tuple[str, ...]
    """What the user says; "" where the held-out tools come instead."""
    held_out: Mapping[int, tuple[str, ...]]
    """Turn → names of the tools that can be called from then on."""
    apis: tuple[str, ...]
    config: Mapping[str, Any]
    """API class → what its instance starts with."""
    truth: tuple[tuple[str, ...], ...]
    """Calls that do what is asked, as Python; none where nothing should be called."""

    @property
    def is_long(self) -> bool:
        """Whether the tools' replies are padded."""
        return self.category == "long_context"


@dataclasses.dataclass(frozen=True, slots=True)
class Benchmark:
    """All tasks and tools."""

    tasks: dict[str, Task]
    """By their ids in BFCL, such as "multi_turn_base_0"."""
    classes: dict[str, type]
    tools_of: dict[str, tuple[Tool, ...]]
    """The tools of each class, in the package's order."""
    tools: dict[str, Tool]
    """By name, which is unique among all classes."""
    mpmath: ModuleType
    """What the MathAPI computes with."""

    def offered(self, task: Task, turn: int) -> dict[str, Tool]:
        """The tools that can be called in the user's turn ``turn`` from 0, in the package's order."""
        later = {name for when, names in task.held_out.items() if when > turn for name in names}
        tools = (tool for api in task.apis for tool in self.tools_of[api])
        return {tool.name: tool for tool in tools if tool.name not in later}


@functools.lru_cache(maxsize=1)
def open_benchmark() -> Benchmark:
    """The installed benchmark.

    Raises MissingExtraError where a package is missing, ConfigError for another release of it, DataError for one
    whose files do not belong together.
    """
    root = Path(str(require("bfcl_eval", extra="bfcl", install=INSTALL).__path__[0])) / "data"
    _check_version()
    mpmath = require("mpmath", extra="bfcl", install=INSTALL)
    modules = {name: require(f"{_SOURCES}.{file}", extra="bfcl", install=INSTALL) for name, file in _APIS.items()}
    classes: dict[str, type] = {name: getattr(module, name) for name, module in modules.items()}
    docs = {name: _lines(root / "multi_turn_func_doc" / f"{file}.json") for name, file in _APIS.items()}
    tools_of = {name: tuple(make_tool(name, classes[name], doc) for doc in docs[name]) for name in _APIS}
    return Benchmark(
        tasks={task.id: task for category in CATEGORIES for task in _tasks(root, category)},
        classes=classes,
        tools_of=tools_of,
        tools={tool.name: tool for tools in tools_of.values() for tool in tools},
        mpmath=mpmath,
    )


def _check_version() -> None:
    try:
        found = importlib.metadata.version("bfcl-eval")
    except importlib.metadata.PackageNotFoundError:
        found = "one that says no version"
    if found != VERSION:
        raise ConfigError(f"found bfcl-eval {found}, expected {VERSION}; type: {INSTALL}")


def _tasks(root: Path, category: str) -> list[Task]:
    name = f"BFCL_v4_multi_turn_{category}.json"
    entries, answers = _lines(root / name), _lines(root / "possible_answer" / name)
    if [entry["id"] for entry in entries] != [answer["id"] for answer in answers]:
        raise DataError(f"{root / name} and the file of that name in possible_answer hold different tasks; {_AGAIN}")
    return [_task(category, entry, answer["ground_truth"]) for entry, answer in zip(entries, answers, strict=True)]


_AGAIN = f"install it again: {INSTALL} --force-reinstall"


def _task(category: str, entry: dict[str, Any], truth: list[list[str]]) -> Task:
    return Task(
        id=entry["id"],
        category=category,
        number=int(entry["id"].rpartition("_")[2]),
        messages=tuple("\n".join(message["content"] for message in turn) for turn in entry["question"]),
        held_out={int(turn): tuple(names) for turn, names in entry.get("missed_function", {}).items()},
        apis=tuple(entry["involved_classes"]),
        config=entry["initial_config"],
        truth=tuple(map(tuple, truth)),
    )


def _lines(file: Path) -> list[dict[str, Any]]:
    try:
        return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    except (OSError, ValueError) as error:
        raise DataError(f"cannot read {file} ({error}); {_AGAIN}") from error
