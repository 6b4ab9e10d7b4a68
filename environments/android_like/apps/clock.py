"""Alarms: a list with switches, and a form for each."""

from __future__ import annotations

import re
from functools import partial

from agentgym.environments.android_like.apps._common import adds, deletes, field, sure, typed
from agentgym.environments.android_like.handset import Handset
from agentgym.environments.android_like.screens import Node, Screen
from agentgym.environments.android_like.state import Frame

__all__ = ["show"]

_TIME = re.compile(r"([01]?[0-9]|2[0-3])[:.]([0-5][0-9])")


def show(phone: Handset, frame: Frame) -> Screen:
    """The screen of a frame."""
    match frame.screen:
        case "edit":
            return _form(phone, frame)
        case "sure":
            return sure(phone, frame, "alarms", "this alarm")
        case _:
            return _list(phone)


def _list(phone: Handset) -> Screen:
    alarms = sorted(phone.records("alarms"), key=lambda id: (phone.records("alarms")[id]["time"], int(id)))
    return Screen("alarms", (*(_row(phone, id) for id in alarms), adds(phone, "clock", "alarm")))


def _row(phone: Handset, id: str) -> Node:
    alarm = phone.records("alarms")[id]
    time, label = str(alarm["time"]), str(alarm["label"])
    is_on = bool(alarm["on"])
    switch = Node(
        "switch",
        f"alarm at {time}",
        id=f"on-{id}",
        is_on=is_on,
        does=partial(phone.keep, "alarms", {**alarm, "on": not is_on}, id),
    )
    opens = partial(phone.open, "clock", "edit", id)
    return Node("row", time, id=f"alarm-{id}", detail=label, is_on=is_on, does=opens, beside=switch)


def _form(phone: Handset, frame: Frame) -> Screen:
    alarm = phone.records("alarms").get(frame.item, {"time": "", "label": "", "on": True})

    def save() -> str | None:
        time = _TIME.fullmatch(typed(frame, "time", alarm["time"]))
        if time is None:
            return "a time is written as 07:30"
        label = typed(frame, "label", alarm["label"])
        phone.keep("alarms", {"time": f"{int(time[1]):02}:{time[2]}", "label": label, "on": True}, frame.item)
        phone.close()
        return None

    nodes = (
        field(frame, "time", "time", alarm["time"]),
        field(frame, "label", "label", alarm["label"]),
        Node("main", "save", id="save", does=save),
    )
    head = (deletes(phone, frame),) if frame.item else ()
    return Screen("edit alarm" if frame.item else "new alarm", (*head, *nodes))
