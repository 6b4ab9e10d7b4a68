"""The table of mutations stays true to the files: every text it would replace is there, once."""

from __future__ import annotations

import ast

import pytest

from tests.mutants.mutant import ROOT, Module, Mutation, mutated, tables
from tests.mutations import main

MODULES = tables()


@pytest.mark.parametrize("module", MODULES, ids=[module.file for module in MODULES])
def test_each_text_occurs_once_and_changes(module: Module) -> None:
    original = (ROOT / module.file).read_text()
    times = {row.name: original.count(row.old) for row in module.mutations}
    assert {name: num for name, num in times.items() if num != 1} == {}
    assert [row.name for row in module.mutations if mutated(original, module, row) == original] == []


def test_what_is_left_without_a_line_is_still_a_program() -> None:
    for module in MODULES:
        for row in module.mutations:
            if not row.new.strip() and row.old.endswith("\n"):
                ast.parse(mutated((ROOT / module.file).read_text(), module, row), row.name)


def test_names_are_unique_and_tests_exist() -> None:
    for module in MODULES:
        names = [mutation.name for mutation in module.mutations]
        assert len(names) == len(set(names)), module.file
        assert all((ROOT / test.partition("::")[0]).is_file() for test in module.tests)


def test_a_text_that_is_not_there_is_refused() -> None:
    module = MODULES[0]
    with pytest.raises(ValueError, match="must occur once, found 0 times"):
        mutated("a = 1\n", module, Mutation("gone", "b = 1", "b = 2"))
    with pytest.raises(ValueError, match="must occur once, found 2 times"):
        mutated("a = 1\na = 1\n", module, Mutation("twice", "a = 1", "a = 2"))


def test_a_choice_of_nothing_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--only", "no such mutation"])
    assert "no mutation has 'no such mutation'" in capsys.readouterr().err
