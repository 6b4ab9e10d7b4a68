"""What a policy means that cannot write capitals or keep blanks, as the nano policy cannot.

A name is taken for the only one that differs from it in case alone. A text is taken for the last place in the
conversation that differs from it in case and blanks alone: one in quotes first, then itself as it is, then any.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from agentgym.environments.bfcl.calls import Call
from agentgym.environments.bfcl.toolbox import Tool

__all__ = ["as_shown"]


def as_shown(call: Call, tools: Iterable[Tool], shown: str) -> Call:
    """The call with names as the tools have them, and texts as ``shown`` has them."""
    tool = {tool.name.lower(): tool for tool in tools}.get(call.name.lower())
    if tool is None:
        return call
    names = {name.lower(): name for name in tool.parameters.parameters}
    spelled = _Spelling(shown)
    arguments = {names.get(name.lower(), name): spelled.value(value) for name, value in call.arguments.items()}
    return Call(tool.name, arguments, tuple(map(spelled.value, call.positional)))


class _Spelling:
    def __init__(self, shown: str) -> None:
        self.shown = shown
        self.places = [i for i, character in enumerate(shown) if not character.isspace()]
        self.folded = "".join(_folded(shown[i]) for i in self.places)

    def value(self, value: Any) -> Any:
        if isinstance(value, list):
            return [self.value(item) for item in value]
        if isinstance(value, dict):
            return {name: self.value(item) for name, item in value.items()}
        return self.text(value) if isinstance(value, str) else value

    def text(self, text: str) -> str:
        wanted = "".join(_folded(character) for character in text if not character.isspace())
        if not wanted:
            return text
        quoted = max(self.folded.rfind(f"{mark}{wanted}{mark}") for mark in "\"'")
        if quoted < 0 and text in self.shown:
            return text
        start = self.folded.rfind(wanted) if quoted < 0 else quoted + 1
        return text if start < 0 else self.shown[self.places[start] : self.places[start + len(wanted) - 1] + 1]


def _folded(character: str) -> str:
    lower = character.lower()
    return lower if len(lower) == 1 else character
