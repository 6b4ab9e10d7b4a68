"""What the tests of swe share: bugs tried out on cases, each in a process of its own, without a container."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from agentgym.environments.swe import driver
from agentgym.environments.swe.cases import cases_of
from agentgym.environments.swe.grading import answers_of, failed_in

__all__ = ["failing", "given"]


def given(text: str, module: str, folder: Path, *, seconds: float = 10.0) -> str:
    """What the driver says of the cases of ``module`` on a module of that text."""
    (folder / "tried.py").write_text(text)
    cases = [case.calls for case in cases_of(module)]
    request = json.dumps({"root": str(folder), "module": "tried", "cases": cases, "seconds": seconds})
    command = [sys.executable, "-I", "-S", driver.__file__]
    return subprocess.run(command, input=request, capture_output=True, text=True, check=True).stdout


def failing(text: str, module: str, folder: Path, *, seconds: float = 10.0) -> list[int] | None:
    """The cases that fail on a module of that text; None where one does not come to an end."""
    said = given(text, module, folder, seconds=seconds)
    if any(values is None for _, values in map(json.loads, said.splitlines())):
        return None
    return failed_in(answers_of(module), said)
