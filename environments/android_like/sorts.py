"""The sorts of tasks: what is asked for, in words and as parts, of a phone that was drawn."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple, TypeAlias

from agentgym.environments.android_like import parts, words
from agentgym.environments.android_like.contents import Drawn, Draws
from agentgym.environments.android_like.levels import Level
from agentgym.environments.android_like.parts import Part

__all__ = ["SORTS", "Wanted"]


class Wanted(NamedTuple):
    """What a task asks for."""

    text: str
    parts: tuple[Part, ...]
    answer: str = ""
    """What is to be said at the end; "" where nothing is."""


Sort: TypeAlias = Callable[[Drawn, Draws], Wanted]


# -- one app and a few taps ------------------------------------------------------------------------------


def _switch(drawn: Drawn, draws: Draws) -> Wanted:
    name = draws.one([each for section in words.SECTIONS.values() for each in section if each not in words.CHOICES])
    is_on = drawn.contents["settings"][name]["value"]
    return Wanted(f"turn {'off' if is_on else 'on'} {name}", (parts.set_to(drawn.contents, name, not is_on),))


def _alarm_switch(drawn: Drawn, draws: Draws) -> Wanted:
    id = draws.one([*drawn.contents["alarms"]])
    alarm = drawn.contents["alarms"][id]
    text = f"turn {'off' if alarm['on'] else 'on'} the alarm at {alarm['time']}"
    return Wanted(text, (parts.flipped(drawn.contents, "alarms", id),))


def _favorite(drawn: Drawn, draws: Draws) -> Wanted:
    id = draws.one([*drawn.contents["contacts"]])
    contact = drawn.contents["contacts"][id]
    text = f"remove {contact['name']} from" if contact["favorite"] else f"add {contact['name']} to"
    return Wanted(f"{text} the favorites", (parts.flipped(drawn.contents, "contacts", id),))


def _check(drawn: Drawn, draws: Draws) -> Wanted:
    id = draws.one([*drawn.contents["todos"]])
    todo = drawn.contents["todos"][id]
    text = f"mark the task {todo['text']} as {'not done' if todo['done'] else 'done'}"
    return Wanted(text, (parts.flipped(drawn.contents, "todos", id),))


def _delete(drawn: Drawn, draws: Draws) -> Wanted:
    sort = draws.one(("alarms", "contacts", "notes"))
    id = draws.one([*drawn.contents[sort]])
    record = drawn.contents[sort][id]
    what = {
        "alarms": "the alarm at {time}",
        "contacts": "the contact {name}",
        "notes": "the note {title}",
    }[sort].format(**record)
    return Wanted(f"delete {what}", (parts.deleted(drawn.contents, sort, id),))


def _ask_phone(drawn: Drawn, draws: Draws) -> Wanted:
    id = draws.one([*drawn.contents["contacts"]])
    contact = drawn.contents["contacts"][id]
    seen = parts.read("contacts", f"contact-{id}", "page", id)
    return Wanted(f"what is the phone number of {contact['name']}?", (seen,), str(contact["phone"]))


# -- one app and a form, or more to read -----------------------------------------------------------------


def _choose(drawn: Drawn, draws: Draws) -> Wanted:
    name = draws.one([*words.CHOICES])
    held = drawn.contents["settings"][name]["value"]
    value = draws.one([each for each in words.CHOICES[name] if each != held])
    return Wanted(f"set the {name} to {value}", (parts.set_to(drawn.contents, name, value),))


def _add_alarm(drawn: Drawn, draws: Draws) -> Wanted:
    label = draws.one(_but(words.LABELS, drawn, "alarms", "label"))
    time = draws.time()
    return Wanted(f"add an alarm at {time} with the label {label}", (parts.added_alarm(time, label),))


def _move_alarm(drawn: Drawn, draws: Draws) -> Wanted:
    id = draws.one([*drawn.contents["alarms"]])
    alarm, time = drawn.contents["alarms"][id], draws.time()
    while time == alarm["time"]:
        time = draws.time()
    text = f"move the alarm {alarm['label']} to {time}, and leave it turned on"
    return Wanted(text, (parts.changed_alarm(drawn.contents, id, time),))


def _add_contact(drawn: Drawn, draws: Draws) -> Wanted:
    name, number = draws.name(drawn.names), draws.number()
    return Wanted(f"add the contact {name} with the number {number}", (parts.added_contact(name, number),))


def _change_phone(drawn: Drawn, draws: Draws) -> Wanted:
    id, number = draws.one([*drawn.contents["contacts"]]), draws.number()
    name = drawn.contents["contacts"][id]["name"]
    part = parts.changed_phone(drawn.contents, id, number)
    return Wanted(f"change the number of {name} to {number}", (part,))


def _send(drawn: Drawn, draws: Draws) -> Wanted:
    name, text = draws.one(drawn.names), draws.one(words.TEXTS)
    return Wanted(f"write to {name}: {text}", (parts.sent(drawn.contents, name, text),))


def _add_note(drawn: Drawn, draws: Draws) -> Wanted:
    title = draws.one(_but([*words.NOTES], drawn, "notes", "title"))
    text = f"{draws.one(words.THINGS)} {draws.rng.integers(10, 100)}"
    return Wanted(f"add a note with the title {title} and the text {text}", (parts.added_note(title, text),))


def _add_todo(drawn: Drawn, draws: Draws) -> Wanted:
    text = draws.one(_but(words.TODOS, drawn, "todos", "text"))
    return Wanted(f"add {text} to the to-do list", (parts.added_todo(text),))


def _ask_time(drawn: Drawn, draws: Draws) -> Wanted:
    name = draws.one([*drawn.times])
    return Wanted(f"at what time does {name} want to meet?", (_thread(name),), drawn.times[name])


def _ask_note(drawn: Drawn, draws: Draws) -> Wanted:
    id = draws.one([*drawn.questions])
    question, answer = drawn.questions[id]
    return Wanted(question, (parts.read("notes", f"note-{id}", "page", id),), answer)


# -- two apps or three -----------------------------------------------------------------------------------


def _pass_on(drawn: Drawn, draws: Draws) -> Wanted:
    id = draws.one([*drawn.contents["contacts"]])
    contact = drawn.contents["contacts"][id]
    name = draws.one([each for each in drawn.names if each != contact["name"]])
    seen = parts.read("contacts", f"contact-{id}", "page", id)
    write = parts.sent(drawn.contents, name, str(contact["phone"]))
    return Wanted(f"write to {name} the phone number of {contact['name']}, and nothing else", (seen, write))


def _wake_up(drawn: Drawn, draws: Draws) -> Wanted:
    name = draws.one([*drawn.times])
    label = draws.one(_but(words.LABELS, drawn, "alarms", "label"))
    text = f"add an alarm with the label {label} at the time when {name} wants to meet"
    return Wanted(text, (_thread(name), parts.added_alarm(drawn.times[name], label)))


def _meet(drawn: Drawn, draws: Draws) -> Wanted:
    """A new contact from a message."""
    writer = draws.one([*drawn.numbers])
    name, number = drawn.numbers[writer]
    text = f"{writer} wrote the number of {name}: add it to the contacts"
    return Wanted(text, (_thread(writer), parts.added_contact(name, number)))


def _tell_note(drawn: Drawn, draws: Draws) -> Wanted:
    id, name = draws.one([*drawn.contents["notes"]]), draws.one(drawn.names)
    note = drawn.contents["notes"][id]
    seen = parts.read("notes", f"note-{id}", "page", id)
    write = parts.sent(drawn.contents, name, str(note["text"]))
    return Wanted(f"write to {name} what the note {note['title']} says, word for word", (seen, write))


def _errands(drawn: Drawn, draws: Draws) -> Wanted:
    """Three things in three apps."""
    first = draws.one((_switch, _choose))(drawn, draws)
    second = draws.one((_send, _add_contact))(drawn, draws)
    third = draws.one((_add_alarm, _add_todo, _add_note))(drawn, draws)
    wanted = draws.some((first, second, third), 3)
    return Wanted("; ".join(each.text for each in wanted), tuple(part for each in wanted for part in each.parts))


def _thread(name: str) -> Part:
    return parts.read("messages", f"thread-{name}", "thread", name)


def _but(values: list[str] | tuple[str, ...], drawn: Drawn, sort: str, field: str) -> list[str]:
    """Those that no record has."""
    held = [record[field] for record in drawn.contents[sort].values()]
    return [value for value in values if value not in held]


SORTS: Mapping[Level, Mapping[str, Sort]] = {
    "a1": {
        "switch": _switch,
        "alarm-switch": _alarm_switch,
        "favorite": _favorite,
        "check": _check,
        "delete": _delete,
        "ask-phone": _ask_phone,
    },
    "a2": {
        "choose": _choose,
        "add-alarm": _add_alarm,
        "move-alarm": _move_alarm,
        "add-contact": _add_contact,
        "change-phone": _change_phone,
        "send": _send,
        "add-note": _add_note,
        "add-todo": _add_todo,
        "ask-time": _ask_time,
        "ask-note": _ask_note,
    },
    "a3": {
        "pass-on": _pass_on,
        "wake-up": _wake_up,
        "meet": _meet,
        "tell-note": _tell_note,
        "errands": _errands,
    },
}
"""Level → name of a sort → how one is drawn."""
