"""Settings: sections with switches, and lists of values to choose from."""

from __future__ import annotations

from functools import partial

from agentgym.environments.android_like.handset import Handset
from agentgym.environments.android_like.screens import Node, Screen
from agentgym.environments.android_like.state import Frame
from agentgym.environments.android_like.words import CHOICES, SECTIONS

__all__ = ["show"]


def show(phone: Handset, frame: Frame) -> Screen:
    """The screen of a frame."""
    match frame.screen:
        case "section":
            return Screen(frame.item, tuple(_setting(phone, name) for name in SECTIONS[frame.item]))
        case "choose":
            return _choices(phone, frame)
        case _:
            return Screen("settings", tuple(_section(phone, name) for name in SECTIONS))


def _section(phone: Handset, name: str) -> Node:
    detail = ", ".join(SECTIONS[name])
    return Node("row", name, id=name, detail=detail, does=partial(phone.open, "settings", "section", name))


def _setting(phone: Handset, name: str) -> Node:
    value = phone.records("settings")[name]["value"]
    if name in CHOICES:
        opens = partial(phone.open, "settings", "choose", name)
        return Node("row", name, id=name, detail=str(value), does=opens)
    turns = partial(phone.keep, "settings", {"name": name, "value": not value}, name)
    return Node("switch", name, id=name, is_on=bool(value), does=turns)


def _choices(phone: Handset, frame: Frame) -> Screen:
    held = phone.records("settings")[frame.item]["value"]

    def choice(value: str) -> Node:
        def choose() -> None:
            phone.keep("settings", {"name": frame.item, "value": value}, frame.item)
            phone.close()

        return Node("choice", value, id=value, is_on=value == held, does=choose)

    return Screen(frame.item, tuple(map(choice, CHOICES[frame.item])), is_dialog=True)
