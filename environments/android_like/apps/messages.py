"""Conversations: a list of them, one with each person, and a list of people to begin one with."""

from __future__ import annotations

from functools import partial

from agentgym.environments.android_like.apps._common import adds, field, typed
from agentgym.environments.android_like.handset import Handset
from agentgym.environments.android_like.screens import Node, Screen
from agentgym.environments.android_like.state import Frame, Record

__all__ = ["show"]


def show(phone: Handset, frame: Frame) -> Screen:
    """The screen of a frame."""
    match frame.screen:
        case "thread":
            return _thread(phone, frame)
        case "pick":
            names = sorted(str(contact["name"]) for contact in phone.records("contacts").values())
            return Screen("write to", tuple(_row(phone, name) for name in names))
        case _:
            last = {str(each["with"]): str(each["text"]) for each in _said(phone)}
            rows = [_row(phone, name, text) for name, text in last.items()]
            return Screen("messages", (*rows, adds(phone, "messages", "message", "pick")))


def _said(phone: Handset) -> list[Record]:
    return [phone.records("messages")[id] for id in phone.ids("messages")]


def _row(phone: Handset, name: str, detail: str = "") -> Node:
    return Node("row", name, id=f"thread-{name}", detail=detail, does=partial(phone.open, "messages", "thread", name))


def _thread(phone: Handset, frame: Frame) -> Screen:
    said = [each for each in _said(phone) if each["with"] == frame.item]

    def send() -> str | None:
        text = typed(frame, "text")
        if not text:
            return "there is nothing to send"
        phone.keep("messages", {"with": frame.item, "mine": True, "text": text})
        frame.draft.clear()
        return None

    bubbles = [Node("mine" if each["mine"] else "theirs", str(each["text"])) for each in said]
    return Screen(frame.item, (*bubbles, field(frame, "text", "message"), Node("main", "send", id="send", does=send)))
