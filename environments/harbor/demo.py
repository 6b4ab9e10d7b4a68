"""Small tasks in Harbor's form, written into a temporary folder: what is played where no directory is named."""

from __future__ import annotations

import atexit
import contextlib
import functools
from pathlib import Path

from agentgym.sandbox.images import ensure
from agentgym.scratch import scratch

__all__ = ["demo_dataset"]

_WORDS = {
    "letters": ("abc", "the letters a, b and c"),
    "seven": ("7", "the number 7"),
    "hello": ("hello", "the word hello"),
    "empty-room": ("room", "the word room"),
    "north": ("north", "the word north"),
}

_TOML = """schema_version = "1.1"

[task]
name = "agentgym/{id}"

[verifier]
timeout_sec = 60.0

[agent]
timeout_sec = 60.0

[environment]
memory_mb = 512
allow_internet = false
"""

_TEST = """#!/bin/bash
if [ "$(cat /app/{id}.txt 2>/dev/null)" = "{word}" ]; then reward=1; else reward=0; fi
echo $reward > /logs/verifier/reward.txt
"""


@functools.cache
def demo_dataset() -> Path:
    """The folder, which goes with the process."""
    held = contextlib.ExitStack()
    atexit.register(held.close)
    folder = held.enter_context(scratch())
    for id, (word, told) in _WORDS.items():
        _write(folder / id, "task.toml", _TOML.format(id=id))
        _write(folder / id, "instruction.md", f"Write {told} into the file {id}.txt of the working directory.\n")
        _write(folder / id, "environment/Dockerfile", f"FROM {ensure()}\nWORKDIR /app\n")
        _write(folder / id, "tests/test.sh", _TEST.format(id=id, word=word))
        _write(folder / id, "solution/solve.sh", f"#!/bin/bash\necho {word} > /app/{id}.txt\n")
    return folder


def _write(folder: Path, path: str, text: str) -> None:
    file = folder / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
