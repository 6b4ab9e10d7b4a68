"""The demonstration server with a fault, named by the first argument; run by tests of what is then said."""

from __future__ import annotations

import importlib.util
import os
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


def called(desk: Any, name: Any, arguments: dict[str, Any]) -> dict[str, Any]:
    """A desk whose list of notes is broken."""
    if name == "list_notes":
        match sys.argv[1]:
            case "dies":
                print("out of memory", file=sys.stderr, flush=True)
                os._exit(1)
            case "hangs":
                time.sleep(60)
            case "mumbles":
                print("{no json", flush=True)
                os._exit(1)
            case "lies":
                return {"content": 7}
            case "refuses":
                return {"content": [{"type": "text", "text": "not today"}], "isError": True}
            case "draws":
                return {"content": [{"type": "image", "data": "AAAA", "mimeType": "image/png"}]}
            case "structures":
                return {"content": [], "structuredContent": {"notes": ["ä"]}}
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
        case "has no list":
            server.listed = lambda: [{"name": 7}]
        case "greets":
            print("good morning", flush=True)
    server.called = called
    server.main()


if __name__ == "__main__":  # collecting its doctests imports it
    main()
