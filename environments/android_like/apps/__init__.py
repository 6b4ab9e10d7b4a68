"""The apps: each a function from a frame to the screen that it shows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, TypeAlias

from agentgym.environments.android_like.apps import clock, contacts, messages, notes, settings, todo
from agentgym.environments.android_like.screens import Screen
from agentgym.environments.android_like.state import Frame

if TYPE_CHECKING:
    from agentgym.environments.android_like.phone import Phone

__all__ = ["APPS", "App"]

App: TypeAlias = "Callable[[Phone, Frame], Screen]"

APPS: Mapping[str, App] = {
    "clock": clock.show,
    "contacts": contacts.show,
    "messages": messages.show,
    "notes": notes.show,
    "to-do": todo.show,
    "settings": settings.show,
}
"""By the names on their tiles, in their order."""
