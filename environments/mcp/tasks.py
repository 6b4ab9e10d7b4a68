"""What a policy is asked to do with a server's tools, and how it is told whether that was done: a file of JSON lines.

One object a line; only ``id`` and ``instruction`` must be there::

    {"id": "t1", "instruction": "Put the sum of rent and food into note total.", "split": "train",
     "setup": [{"name": "set_notes", "arguments": {"notes": {"rent": "30", "food": "12"}}}],
     "check": {"name": "has_note", "arguments": {"title": "total", "text": "42"}}}

``setup`` calls are made before the first turn, ``check`` after the last; the tools they name are not the policy's.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from agentgym.env import SPLITS
from agentgym.errors import DataError, EnvError
from agentgym.tools.answers import said
from agentgym.types import TaskId

__all__ = ["CallSpec", "Task", "read_tasks", "said", "score_in"]


class CallSpec(BaseModel):
    """One call of a tool."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    arguments: dict[str, Any] = Field(default_factory=dict)


class Task(BaseModel):
    """One line of a task file."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    id: int | str
    instruction: str = Field(min_length=1)
    """The first observation."""
    split: Literal["train", "validation", "test"] = "train"
    """Where no line of a file names one: of every ten lines the ninth is for validation and the tenth for testing."""
    setup: tuple[CallSpec, ...] = ()
    """Calls before the episode, which bring the server into its first state."""
    check: CallSpec | None = None
    """The call that judges the final state: it answers true, false, or a score from 0 to 1."""
    expected: str | tuple[str, ...] | None = None
    """What the final answer must say last: numbers by value, other text as whole words (see ``tools.answers``)."""
    solution: tuple[CallSpec | str, ...] = ()
    """Calls, and the final answer, that solve the task: what the expert does."""

    @field_validator("expected")
    @classmethod
    def _says_something(cls, expected: str | tuple[str, ...] | None) -> str | tuple[str, ...] | None:
        texts = (expected,) if isinstance(expected, str) else expected
        if texts is not None and not (texts and all(any(map(str.isalnum, text)) for text in texts)):
            raise ValueError("without a letter or digit every answer would be right; leave it out for none")
        return expected

    @property
    def hidden_tools(self) -> set[str]:
        """Tools that are not the policy's."""
        return {call.name for call in (*self.setup, *([self.check] if self.check else []))}


def read_tasks(file: Path) -> tuple[Task, ...]:
    """The tasks of a file, in order. Raises DataError, which names the line."""
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"cannot read the tasks in {file}: {error}") from None
    tasks = [_task(line, f"{file}:{number}") for number, line in enumerate(lines, 1) if line.strip()]
    if not tasks:
        raise DataError(f'{file} holds no tasks; write one JSON object a line: {{"id": 1, "instruction": "…"}}')
    seen: set[TaskId] = set()
    for task in tasks:
        if task.id in seen:
            raise DataError(f"{file}: the task id {task.id!r} is given twice")
        seen.add(task.id)
    return tuple(tasks) if any("split" in task.model_fields_set for task in tasks) else _dealt(tasks)


def _task(line: str, where: str) -> Task:
    try:
        return Task.model_validate_json(line)
    except ValidationError as error:
        problem = error.errors()[0]
        place = ".".join(map(str, problem["loc"])) or "line"
        raise DataError(f"{where}: {place}: {problem['msg']}, found {problem['input']!r:.60}") from None


def _dealt(tasks: Sequence[Task]) -> tuple[Task, ...]:
    splits = [*["train"] * 8, "validation", "test"]
    assert set(splits) == set(SPLITS)
    return tuple(task.model_copy(update={"split": splits[number % 10]}) for number, task in enumerate(tasks))


def score_in(text: str, tool: str) -> float:
    """The score that a check answered: true, false, a number, or an object that has one under reward or success.

    Raises EnvError for anything else: then it is the environment that is wrong.
    """
    try:
        value = json.loads(text.strip().lower() if text.strip() in ("True", "False") else text)
    except (ValueError, RecursionError):
        value = None
    if isinstance(value, dict):
        value = value.get("reward", value.get("success", value.get("result")))
    if not isinstance(value, bool | int | float) or not 0 <= value <= 1:
        raise EnvError(f"the check {tool} answered {text[:80]!r}, expected true, false, or a number from 0 to 1")
    return float(value)
