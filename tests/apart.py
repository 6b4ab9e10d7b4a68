"""Programs that must not know of each other: each in a fork of one process, which has imported what all need."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from collections.abc import Iterable
from pathlib import Path

from tests.kit import ROOT

__all__ = ["apart"]

_FORKED = """
if not os.fork():
{program}
    sys.stdout.flush()
    os._exit(0)
assert os.wait()[1] == 0
print(end="\\0", flush=True)
"""


def apart(imports: str, programs: Iterable[str], directory: Path = ROOT) -> list[str]:
    """What each program prints. Raises AssertionError with what went wrong where one fails."""
    forked = [_FORKED.format(program=textwrap.indent(program, "    ")) for program in programs]
    done = subprocess.run(
        [sys.executable, "-c", "".join([f"import os, sys\n{imports}\n", *forked])], cwd=directory, check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr, done.stderr
    return done.stdout.split("\0")[:-1]
