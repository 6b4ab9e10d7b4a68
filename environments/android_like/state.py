"""All there is to a phone in use, as plain as JSON: what is on it, which screens are open, what was done."""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Mapping
from typing import Any, TypeAlias

from agentgym.environments.android_like.levels import Level

__all__ = ["Contents", "Facts", "Frame", "Record", "State", "fact", "facts", "plain", "same"]

Record: TypeAlias = "dict[str, str | bool]"
"""An alarm, a contact, a setting, …: its fields."""
Contents: TypeAlias = "dict[str, dict[str, Record]]"
"""Sort of record → id → record."""
Facts: TypeAlias = "collections.Counter[tuple[Any, ...]]"
"""Records without their ids, and how many there are of each."""


@dataclasses.dataclass(slots=True)
class Frame:
    """A screen that is open."""

    app: str
    screen: str
    item: str = ""
    """What it is about: an id, a name; "" where it is about nothing yet."""
    draft: dict[str, str] = dataclasses.field(default_factory=dict)
    """Field → what was typed there."""

    @property
    def key(self) -> str:
        """By which a screen is told from others, whatever was typed there."""
        return "/".join((self.app, self.screen, self.item))


@dataclasses.dataclass(slots=True, kw_only=True)
class State:
    """A phone in use."""

    task: int
    level: Level
    contents: Contents
    stack: list[Frame] = dataclasses.field(default_factory=list)
    """The screens that are open, the last on top; none is the home screen."""
    seen: list[str] = dataclasses.field(default_factory=list)
    """Keys of the screens that were opened, each once."""
    answer: str | None = None
    """What was said at the end; "" for an end without a word, None before it."""

    @classmethod
    def of(cls, fields: Mapping[str, Any]) -> State:
        """From what was JSON."""
        contents = {
            sort: {id: dict(record) for id, record in records.items()} for sort, records in fields["contents"].items()
        }
        stack = [Frame(**{**frame, "draft": dict(frame["draft"])}) for frame in fields["stack"]]
        return cls(**{**fields, "contents": contents, "stack": stack, "seen": list(fields["seen"])})

    def as_json(self) -> dict[str, Any]:
        """Plain JSON; ``State.of(state.as_json())`` is the same state."""
        return dataclasses.asdict(self)


def plain(text: str) -> str:
    """As texts are compared: lower case, single blanks.

    >>> plain(" On  my WAY ")
    'on my way'
    """
    return " ".join(text.lower().split())


def same(said: str, wanted: str) -> bool:
    """Whether two answers are one, but for case, blanks and marks.

    >>> same("14.30.", "14:30"), same("0412 555 019", "0412555019"), same("at 14:30", "14:30")
    (True, True, False)
    """
    return _letters(said) == _letters(wanted)


def _letters(text: str) -> str:
    return "".join(letter for letter in text.lower() if letter.isalnum())


def fact(sort: str, record: Mapping[str, str | bool]) -> tuple[Any, ...]:
    """A record without its id, as it is compared."""
    told = ((name, plain(value) if isinstance(value, str) else value) for name, value in sorted(record.items()))
    return sort, *told


def facts(contents: Contents) -> Facts:
    """All that is on a phone."""
    return collections.Counter(fact(sort, each) for sort, records in contents.items() for each in records.values())
