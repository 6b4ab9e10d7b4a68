"""What must come out of the cases, and how what did come out is judged.

The answers are those of the module as it stands in ``library``, which is run here; they never go where the code under
test runs. What comes back from there is text that anybody may have written: it counts only by the values that it has.
"""

from __future__ import annotations

import functools
import importlib
import json
from collections.abc import Sequence
from typing import Any

from agentgym.environments.swe.cases import cases_of
from agentgym.environments.swe.driver import values_of

__all__ = ["answers_of", "failed_in", "gain"]

LIBRARY = "agentgym.environments.swe.library"


@functools.cache
def answers_of(module: str) -> tuple[str, ...]:
    """What must come out of each case of a module, as JSON."""
    right = importlib.import_module(f"{LIBRARY}.{module}")
    return tuple(_written(values_of(right, case.calls)) for case in cases_of(module))


def failed_in(answers: Sequence[str], said: str) -> list[int]:
    """Numbers of the cases whose values, told in lines of JSON, are missing or wrong.

    Of a case that is told twice both must be right.
    """
    told: dict[int, set[str]] = {}
    for line in said.splitlines():
        number, values = _read(line)
        if number in range(len(answers)):
            told.setdefault(number, set()).add(values)
    return [number for number, answer in enumerate(answers) if told.get(number) != {answer}]


def gain(before: int, after: int) -> float:
    """The share of the failing tests that was won, from how many failed ``before`` and fail ``after``; 0 at least."""
    return max(before - after, 0) / before


def _read(line: str) -> tuple[int, str]:
    try:
        number, values = json.loads(line)
        return (number if type(number) is int else -1), _written(values)
    except (ValueError, TypeError, RecursionError):
        return -1, ""


def _written(values: Any) -> str:
    return json.dumps(values, sort_keys=True)
