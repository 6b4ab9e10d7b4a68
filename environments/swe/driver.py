"""Runs cases on a module and says what came out: the one program of ours that the code under test runs beside.

It knows what goes in and never what should come out. Whoever compares sits elsewhere, so there is nothing here that
could be forged: a module can only say what its functions give. Each case has a process of its own, with a time limit.

A request is JSON on the standard input, ``{"root", "module", "cases", "seconds"}``; for each case one line of JSON
comes back, ``[number, values]``, or null for values that did not come. Standard library alone: its text is copied to
where it runs.
"""

from __future__ import annotations

import importlib
import json
import os
import resource
import select
import signal
import sys
import time
from collections.abc import Sequence
from typing import Any

MOST = 100_000
"""Bytes that the values of a case may have."""
MEMORY = 1 << 29
MOST_HUNG = 2
"""Cases that may give nothing before the others are left out: each costs its whole time."""


def values_of(module: Any, calls: Sequence[Sequence[Any]]) -> list[Any]:
    """What the calls of a case give, as JSON has it; an error ends them and is told by its name."""
    made, found = None, []
    try:
        for name, *arguments in json.loads(json.dumps(calls)):
            result = getattr(module if made is None else made, name)(*arguments)
            if made is None and name[0].isupper():
                made, result = result, None
            found.append(json.loads(json.dumps(result, allow_nan=False)))
    except Exception as error:
        found.append({"raises": type(error).__name__})
    return found


def in_process(root: str, module: str, calls: Sequence[Sequence[Any]], seconds: float) -> Any:
    """The values of a case from a process of its own, None where none came in time."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        _run(root, module, calls, writer)
    os.close(writer)
    try:
        return _read(reader, time.monotonic() + seconds)
    finally:
        os.close(reader)
        os.killpg(child, signal.SIGKILL) if _leads(child) else os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def _leads(child: int) -> bool:
    """Whether the process is the first of a group yet."""
    return os.getpgid(child) == child


def _run(root: str, module: str, calls: Sequence[Sequence[Any]], writer: int) -> None:
    try:
        os.setpgid(0, 0)
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        quiet = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(quiet, stream)
        sys.path.insert(0, os.path.abspath(root))
        text = json.dumps(values_of(importlib.import_module(module), calls))
        os.write(writer, text.encode())
    finally:
        os._exit(0)


def _read(reader: int, end: float) -> Any:
    found = b""
    while len(found) <= MOST and select.select([reader], [], [], max(end - time.monotonic(), 0))[0]:
        part = os.read(reader, MOST)
        if not part:
            break
        found += part
    try:
        return json.loads(found)
    except ValueError:
        return None


def main() -> None:
    """Answer the request."""
    request = json.loads(sys.stdin.readline())
    sys.dont_write_bytecode = True
    hung = 0
    for number, calls in enumerate(request["cases"]):
        if hung == MOST_HUNG:
            return
        found = in_process(request["root"], request["module"], calls, request["seconds"])
        hung += found is None
        sys.stdout.write(json.dumps([number, found]) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
