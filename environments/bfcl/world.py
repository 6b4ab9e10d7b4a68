"""What the tools of a task act on: fresh instances of the package's API classes, reached by an allow-list.

A call gives the text that BFCL's executor gives for it, errors included. Departs from it in safety: no call is
evaluated and only described tools can be reached; nothing is kept between episodes (there: instances in the module's
globals, and bookings on the cards of long contexts that alter the module's constants); the precision that the MathAPI
sets, for the whole process there, ends with the call; and numbers are refused that would keep it busy for hours.
"""

from __future__ import annotations

import copy
import decimal
import json
import threading
from collections.abc import Mapping
from typing import Any

from agentgym.environments.bfcl.data import Benchmark, Task

__all__ = ["World", "is_error"]

_ONE_AT_A_TIME = threading.Lock()
"""Some tools answer with one dict of their module, or set a precision for all threads: a call ends before the next."""

_MOST = {"precision": 1000, "exponent": 1000, "decimal_places": 1000}
_MOST_OF_OTHERS = 10**18
_FAILED = "Error during execution:"


class World:
    """The instances of one episode, by class name."""

    def __init__(self, benchmark: Benchmark, task: Task) -> None:
        self.benchmark = benchmark
        self.instances = {api: _instance(benchmark.classes[api], task, api) for api in task.apis}

    def call(self, name: str, arguments: Mapping[str, Any]) -> str:
        """What the tool replies, as text. The tool must be one of the task's, the arguments bound to its parameters."""
        tool = self.benchmark.tools[name]
        for key, value in arguments.items():
            most = _MOST.get(key, _MOST_OF_OTHERS)
            if isinstance(value, int | float) and abs(value) > most:
                return f"{_FAILED} {key} is too large, it may be {most:g} at most"
        method = getattr(self.instances[tool.api], name)
        # A copy, since a tool may keep and change what it is given.
        given = {
            key: copy.deepcopy(value) if isinstance(value, list | dict) else value for key, value in arguments.items()
        }
        with _ONE_AT_A_TIME, decimal.localcontext(), self.benchmark.mpmath.workdps(self.benchmark.mpmath.mp.dps):
            try:
                return _as_text(method(**given))
            except Exception as error:  # whatever a tool makes of odd arguments is its answer, as in BFCL
                return f"{_FAILED} {error}"


def _instance(cls: type, task: Task, api: str) -> Any:
    instance = cls()
    if not hasattr(instance, "_load_scenario"):
        return instance  # the MathAPI has no state
    instance._load_scenario(copy.deepcopy(task.config.get(api, {})), long_context=task.is_long)
    if task.is_long:  # the padding of long contexts belongs to the module, and a booking would alter it
        for name, value in vars(instance).items():
            if isinstance(value, dict | list):
                setattr(instance, name, copy.deepcopy(value))
    return instance


def is_error(text: str) -> bool:
    """Whether what a tool replied says that the call went wrong: in the executor's words, or under "error"."""
    if not text.startswith("{"):
        return text.startswith(_FAILED)
    try:
        return "error" in json.loads(text)
    except (ValueError, RecursionError):  # it was no JSON either when it was made text
        return False


def _as_text(result: Any) -> str:
    if isinstance(result, dict):
        try:
            return json.dumps(result)
        except (TypeError, ValueError, RecursionError):
            return str(result)  # it holds decimals, for instance
    return str(result)
