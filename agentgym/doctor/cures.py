"""Checks that know what mends what they find."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Literal

from agentgym.doctor.report import Finding
from agentgym.errors import AgentGymError

__all__ = ["Ill", "Note", "examined"]


class Note(str):
    """What is to be known and breaks nothing, and what to type if it is to be otherwise."""

    cure: str

    def __new__(cls, detail: str, cure: str = "") -> Note:
        self = super().__new__(cls, detail)
        self.cure = cure
        return self


class Ill(AgentGymError):
    """What is wrong, and what to type to mend it."""

    def __init__(self, detail: str, cure: str) -> None:
        super().__init__(detail)
        self.cure = cure


def examined(name: str, check: Callable[[], str]) -> Finding:
    """The finding of a check that says what it saw, a ``Note`` among it, or raises ``Ill``."""
    started, status, cure = time.perf_counter(), "pass", ""
    try:
        detail = check()
        if isinstance(detail, Note):
            status, cure = "info", detail.cure
    except Ill as ill:
        detail, status, cure = str(ill), "FAIL", ill.cure
    except Exception as error:  # a check that breaks says so, and the others are made all the same
        detail, status = f"{type(error).__name__}: {error}", "FAIL"
    took = round(time.perf_counter() - started, 2)
    kind: Literal["pass", "info", "FAIL"] = "FAIL" if status == "FAIL" else "info" if status == "info" else "pass"
    return Finding(name=name, status=kind, detail=str(detail), seconds=took, cure=cure)
