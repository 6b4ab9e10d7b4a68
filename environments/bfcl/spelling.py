"""Calls of a policy that cannot write capitals or keep blanks, as the nano policy cannot.

A name is taken for the only one that differs from it in case alone, a text for what was shown (``_spelling``).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from agentgym.environments._spelling import Spelling
from agentgym.environments.bfcl.calls import Call
from agentgym.environments.bfcl.toolbox import Tool

__all__ = ["as_shown"]


def as_shown(call: Call, tools: Iterable[Tool], shown: str) -> Call:
    """The call with names as the tools have them, and texts as ``shown`` has them."""
    tool = {tool.name.lower(): tool for tool in tools}.get(call.name.lower())
    if tool is None:
        return call
    names = {name.lower(): name for name in tool.parameters.parameters}
    spelling = Spelling(shown)
    arguments = {names.get(name.lower(), name): _spelled(value, spelling) for name, value in call.arguments.items()}
    return Call(tool.name, arguments, tuple(_spelled(value, spelling) for value in call.positional))


def _spelled(value: Any, spelling: Spelling) -> Any:
    if isinstance(value, list):
        return [_spelled(item, spelling) for item in value]
    if isinstance(value, dict):
        return {name: _spelled(item, spelling) for name, item in value.items()}
    return spelling.of(value) if isinstance(value, str) else value
