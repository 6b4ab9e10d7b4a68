"""One phone in use: what is on top, and what a tap, a word or a button of its bar does.

What does not fit changes nothing and is told. Screens are stacked: Back closes the one on top and with it what was
typed there, Home closes all.
"""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

from agentgym.environments.android_like.apps import APPS
from agentgym.environments.android_like.handset import Handset
from agentgym.environments.android_like.screens import Node, Screen

__all__ = ["LONGEST", "Command", "Phone"]

LONGEST = 60
"""Characters that a field takes."""


class Command(NamedTuple):
    """What can be done: "tap", "fill", "back", "home" or "end"."""

    verb: str
    target: str = ""
    text: str = ""


class Phone(Handset):
    """A state, and the screens that it shows."""

    # -- what there is to see ------------------------------------------------------------------------

    @property
    def screens(self) -> list[Screen]:
        """What is seen, from below: a screen, and the dialog that may lie over it."""
        shown: list[Screen] = []
        for frame in reversed(self.state.stack):
            shown.insert(0, APPS[frame.app](self, frame))
            if not shown[0].is_dialog:
                return shown
        return [_home(self), *shown]

    @property
    def screen(self) -> Screen:
        """The one on top."""
        return self.screens[-1]

    @property
    def is_over(self) -> bool:
        """Whether the end was said."""
        return self.state.answer is not None

    # -- what can be done ----------------------------------------------------------------------------

    def obey(self, command: Command) -> str | None:
        """Do it. Returns what was wrong, in which case nothing has changed."""
        if self.is_over:
            return "the episode is over"
        match command.verb:
            case "tap":
                return self._tap(command.target)
            case "fill":
                return self._fill(command.target, command.text)
            case "end":
                self.state.answer = " ".join(command.text.split())
            case "back" if self.state.stack:
                self.close()
            case "home":
                self.state.stack = []
        return None

    def _tap(self, id: str) -> str | None:
        node = self.screen.find(id)
        if node is None:
            return "there is no such thing on this screen"
        return node.does() if node.does is not None else None

    def _fill(self, id: str, value: str) -> str | None:
        node = self.screen.find(id)
        if node is None or node.kind != "field":
            return "there is no such field on this screen"
        if len(value) > LONGEST:
            return f"a field takes {LONGEST} characters"
        if value != node.value:
            self.state.stack[-1].draft[id] = value
        return None


def _home(phone: Phone) -> Screen:
    def opens(app: str) -> Node:
        return Node("tile", app, id=app, does=partial(phone.open, app))

    return Screen("home", tuple(map(opens, APPS)))
