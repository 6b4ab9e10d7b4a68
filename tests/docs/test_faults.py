"""The table of faults has every row, and names only tests and mutations that there are, each once."""

from __future__ import annotations

import ast
import functools
import re
from typing import NamedTuple

import pytest

from tests.kit import ROOT
from tests.mutants.mutant import tables

PAGE = (ROOT / "docs" / "faults.md").read_text(encoding="utf-8")
NUM_ROWS = 40


class Row(NamedTuple):
    """A line of the table."""

    number: str
    fault: str
    happens: str
    tests: list[str]
    mutations: list[str]
    short: str


def row_of(line: str) -> Row:
    number, fault, happens, tests, mutations, short = (cell.strip() for cell in line.strip().strip("|").split("|"))
    return Row(number, fault, happens, re.findall("`([^`]+)`", tests), re.findall("`([^`]+)`", mutations), short)


ROWS = [row_of(line) for line in PAGE.splitlines() if line.startswith("| F")]


@functools.cache
def names_in(file: str) -> frozenset[str]:
    """Names of the test functions of a file, which is not imported."""
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    return frozenset(node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def problems(rows: list[Row]) -> list[str]:
    """What is wrong with the table."""
    known = {f"{module.file}: {mutation.name}" for module in tables() for mutation in module.mutations}
    told, seen = [], dict[str, str]()
    if [row.number for row in rows] != [f"F{number}" for number in range(1, NUM_ROWS + 1)]:
        told.append(f"rows are {[row.number for row in rows]}")
    for row in rows:
        if not (row.fault and row.happens):
            told.append(f"{row.number} says nothing")
        if not (row.tests and row.mutations) and not row.short:
            told.append(f"{row.number} has no test, or none that a mutation makes fail, and does not say why")
        for test in row.tests:
            file, _, name = test.partition("::")
            if not (ROOT / file).is_file() or name not in names_in(file):
                told.append(f"{row.number}: there is no {test}")
            if test in seen:
                told.append(f"{row.number}: {test} stands in {seen[test]} already")
            seen[test] = row.number
        told += [f"{row.number}: there is no mutation {each}" for each in row.mutations if each not in known]
    return told


def test_the_table_is_whole() -> None:
    assert problems(ROWS) == []


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"number": "F8"}, "rows are"),
        ({"fault": ""}, "F7 says nothing"),
        ({"tests": [], "short": ""}, "F7 has no test"),
        ({"mutations": [], "short": ""}, "F7 has no test"),
        ({"tests": ["tests/docs/test_faults.py::test_nothing"]}, "there is no tests/docs/test_faults.py::test_nothing"),
        ({"tests": ["tests/docs/nowhere.py::test_a"]}, "there is no tests/docs/nowhere.py::test_a"),
        ({"tests": ROWS[0].tests}, "stands in F1 already"),
        ({"mutations": ["agentgym/env.py: it is all wrong"]}, "there is no mutation agentgym/env.py: it is all wrong"),
    ],
)
def test_what_is_wrong_with_it_is_found(changes: dict[str, object], told: str) -> None:
    changed = [*ROWS[:6], ROWS[6]._replace(**changes), *ROWS[7:]]  # type: ignore[arg-type]
    assert any(told in problem for problem in problems(changed))
