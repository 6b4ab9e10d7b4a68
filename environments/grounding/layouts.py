"""Layouts of screens: each draws its things, says where they stand, and how each may be asked for.

A thing that can be asked for carries its number as ``data-thing``: what it is drawn as is what its box is measured of.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

import numpy as np

from agentgym.browser.markup import Child, Markup, tag
from agentgym.environments.grounding import words
from agentgym.environments.grounding.icons import ICONS, icon
from agentgym.environments.grounding.levels import Layout

__all__ = ["LAYOUTS", "Drawing", "Thing"]

T = TypeVar("T")


class Thing(NamedTuple):
    """One thing that can be asked for."""

    role: str
    label: str
    """What is written on it, or stands for it."""
    by_name: str
    """The instruction that names it."""
    by_function: str
    """The instruction that says what it is for; "" where there is none."""
    is_icon: bool = False
    """Whether nothing is written on it."""


class Drawing:
    """A screen as it comes into being: its draws, and its things so far."""

    def __init__(self, rng: np.random.Generator, *, least: int, most: int) -> None:
        self.rng, self.things = rng, list[Thing]()
        self.number = int(rng.integers(least, most + 1))
        """Of things that it should have, about."""

    def some(self, values: Iterable[T], number: int) -> list[T]:
        """So many of them, each once, in a drawn order."""
        every = list(values)
        return [every[i] for i in self.rng.permutation(len(every))[:number]]

    def one(self, values: Iterable[T]) -> T:
        """One of them."""
        return self.some(values, 1)[0]

    def add(self, element: str, thing: Thing, *children: Child, **attributes: Any) -> Markup:
        """The element that is this thing."""
        self.things.append(thing)
        return tag(element, *children, data_thing=len(self.things) - 1, **attributes)

    # -- things --------------------------------------------------------------------------------------

    def button(self, label: str, **attributes: Any) -> Markup:
        """With words on it."""
        thing = Thing("button", label, f'the "{label}" button', words.BUTTONS.get(label, ""))
        return self.add("button", thing, label, **attributes)

    def icon_button(self, name: str) -> Markup:
        """With an icon on it."""
        thing = Thing("button", name, f"the {name} icon", ICONS[name][0], is_icon=True)
        return self.add("button", thing, icon(name), class_="bare")

    def field(self, label: str) -> Markup:
        """Under its label."""
        thing = Thing("textbox", label, f'the field "{label}"', f"type {words.FIELDS[label]}")
        return tag("label", tag("span", label), self.add("input", thing, type="text"))

    def check(self, label: str) -> Markup:
        """A box to check, before its label."""
        thing = Thing("checkbox", label, f'the checkbox "{label}"', "")
        return tag(
            "label",
            self.add("input", thing, type="checkbox", checked=bool(self.rng.integers(2))),
            label,
            class_="check",
        )

    def switch(self, label: str) -> Markup:
        """Beside its label."""
        state = "on" if self.rng.integers(2) else "off"
        turned = f"turn {label} {'off' if state == 'on' else 'on'}"
        return self.add("i", Thing("switch", label, f'the switch of "{label}"', turned), class_=f"switch {state}")


def _tiles(drawing: Drawing) -> Child:
    colors = drawing.some(words.COLORS.items(), max(2, drawing.number // 2 * 2))
    tiles = [
        drawing.add("b", Thing("tile", name, f"the {name} tile", ""), name, style=f"background:{paint}")
        for name, paint in colors
    ]
    return tag("main", tiles, class_="tiles")


def _dialog(drawing: Drawing) -> Child:
    labels = drawing.some(words.BUTTONS, max(2, min(4, drawing.number - 2)))
    ask = drawing.check("Do not ask again") if drawing.number > 4 else None
    close = drawing.add(
        "button", Thing("button", "close", "the cross", "close the window", is_icon=True), "\u00d7", class_="bare"
    )
    head = tag("div", tag("h2", drawing.one(words.TITLES)), close, class_="head")
    foot = tag(
        "div",
        [drawing.button(label, class_="main" if n == 0 else None) for n, label in enumerate(labels)],
        class_="foot",
    )
    text = tag("p", drawing.one(words.QUESTIONS))
    behind = [tag("p", sentence) for sentence in drawing.some(words.SENTENCES, 5)]
    return tag("div", behind, class_="behind"), tag("section", head, text, ask, foot, class_="dialog")


def _form(drawing: Drawing) -> Child:
    fields = [drawing.field(label) for label in drawing.some(words.FIELDS, max(1, min(10, drawing.number - 2)))]
    check = drawing.check("Remember me") if drawing.number > 5 else None
    labels = drawing.some(words.BUTTONS, 2)
    foot = tag("div", drawing.button(labels[0], class_="main"), drawing.button(labels[1]), class_="foot")
    return _bar(drawing, 0), tag("main", tag("h1", "Your details"), tag("div", fields, class_="fields"), check, foot)


def _settings(drawing: Drawing) -> Child:
    rows = [
        tag("li", tag("span", tag("b", label), tag("small", under)), drawing.switch(label))
        for label, under in drawing.some(words.SETTINGS.items(), max(2, min(12, drawing.number)))
    ]
    return _bar(drawing, 1 if drawing.number > 4 else 0), tag(
        "main", tag("h1", "Settings"), tag("ul", rows, class_="rows")
    )


def _document(drawing: Drawing) -> Child:
    bar = _bar(drawing, max(3, min(14, drawing.number - 2)))
    lines = [tag("p", " ".join(drawing.some(words.SENTENCES, 3))) for _ in range(6)]
    labels = drawing.some(words.BUTTONS, 2)
    foot = tag("footer", [drawing.button(label) for label in labels])
    return bar, tag("main", tag("article", tag("h1", drawing.one(words.PAGES)), lines)), foot


def _list(drawing: Drawing) -> Child:
    bar = _bar(drawing, 2)
    return bar, tag("main", tag("h1", drawing.one(words.PAGES)), _people(drawing, max(2, (drawing.number - 2) // 2)))


def _people(drawing: Drawing, number: int) -> Markup:
    """Rows of people, each with the same icons: which one is meant, its row says."""
    actions = drawing.some(("edit", "delete", "mail", "phone", "like"), 2)
    rows = []
    for name in drawing.some(words.PEOPLE, min(len(words.PEOPLE), number)):
        initials = "".join(part[0] for part in name.split())
        told = tag("span", tag("b", name), tag("small", drawing.one(words.SENTENCES)))
        buttons = [
            drawing.add("button", _of_row(action, name), icon(action), class_="bare", aria_label=f"{action} {name}")
            for action in actions
        ]
        rows.append(tag("li", tag("i", initials, class_="face"), told, buttons))
    return tag("ul", rows, class_="rows people")


def _of_row(action: str, name: str) -> Thing:
    meant = {"edit": "change the entry of", "delete": "remove", "mail": "write to", "phone": "call", "like": "favor"}
    return Thing("button", f"{action} {name}", f"the {action} icon of {name}", f"{meant[action]} {name}", is_icon=True)


def _desk(drawing: Drawing) -> Child:
    pages = drawing.some(words.PAGES, max(4, drawing.number // 4))
    bar = _bar(drawing, max(4, drawing.number // 3))
    links = [
        drawing.add(
            "a", Thing("link", page, f'the entry "{page}" at the side', f"go to {page.lower()}"), page, class_=kind
        )
        for page, kind in zip(pages, ("now", *[""] * len(pages)), strict=False)
    ]
    head = tag("div", tag("h1", pages[0]), drawing.button(drawing.one(words.BUTTONS), class_="main"), class_="head")
    body = tag("main", head, _people(drawing, max(3, drawing.number // 4)))
    return bar, tag("div", tag("nav", links), body, class_="desk")


def _bar(drawing: Drawing, number: int) -> Markup:
    """The app's name, and so many icons."""
    icons = [drawing.icon_button(name) for name in drawing.some(_ALONE, number)]
    return tag("header", tag("strong", drawing.one(words.APPS)), tag("span", icons))


_ALONE: Sequence[str] = [name for name in ICONS if name not in ("edit", "delete", "mail", "phone", "like")]
"""Icons that stand in a bar; the others stand in rows, and are asked for with them."""

LAYOUTS: Mapping[Layout, Callable[[Drawing], Child]] = {
    "tiles": _tiles,
    "dialog": _dialog,
    "form": _form,
    "settings": _settings,
    "document": _document,
    "list": _list,
    "desk": _desk,
}
