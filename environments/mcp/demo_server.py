"""A small MCP server over stdio: a desk with notes and a calculator. Standard library only, so it starts at once.

Speaks the part of the protocol that a client of tools needs (JSON-RPC 2.0, one message a line): initialize, ping,
tools/list, tools/call. ``set_notes`` and ``has_note`` are for whoever gives out tasks, not for the policy.
"""

from __future__ import annotations

import json
import sys
from typing import Any

VERSION = "2025-06-18"
"""Of the protocol, where the client names none."""

TEXT, NUMBER = {"type": "string"}, {"type": "integer"}

TOOLS: dict[str, tuple[str, dict[str, Any]]] = {
    "list_notes": ("The titles of all notes.", {}),
    "read_note": ("What a note says.", {"title": TEXT}),
    "write_note": ("Write a note, in place of an earlier one of that title.", {"title": TEXT, "text": TEXT}),
    "add": ("The sum of two numbers.", {"a": NUMBER, "b": NUMBER}),
    "subtract": ("The first number less the second.", {"a": NUMBER, "b": NUMBER}),
    "set_notes": ("Put these notes in place of all there are.", {"notes": {"type": "object"}}),
    "has_note": ("Whether a note says just this.", {"title": TEXT, "text": TEXT}),
}
READ_ONLY = {"list_notes", "read_note", "add", "subtract", "has_note"}


class Desk:
    """The notes, and the tools as methods."""

    def __init__(self) -> None:
        self.notes: dict[str, str] = {}

    def list_notes(self) -> str:
        return ", ".join(sorted(self.notes)) or "no notes"

    def read_note(self, title: str) -> str:
        if title not in self.notes:
            raise LookupError(f"there is no note {title[:40]}")
        return self.notes[title]

    def write_note(self, title: str, text: str) -> str:
        self.notes[title] = text
        return "written"

    def add(self, a: int, b: int) -> str:
        return str(a + b)

    def subtract(self, a: int, b: int) -> str:
        return str(a - b)

    def set_notes(self, notes: dict[str, str]) -> str:
        self.notes = {str(title): str(text) for title, text in notes.items()}
        return "set"

    def has_note(self, title: str, text: str) -> str:
        return json.dumps(self.notes.get(title, "").strip() == text)


def listed() -> list[dict[str, Any]]:
    """The tools in the protocol's form."""
    return [
        {
            "name": name,
            "description": about,
            "inputSchema": {
                "type": "object",
                "properties": arguments,
                "required": list(arguments),
                "additionalProperties": False,
            },
            "annotations": {"readOnlyHint": name in READ_ONLY},
        }
        for name, (about, arguments) in TOOLS.items()
    ]


def called(desk: Desk, name: Any, arguments: dict[str, Any]) -> dict[str, Any]:
    """The result of a call; what goes wrong in it is a result too."""
    try:
        if name not in TOOLS:
            raise LookupError(f"there is no tool {name!r:.40}")
        text, failed = getattr(desk, name)(**arguments), False
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        text, failed = str(error.args[0] if error.args else error), True
    return {"content": [{"type": "text", "text": text}], "isError": failed}


def answered(desk: Desk, method: str, parameters: dict[str, Any]) -> dict[str, Any] | None:
    """The result of a request; None for a method that is not known here."""
    match method:
        case "initialize":
            capabilities = {"tools": {"listChanged": False}}
            about = {"name": "desk", "version": "1"}
            version = parameters.get("protocolVersion", VERSION)
            return {"protocolVersion": version, "capabilities": capabilities, "serverInfo": about}
        case "ping":
            return {}
        case "tools/list":
            return {"tools": listed()}
        case "tools/call":
            return called(desk, parameters.get("name"), parameters.get("arguments") or {})
    return None


def main() -> None:
    """Answer requests until the input ends."""
    desk = Desk()
    for line in sys.stdin:
        message = json.loads(line)
        if "id" not in message or "method" not in message:  # a notification: nothing is said to it
            continue
        result = answered(desk, message["method"], message.get("params") or {})
        reply: dict[str, Any] = {"jsonrpc": "2.0", "id": message["id"]}
        if result is None:
            reply["error"] = {"code": -32601, "message": f"unknown method {message['method']}"}
        else:
            reply["result"] = result
        print(json.dumps(reply), flush=True)


if __name__ == "__main__":
    main()
