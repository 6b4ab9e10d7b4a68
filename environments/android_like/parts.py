"""What tasks are made of: one thing to be changed or read, how the phone differs then, and the way there."""

from __future__ import annotations

import dataclasses
from typing import Any, NamedTuple

from agentgym.environments.android_like.phone import Phone
from agentgym.environments.android_like.state import Contents, Record, fact, facts
from agentgym.environments.android_like.words import CHOICES, SECTIONS

__all__ = [
    "Part",
    "Stop",
    "added_alarm",
    "added_contact",
    "added_note",
    "added_todo",
    "changed_alarm",
    "changed_phone",
    "deleted",
    "flipped",
    "read",
    "sent",
    "set_to",
]


class Stop(NamedTuple):
    """A screen on the way, and what is tapped on the one before to open it."""

    tap: str
    app: str
    screen: str = "list"
    item: str = ""

    @property
    def key(self) -> str:
        """As a frame's."""
        return "/".join(self[1:])


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One of the things that a task asks for."""

    stops: tuple[Stop, ...]
    """The screens from the home screen on, the last one being where it is done or read."""
    fills: tuple[tuple[str, str], ...] = ()
    """Field → what is to be in it."""
    tap: str = ""
    """What does it; "" where the last screen is only to be read."""
    gone: tuple[tuple[Any, ...], ...] = ()
    """Facts that are not so any more then."""
    come: tuple[tuple[Any, ...], ...] = ()
    """Facts that are so then."""

    def is_done(self, phone: Phone) -> bool:
        """Whether it was."""
        if not self.tap:
            return self.stops[-1].key in phone.state.seen
        now = facts(phone.state.contents)
        return all(now[each] for each in self.come) and not any(now[each] for each in self.gone)


def _tile(app: str) -> Stop:
    return Stop(app, app)


def read(app: str, tap: str, screen: str, item: str) -> Part:
    """A screen of an app, one tap from its list."""
    return Part(stops=(_tile(app), Stop(tap, app, screen, item)))


def set_to(contents: Contents, name: str, value: str | bool) -> Part:
    """A setting that gets another value."""
    section = next(section for section, names in SECTIONS.items() if name in names)
    stops = [_tile("settings"), Stop(section, "settings", "section", section)]
    if name in CHOICES:
        stops.append(Stop(name, "settings", "choose", name))
    before = contents["settings"][name]
    tap = str(value) if name in CHOICES else name
    return Part(stops=(*stops,), tap=tap, **_changed("settings", before, value=value))


def flipped(contents: Contents, sort: str, id: str) -> Part:
    """An alarm, a contact or a to-do whose switch is the other way round."""
    record = contents[sort][id]
    match sort:
        case "alarms":
            stops, tap, field = [_tile("clock")], f"on-{id}", "on"
        case "todos":
            stops, tap, field = [_tile("to-do")], f"todo-{id}", "done"
        case _:
            stops, tap, field = (
                [_tile("contacts"), Stop(f"contact-{id}", "contacts", "page", id)],
                "favorite",
                "favorite",
            )
    return Part(stops=(*stops,), tap=tap, **_changed(sort, record, **{field: not record[field]}))


def deleted(contents: Contents, sort: str, id: str) -> Part:
    """An alarm, a contact or a note that is not there any more."""
    app, row, screen = {
        "alarms": ("clock", "alarm", "edit"),
        "contacts": ("contacts", "contact", "page"),
        "notes": ("notes", "note", "page"),
    }[sort]
    stops = (_tile(app), Stop(f"{row}-{id}", app, screen, id), Stop("delete", app, "sure", id))
    return Part(stops=stops, tap="yes", gone=(fact(sort, contents[sort][id]),))


def added_alarm(time: str, label: str) -> Part:
    """A new alarm, which is on."""
    return _added("clock", "alarms", {"time": time, "label": label, "on": True}, ("time", "label"))


def added_contact(name: str, phone: str) -> Part:
    """A new contact."""
    return _added("contacts", "contacts", {"name": name, "phone": phone, "favorite": False}, ("name", "phone"))


def added_note(title: str, text: str) -> Part:
    """A new note."""
    return _added("notes", "notes", {"title": title, "text": text}, ("title", "text"))


def added_todo(text: str) -> Part:
    """One more thing to do."""
    come = (fact("todos", {"text": text, "done": False}),)
    return Part(stops=(_tile("to-do"),), fills=(("more", text),), tap="add", come=come)


def changed_alarm(contents: Contents, id: str, time: str) -> Part:
    """An alarm at another time; the form switches it on."""
    stops = (_tile("clock"), Stop(f"alarm-{id}", "clock", "edit", id))
    changed = _changed("alarms", contents["alarms"][id], time=time, on=True)
    return Part(stops=stops, fills=(("time", time),), tap="save", **changed)


def changed_phone(contents: Contents, id: str, phone: str) -> Part:
    """A contact with another number."""
    page = Stop(f"contact-{id}", "contacts", "page", id)
    stops = (_tile("contacts"), page, Stop("edit", "contacts", "edit", id))
    changed = _changed("contacts", contents["contacts"][id], phone=phone)
    return Part(stops=stops, fills=(("phone", phone),), tap="save", **changed)


def sent(contents: Contents, name: str, text: str) -> Part:
    """A message to somebody who is among the contacts."""
    is_known = any(each["with"] == name for each in contents["messages"].values())
    picked = () if is_known else (Stop("new", "messages", "pick"),)
    stops = (_tile("messages"), *picked, Stop(f"thread-{name}", "messages", "thread", name))
    come = (fact("messages", {"with": name, "mine": True, "text": text}),)
    return Part(stops=stops, fills=(("text", text),), tap="send", come=come)


def _added(app: str, sort: str, record: Record, fields: tuple[str, ...]) -> Part:
    stops = (_tile(app), Stop("new", app, "edit"))
    fills = tuple((name, str(record[name])) for name in fields)
    return Part(stops=stops, fills=fills, tap="save", come=(fact(sort, record),))


def _changed(sort: str, before: Record, **changes: str | bool) -> dict[str, Any]:
    return {"gone": (fact(sort, before),), "come": (fact(sort, {**before, **changes}),)}
