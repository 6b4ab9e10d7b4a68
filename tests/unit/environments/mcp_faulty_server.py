"""The demonstration server with a fault, named by the first argument; run by tests of what is then said."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[3] / "environments" / "mcp"
SPEC = importlib.util.spec_from_file_location("demo_server", FOLDER / "demo_server.py")
assert SPEC is not None
assert SPEC.loader is not None
server: Any = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(server)
works = server.called


ANSWERS: dict[str, dict[str, Any]] = {
    "lies": {"content": 7},
    "refuses": {"content": [{"type": "text", "text": "not today"}], "isError": True},
    "draws": {"content": [{"type": "image", "data": "AAAA", "mimeType": "image/png"}]},
    "structures": {"content": [], "structuredContent": {"notes": ["ä"]}},
    "embeds": {"content": [{"type": "resource", "resource": {"uri": "note://1", "text": "the secret is 42"}}]},
    "links": {"content": [{"type": "resource_link", "uri": "file:///a.txt", "name": "a.txt"}]},
    "sends a zip": {"content": [{"type": "zip", "mimeType": "application/zip", "data": "UEsD"}]},
    "promises more": {"content": [{"type": "text", "text": "21 degrees"}], "structuredContent": {"t": "21"}},
}


def called(desk: Any, name: Any, arguments: dict[str, Any]) -> dict[str, Any]:
    """A desk whose list of notes is broken."""
    fault = sys.argv[1]
    if name == "list_notes" and fault in ANSWERS:
        return ANSWERS[fault]
    if name == "list_notes":
        match fault:
            case "dies":
                print("out of memory", file=sys.stderr, flush=True)
                os._exit(1)
            case "hangs":
                time.sleep(60)
            case "mumbles":
                print("{no json", flush=True)
                os._exit(1)
            case "shouts":
                print("x" * 1_000_000, "at last", file=sys.stderr, flush=True)
                os._exit(1)
            case "has variables":
                return {"content": [{"type": "text", "text": f"{os.environ.get('MY_KEY')} {os.environ.get('OTHER')}"}]}
            case "grows":
                server.TOOLS["shrink"] = ("Shrink.", {})
                print('{"jsonrpc": "2.0", "method": "notifications/tools/list_changed"}', flush=True)
    result: dict[str, Any] = works(desk, name, arguments)
    return result


def main() -> None:
    match sys.argv[1]:
        case "crashes":
            raise ValueError("no database")
        case "is silent":
            sys.stdin.read()
            sys.exit()
        case "has no schema":
            server.TOOLS["add"] = ("Add.", {"a": {"type": "nummer"}})
        case "loops":
            loop = {"anyOf": [{"$ref": "#/properties/title"}, {"type": "string"}]}
            server.TOOLS["read_note"] = ("Read.", {"title": loop})
        case "promises more":
            promise = {"type": "object", "properties": {"t": {"type": "number"}}, "required": ["t"]}
            works_so = server.listed
            server.listed = lambda: [{**tool, "outputSchema": promise} for tool in works_so()]
        case "has children":
            for words in (["sleep", "61"], ["setsid", "sleep", "61"]):
                subprocess.Popen(words)
        case "has no list":
            server.listed = lambda: [{"name": 7}]
        case "greets":
            print("good morning", flush=True)
    server.called = called
    server.main()


if __name__ == "__main__":  # collecting its doctests imports it
    main()
