"""The apps: each a function from a frame to the screen that it shows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

from agentgym.environments.android_like.apps import clock, contacts, messages, notes, settings, todo
from agentgym.environments.android_like.handset import Handset
from agentgym.environments.android_like.screens import Screen
from agentgym.environments.android_like.state import Frame

__all__ = ["APPS", "App"]

App: TypeAlias = Callable[[Handset, Frame], Screen]

APPS: Mapping[str, App] = {
    "clock": clock.show,
    "contacts": contacts.show,
    "messages": messages.show,
    "notes": notes.show,
    "to-do": todo.show,
    "settings": settings.show,
}
"""By the names on their tiles, in their order."""
