"""People: a list, a page and a form for each."""

from __future__ import annotations

import re
from functools import partial

from agentgym.environments.android_like.apps._common import adds, deletes, edits, field, sure, typed
from agentgym.environments.android_like.handset import Handset
from agentgym.environments.android_like.screens import Node, Screen
from agentgym.environments.android_like.state import Frame, plain

__all__ = ["show"]

_PHONE = re.compile(r"\+?[0-9][0-9 ]{3,18}")


def show(phone: Handset, frame: Frame) -> Screen:
    """The screen of a frame."""
    match frame.screen:
        case "edit":
            return _form(phone, frame)
        case "sure":
            return sure(phone, frame, "contacts", "this contact")
        case "page":
            return _page(phone, frame)
        case _:
            return _list(phone)


def _list(phone: Handset) -> Screen:
    def row(id: str) -> Node:
        contact = phone.records("contacts")[id]
        detail = "favorite" if contact["favorite"] else ""
        opens = partial(phone.open, "contacts", "page", id)
        return Node("row", str(contact["name"]), id=f"contact-{id}", detail=detail, does=opens)

    people = sorted(phone.records("contacts"), key=lambda id: (phone.records("contacts")[id]["name"], int(id)))
    return Screen("contacts", (*map(row, people), adds(phone, "contacts", "contact")))


def _page(phone: Handset, frame: Frame) -> Screen:
    contact = phone.records("contacts")[frame.item]
    is_on = bool(contact["favorite"])
    switch = Node(
        "switch",
        "favorite",
        id="favorite",
        is_on=is_on,
        does=partial(phone.keep, "contacts", {**contact, "favorite": not is_on}, frame.item),
    )
    name = str(contact["name"])
    write = Node("button", "message", id="message", does=partial(phone.open, "messages", "thread", name))
    told = Node("text", str(contact["phone"]), detail="phone")
    return Screen(name, (edits(phone, frame), deletes(phone, frame), told, switch, write))


def _form(phone: Handset, frame: Frame) -> Screen:
    contact = phone.records("contacts").get(frame.item, {"name": "", "phone": "", "favorite": False})

    def save() -> str | None:
        name, number = typed(frame, "name", contact["name"]), typed(frame, "phone", contact["phone"])
        if not name:
            return "a contact needs a name"
        others = (each["name"] for id, each in phone.records("contacts").items() if id != frame.item)
        if plain(name) in map(plain, map(str, others)):
            return "there is a contact of that name already"
        if _PHONE.fullmatch(number) is None:
            return "a phone number has digits"
        phone.keep("contacts", {**contact, "name": name, "phone": number}, frame.item)
        phone.close()
        return None

    nodes = (
        field(frame, "name", "name", contact["name"]),
        field(frame, "phone", "phone", contact["phone"]),
        Node("main", "save", id="save", does=save),
    )
    return Screen("edit contact" if frame.item else "new contact", nodes)
