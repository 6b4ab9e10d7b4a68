"""The apps: each a function from a frame to the screen that it shows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, NamedTuple

from agentgym.environments.android_like.apps import clock, contacts, messages, notes, settings, todo
from agentgym.environments.android_like.screens import Screen
from agentgym.environments.android_like.state import Frame

if TYPE_CHECKING:
    from agentgym.environments.android_like.phone import Phone

__all__ = ["APPS", "App"]


class App(NamedTuple):
    """One of them."""

    show: Callable[[Phone, Frame], Screen]


APPS: Mapping[str, App] = {
    "clock": App(clock.show),
    "contacts": App(contacts.show),
    "messages": App(messages.show),
    "notes": App(notes.show),
    "to-do": App(todo.show),
    "settings": App(settings.show),
}
"""By the names on their tiles, in their order."""
