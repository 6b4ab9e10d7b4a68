"""What the modules of ``library`` are tried with, and how people who use them say that one of them errs.

Of a module's cases a line is one; its calls are separated by semicolons. A class is made by the first call, and the
others are its methods. Only what goes in stands here: what must come out is what the module gives as it stands in
``library``. A complaint is told in words of behavior, by the function that errs.
"""

from __future__ import annotations

import ast
import functools
import importlib
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

__all__ = ["CASES_OF_ALL", "Call", "Case", "cases_of", "complaints_of"]

CASES_OF_ALL = tuple(sorted(file.stem for file in Path(__file__).parent.glob("[a-z]*.py")))
"""The modules that there are cases of: all."""

Call: TypeAlias = list[Any]
"""A name and the values that go in."""


class Case(NamedTuple):
    """One line."""

    text: str
    calls: tuple[Call, ...]


@functools.cache
def cases_of(module: str) -> tuple[Case, ...]:
    """The cases of a module, in order."""
    lines = str(_of(module).CASES).strip().split("\n")
    return tuple(Case(line, tuple(_call(part) for part in ast.parse(line).body)) for line in lines)


def complaints_of(module: str) -> dict[str, str]:
    """What is said when a function of a module errs, by its name."""
    return dict(_of(module).COMPLAINTS)


def _of(module: str) -> Any:
    return importlib.import_module(f"{__name__}.{module}")


def _call(statement: ast.stmt) -> Call:
    assert isinstance(statement, ast.Expr)
    assert isinstance(statement.value, ast.Call)
    assert isinstance(statement.value.func, ast.Name)
    return [statement.value.func.id, *(ast.literal_eval(argument) for argument in statement.value.args)]
