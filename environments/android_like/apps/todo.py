"""A to-do list: what is done is checked, and there is a field for more."""

from __future__ import annotations

from functools import partial

from agentgym.environments.android_like.apps._common import field, typed
from agentgym.environments.android_like.handset import Handset
from agentgym.environments.android_like.screens import Node, Screen
from agentgym.environments.android_like.state import Frame

__all__ = ["show"]


def show(phone: Handset, frame: Frame) -> Screen:
    """The list."""

    def add() -> str | None:
        text = typed(frame, "more")
        if not text:
            return "there is nothing to add"
        phone.keep("todos", {"text": text, "done": False})
        frame.draft.clear()
        return None

    rows = [_row(phone, id) for id in phone.ids("todos")]
    return Screen("to-do", (*rows, field(frame, "more", "add a task"), Node("main", "add", id="add", does=add)))


def _row(phone: Handset, id: str) -> Node:
    todo = phone.records("todos")[id]
    is_done = bool(todo["done"])
    text = str(todo["text"])
    removes = Node("button", f"remove {text}", id=f"remove-{id}", does=partial(phone.drop, "todos", id))
    checks = partial(phone.keep, "todos", {**todo, "done": not is_done}, id)
    return Node("check", text, id=f"todo-{id}", is_on=is_done, does=checks, beside=removes)
