"""What apps share: fields with what is typed there, buttons in the head, and the question before a thing is deleted."""

from __future__ import annotations

from functools import partial

from agentgym.environments.android_like.handset import Handset
from agentgym.environments.android_like.screens import Node, Screen
from agentgym.environments.android_like.state import Frame

__all__ = ["adds", "deletes", "edits", "field", "sure", "typed"]


def typed(frame: Frame, id: str, held: object = "") -> str:
    """What a field holds, without blanks around it: what was typed, else what it held at first."""
    return " ".join(frame.draft.get(id, str(held)).split())


def field(frame: Frame, id: str, text: str, held: object = "") -> Node:
    """A field."""
    return Node("field", text, id=id, value=frame.draft.get(id, str(held)))


def adds(phone: Handset, app: str, what: str, screen: str = "edit") -> Node:
    """The button for something new."""
    return Node("add", f"new {what}", id="new", does=partial(phone.open, app, screen))


def edits(phone: Handset, frame: Frame) -> Node:
    """The button that opens the form of what is shown."""
    return Node("tool", "edit", id="edit", does=partial(phone.open, frame.app, "edit", frame.item))


def deletes(phone: Handset, frame: Frame) -> Node:
    """The button that asks whether to delete what is shown."""
    return Node("tool", "delete", id="delete", does=partial(phone.open, frame.app, "sure", frame.item))


def sure(phone: Handset, frame: Frame, sort: str, what: str) -> Screen:
    """The question before a record is deleted, over the screen that shows it."""

    def delete() -> None:
        phone.drop(sort, frame.item)
        phone.close(2)

    yes = Node("main", "delete", id="yes", does=delete)
    return Screen(f"delete {what}?", (Node("button", "cancel", id="no", does=phone.close), yes), is_dialog=True)
