"""A phone with few things on it, known to the letter."""

from __future__ import annotations

from agentgym.environments.android_like.levels import Level
from agentgym.environments.android_like.phone import Command, Phone
from agentgym.environments.android_like.state import Contents, Record, State
from agentgym.environments.android_like.tasks import Task, draw_task
from agentgym.environments.android_like.words import CHOICES, SECTIONS

__all__ = ["contents", "drawn", "fresh", "phone_of", "tapped"]


def contents() -> Contents:
    settings: dict[str, Record] = {
        name: {"name": name, "value": CHOICES[name][0] if name in CHOICES else False}
        for section in SECTIONS.values()
        for name in section
    }
    return {
        "alarms": {
            "1": {"time": "09:00", "label": "bus", "on": False},
            "2": {"time": "07:30", "label": "gym", "on": True},
        },
        "contacts": {
            "1": {"name": "mia moss", "phone": "0411 222 333", "favorite": False},
            "2": {"name": "ben reed", "phone": "0455 666 777", "favorite": True},
        },
        "messages": {
            "1": {"with": "mia moss", "mine": False, "text": "let us meet at 14:30"},
            "2": {"with": "mia moss", "mine": True, "text": "sure"},
        },
        "notes": {"1": {"title": "locker", "text": "the code is 77"}},
        "todos": {"1": {"text": "buy milk", "done": False}},
        "settings": settings,
    }


def fresh() -> Phone:
    """That phone, at its home screen."""
    return Phone(State(task=0, level="a1", contents=contents()))


def phone_of(task: Task, number: int, level: Level) -> Phone:
    """The one that a task begins with."""
    return Phone(State.of(State(task=number, level=level, contents=task.contents).as_json()))


def tapped(phone: Phone, *ids: str) -> str | None:
    """Tap one after the other; what was wrong with the last."""
    problem = None
    for id in ids:
        problem = phone.obey(Command("tap", id))
    return problem


def drawn(number: int = 0, level: Level = "a1") -> tuple[Task, Phone]:
    """A task for training and its phone."""
    task = draw_task(number, "train", level, 0)
    return task, phone_of(task, number, level)
