"""Which episodes somebody wants to see, and in which order: asked of the cards alone.

Values are given as they are typed or as they stand in an address, and checked here: ``Criteria`` is the one list of
what there is to filter by, of the page, of ``agentgym view --json`` and of the archive.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from agentgym.errors import UserError
from agentgym.types import StopReason

__all__ = ["Criteria"]

_SAME = ("env", "split", "stage", "role", "group_id", "episode_id", "update", "ordinal", "stop_reason", "success")
_BETWEEN = ("reward", "level", "strength", "num_turns", "num_tokens")
_VOID = [reason.value for reason in StopReason if reason.is_void]

Order = Literal[
    "number", "update", "reward", "level", "strength", "num_turns", "num_tokens", "num_invalid", "success", "task"
]


class Criteria(BaseModel):
    """What an episode must be; None: anything."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    env: str | None = None
    split: str | None = None
    stage: str | None = None
    role: str | None = None
    group_id: str | None = None
    episode_id: str | None = None
    task: str | None = None
    """As it is printed: 7 is the task 7 and the task "7"."""
    update: int | None = None
    ordinal: int | None = None
    stop_reason: StopReason | None = None
    success: bool | None = None
    void: bool | None = None
    """Not the policy's doing: the environment broke, it was stopped or took too long."""
    truncated: bool | None = None
    """Cut short by a limit."""
    invalid: bool | None = None
    """An action had no effect, or a reply could not be read."""
    branched: bool | None = None
    """It branched off another one."""
    error: str | None = None
    """Part of why it is void."""
    min_reward: float | None = None
    max_reward: float | None = None
    min_level: float | None = None
    max_level: float | None = None
    min_strength: float | None = None
    max_strength: float | None = None
    min_num_turns: int | None = None
    max_num_turns: int | None = None
    min_num_tokens: int | None = None
    max_num_tokens: int | None = None
    after: int | None = None
    """With a number above this one."""
    order: Order = "number"
    descending: bool = False

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> Criteria:
        """Those that are ``given``. Raises UserError, with what there is, for what cannot be asked for."""
        try:
            return cls.model_validate({name: value for name, value in given.items() if value not in (None, "")})
        except ValidationError as error:
            problem = error.errors()[0]
            name = ".".join(map(str, problem["loc"]))
            if problem["type"] == "extra_forbidden":
                known = ", ".join(cls.model_fields)
                raise UserError(f"episodes cannot be filtered by {name}, but by {known}") from None
            raise UserError(f"{name} is {problem['input']!r}: {problem['msg']}") from None

    def where(self) -> tuple[str, list[Any]]:
        """A condition on the table ``cards``, and its values."""
        found = list(self._conditions())
        return " AND ".join(["TRUE", *(text for text, _ in found)]), [value for _, own in found for value in own]

    def in_order(self) -> str:
        """How the rows are sorted: equal ones as they were written."""
        way = "DESC" if self.descending else "ASC"
        return f'ORDER BY "{self.order}" {way}' + ("" if self.order == "number" else ", number")

    def _conditions(self) -> Iterator[tuple[str, list[Any]]]:
        for name in _SAME:
            if (value := getattr(self, name)) is not None:
                yield f'"{name}" = ?', [value]
        for name in _BETWEEN:
            for sign, bound in ((">=", f"min_{name}"), ("<=", f"max_{name}")):
                if (value := getattr(self, bound)) is not None:
                    yield f"{name} {sign} ?", [value]
        if self.task is not None:
            yield "task IN (?, ?)", [self.task, json.dumps(self.task)]
        if self.after is not None:
            yield "number > ?", [self.after]
        if self.error is not None:
            yield "instr(lower(coalesce(error, '')), lower(?)) > 0", [self.error]
        yield from self._kinds()

    def _kinds(self) -> Iterator[tuple[str, list[Any]]]:
        """What is told by several columns, or by several values of one."""
        cut = [reason.value for reason in StopReason if reason.is_truncated]
        kinds: tuple[tuple[bool | None, str, list[str]], ...] = (
            (self.void, f"stop_reason IN ({_places(_VOID)})", _VOID),
            (self.truncated, f"stop_reason IN ({_places(cut)})", cut),
            (self.invalid, "coalesce(num_invalid, 0) + coalesce(num_unread, 0) > 0", []),
            (self.branched, "parent_id IS NOT NULL", []),
        )
        for wanted, condition, values in kinds:
            if wanted is not None:
                yield (condition if wanted else f"NOT ({condition})"), values


def _places(values: list[str]) -> str:
    return ", ".join("?" * len(values))
