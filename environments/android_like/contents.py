"""What is on a phone at first: drawn, and with what the tasks may ask about."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TypeVar

import numpy as np

from agentgym.environments.android_like import words
from agentgym.environments.android_like.levels import Difficulty
from agentgym.environments.android_like.state import Contents, Record

__all__ = ["Drawn", "Draws", "draw_contents"]

T = TypeVar("T")


class Draws:
    """Draws of what stands on phones."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng

    def one(self, values: Sequence[T]) -> T:
        """One of them."""
        return values[int(self.rng.integers(len(values)))]

    def some(self, values: Sequence[T], count: int) -> list[T]:
        """So many that differ, in any order."""
        return [values[int(i)] for i in self.rng.permutation(len(values))[:count]]

    def chance(self) -> bool:
        """Heads or tails."""
        return bool(self.rng.integers(2))

    def time(self) -> str:
        """Such as "07:30"."""
        return f"{self.rng.integers(5, 23):02}:{5 * self.rng.integers(12):02}"

    def number(self) -> str:
        """Of a phone."""
        return f"0{self.rng.integers(400, 500)} {self.rng.integers(100, 1000)} {self.rng.integers(100, 1000)}"

    def name(self, but: Sequence[str] = ()) -> str:
        """Of a person, another than those."""
        while (name := f"{self.one(words.FIRST)} {self.one(words.LAST)}") in but:
            pass
        return name


@dataclasses.dataclass(frozen=True, slots=True)
class Drawn:
    """What is on a phone, and what of it can be asked about."""

    contents: Contents
    times: dict[str, str]
    """Person → the time that they wrote."""
    numbers: dict[str, tuple[str, str]]
    """Person → whose number they wrote, and what it is. Nobody of them is among the contacts."""
    questions: dict[str, tuple[str, str]]
    """Id of a note → what can be asked about it, and the answer."""

    @property
    def names(self) -> list[str]:
        """Of the contacts."""
        return [str(contact["name"]) for contact in self.contents["contacts"].values()]


def draw_contents(difficulty: Difficulty, draws: Draws) -> Drawn:
    """As much as a level has."""
    names: list[str] = []
    for _ in range(difficulty.contacts):
        names.append(draws.name(names))
    contacts: list[Record] = [
        {"name": name, "phone": draws.number(), "favorite": not draws.rng.integers(4)} for name in names
    ]
    times: dict[str, str] = {}
    labels = draws.some(words.LABELS, difficulty.alarms)
    while len(times) < len(labels):
        times.setdefault(draws.time(), labels[len(times)])
    alarms: list[Record] = [{"time": time, "label": label, "on": draws.chance()} for time, label in times.items()]
    todos: list[Record] = [
        {"text": text, "done": not draws.rng.integers(3)} for text in draws.some(words.TODOS, difficulty.todos)
    ]
    messages, met, told = _draw_messages(draws.some(names, difficulty.threads), names, draws)
    notes, questions = _draw_notes(difficulty.notes, names, draws)
    contents = {
        "alarms": _numbered(alarms),
        "contacts": _numbered(contacts),
        "messages": _numbered(messages),
        "notes": _numbered(notes),
        "todos": _numbered(todos),
        "settings": {name: _setting(name, draws) for section in words.SECTIONS.values() for name in section},
    }
    return Drawn(contents, met, told, questions)


def _numbered(records: Sequence[Record]) -> dict[str, Record]:
    return {str(number): record for number, record in enumerate(records, 1)}


def _setting(name: str, draws: Draws) -> Record:
    return {"name": name, "value": draws.one(words.CHOICES[name]) if name in words.CHOICES else draws.chance()}


def _draw_messages(
    people: Sequence[str], names: Sequence[str], draws: Draws
) -> tuple[list[Record], dict[str, str], dict[str, tuple[str, str]]]:
    """In each conversation somebody writes a time, or a number, and something else after it."""
    messages: list[Record] = []
    times: dict[str, str] = {}
    numbers: dict[str, tuple[str, str]] = {}
    for nth, person in enumerate(people):
        if nth % 2 == 0:
            times[person] = draws.time()
            told = draws.one(words.MEETINGS).format(time=times[person])
        else:
            strangers = [name for name, _ in numbers.values()]
            numbers[person] = draws.name([*names, *strangers]), draws.number()
            told = draws.one(words.NUMBERS).format(name=numbers[person][0], phone=numbers[person][1])
        first, last = draws.some(words.CHATTER, 2)
        for text, is_mine in ((first, draws.chance()), (told, False), (last, draws.chance())):
            messages.append({"with": person, "mine": is_mine, "text": text})
    return messages, times, numbers


def _draw_notes(count: int, names: Sequence[str], draws: Draws) -> tuple[list[Record], dict[str, tuple[str, str]]]:
    notes: list[Record] = []
    questions: dict[str, tuple[str, str]] = {}
    for title in draws.some(list(words.NOTES), count):
        text, question, answer = words.NOTES[title]
        told = {
            "code": str(draws.rng.integers(10, 1000)),
            "digit": str(draws.rng.integers(2, 10)),
            "minutes": str(5 * draws.rng.integers(3, 15)),
            "time": draws.time(),
            "thing": draws.one(words.THINGS),
            "name": draws.one(names),
        }
        notes.append({"title": title, "text": text.format(**told)})
        questions[str(len(notes))] = question, answer.format(**told)
    return notes, questions
