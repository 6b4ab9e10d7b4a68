"""Notes: a list of titles, a page and a form for each."""

from __future__ import annotations

from functools import partial

from agentgym.environments.android_like.apps._common import adds, deletes, edits, field, sure, typed
from agentgym.environments.android_like.handset import Handset
from agentgym.environments.android_like.screens import Node, Screen
from agentgym.environments.android_like.state import Frame

__all__ = ["show"]


def show(phone: Handset, frame: Frame) -> Screen:
    """The screen of a frame."""
    match frame.screen:
        case "edit":
            return _form(phone, frame)
        case "sure":
            return sure(phone, frame, "notes", "this note")
        case "page":
            note = phone.records("notes")[frame.item]
            told = Node("text", str(note["text"]))
            return Screen(str(note["title"]), (edits(phone, frame), deletes(phone, frame), told))
        case _:
            return _list(phone)


def _list(phone: Handset) -> Screen:
    def row(id: str) -> Node:
        title = str(phone.records("notes")[id]["title"])
        return Node("row", title, id=f"note-{id}", does=partial(phone.open, "notes", "page", id))

    return Screen("notes", (*map(row, phone.ids("notes")), adds(phone, "notes", "note")))


def _form(phone: Handset, frame: Frame) -> Screen:
    note = phone.records("notes").get(frame.item, {"title": "", "text": ""})

    def save() -> str | None:
        title = typed(frame, "title", note["title"])
        if not title:
            return "a note needs a title"
        phone.keep("notes", {"title": title, "text": typed(frame, "text", note["text"])}, frame.item)
        phone.close()
        return None

    nodes = (
        field(frame, "title", "title", note["title"]),
        field(frame, "text", "text", note["text"]),
        Node("main", "save", id="save", does=save),
    )
    return Screen("edit note" if frame.item else "new note", nodes)
