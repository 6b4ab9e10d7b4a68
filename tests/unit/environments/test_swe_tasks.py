"""Modules, bugs, slices, tasks: by values worked out by hand, and as properties of many draws."""

from __future__ import annotations

import ast
import time

import pytest

from agentgym.environments._options import Split
from agentgym.environments.swe.bugs import source_of, split_of
from agentgym.environments.swe.cases import CASES_OF_ALL, cases_of, complaints_of
from agentgym.environments.swe.driver import values_of
from agentgym.environments.swe.grading import answers_of
from agentgym.environments.swe.library import changes, days, graphs, intervals, matrices, money, tokens, versions
from agentgym.environments.swe.mutators import bugs_in
from agentgym.environments.swe.slicing import needed_by, sliced
from agentgym.environments.swe.tasks import LEVELS, Level, task_of

SMALL = '''"""Small."""

from __future__ import annotations

import math

LIMIT = 3


def root(x: int) -> int:
    return math.isqrt(x)


def low(a: int, b: int = 2) -> bool:
    if a < 0:
        raise ValueError("below")
    return a <= b


def add(a: int, seen: list[int] | None = None) -> list[int]:
    if seen is None:
        seen = []
    seen.append(max(a, LIMIT))
    return seen
'''


def kinds(key: str) -> str:
    return key.rpartition("-")[0]


def test_bugs_are_small_changes_of_their_kind() -> None:
    found = {bug.key: bug.put_into(SMALL) for bug in bugs_in(SMALL)}
    assert "    if a <= 0:" in found["bound-0"]
    assert "    return a < b" in found["bound-1"]
    assert "    if a > 0:" in found["reversed-0"]
    assert "    return a >= b" in found["reversed-1"]
    assert "b: int = 1" in found["default-0"]
    assert "if a < 0" not in found["guard-0"]
    assert "raise" not in found["guard-0"]
    assert "seen: list[int] | None = []" in found["mutable-0"]
    assert "is None" not in found["mutable-0"]
    assert "max(LIMIT" not in SMALL
    assert "max(LIMIT, a)" in found["swapped-0"]
    assert "min(a, LIMIT)" in found["twin-0"]
    assert "    seen.append(max(a, LIMIT))\n" not in found["step-0"]
    assert "    math.isqrt(x)" in found["result-0"]
    assert {bug.function for bug in bugs_in(SMALL)} == {"root", "low", "add"}
    for text in found.values():
        ast.parse(text)


def test_what_a_function_needs_and_nothing_else() -> None:
    assert needed_by(SMALL, "add") == {"add", "LIMIT"}
    assert needed_by(SMALL, "root") == {"root", "math"}
    cut = sliced(SMALL, needed_by(SMALL, "root"))
    assert "import math" in cut
    assert "LIMIT" not in cut
    assert "low" not in cut
    ast.parse(cut)
    assert needed_by("A = 1\ndef b(): return A\ndef c(): return b()\ndef d(): return 2\n", "c") == {"A", "b", "c"}
    assert needed_by(source_of("stock"), "ship") == {"Store"}


def test_the_library_is_right() -> None:
    assert intervals.gaps([[3, 4], [7, 8]], 1, 10) == [[1, 2], [5, 6], [9, 10]]
    assert graphs.ordered({"shirt": ["tie"], "tie": ["jacket"], "belt": ["jacket"]}) == [
        "belt",
        "shirt",
        "tie",
        "jacket",
    ]
    assert money.change(87, [1, 5, 10, 25, 50]) == [50, 25, 10, 1, 1]
    assert money.shown(-250) == "-2.50"
    assert days.between([2024, 1, 1], [2024, 3, 1]) == 60
    assert days.ordinal(2024, 12, 31) == 366
    assert matrices.determinant([[2, 0, 1], [1, 3, 2], [1, 1, 1]]) == 0
    assert matrices.power([[1, 1], [1, 0]], 5) == [[8, 5], [5, 3]]
    assert tokens.evaluate("2 * (3 + 4) - 10 / 5") == 12
    assert versions.compare("1.0.0-rc1", "1.0.0") == -1
    assert changes.distance("kitten", "sitting") == 3


def test_cases_are_read_and_answered() -> None:
    [case] = [case for case in cases_of("caching") if case.text.startswith("Cache(1)")]
    assert case.calls[:2] == (["Cache", 1], ["put", "a", 1])
    assert answers_of("caching")[cases_of("caching").index(case)] == '[null, null, "a", 0, 2]'
    assert answers_of("intervals")[7] == '[{"raises": "ValueError"}]'


@pytest.mark.parametrize("module", CASES_OF_ALL)
def test_every_function_has_cases_and_a_complaint_and_is_plain_text(module: str) -> None:
    text = source_of(module)
    assert text.isascii()
    functions = {bug.function for bug in bugs_in(text)}
    assert functions <= complaints_of(module).keys()
    tried = {call[0] for case in cases_of(module) for call in case.calls}
    assert {name for name in functions if not name.startswith("_")} <= tried
    assert len({case.text for case in cases_of(module)}) == len(cases_of(module))


def test_values_are_those_of_json_and_an_error_ends_them() -> None:
    class Module:
        @staticmethod
        def pair() -> object:
            return (1, True)

        @staticmethod
        def bad() -> object:
            return {1, 2}

    assert values_of(Module, [["pair"], ["bad"], ["pair"]]) == [[1, True], {"raises": "TypeError"}]
    assert values_of(Module, [["missing"]]) == [{"raises": "AttributeError"}]


@pytest.mark.parametrize("level", LEVELS)
def test_tasks_repeat_can_be_repaired_and_are_drawn_fast(level: Level) -> None:
    task_of(0, "train", level, 0)
    begun = time.process_time()
    for number in range(1, 41):
        task = task_of(number, "train", level, 0)
        assert task.num_failing >= 2
        for repair in task.repairs:
            text = task.files[repair.path]
            assert text.count(repair.old) == 1
            right = text.replace(repair.old, repair.new)
            module = repair.path.removeprefix(task.source).removesuffix(".py")
            if level != "s1":
                assert right == source_of(module)
            ast.parse(right)
    assert (time.process_time() - begun) / 40 < 0.3
    again = task_of.__wrapped__(7, "train", level, 0)
    assert again == task_of(7, "train", level, 0)
    assert again != task_of(7, "train", level, 1)


def test_issues_tell_less_from_level_to_level() -> None:
    for number in range(20):
        for level in ("s1", "s2", "s3", "s4"):
            task = task_of(number, "train", level, 0)
            path = task.repairs[0].path
            name = path.removeprefix(task.source)
            assert (path in task.issue) == (level == "s1")
            assert (name in task.issue) == (level == "s1")
            assert task.issue.startswith("In some cases ") == (level in ("s3", "s4"))
            assert len(task.repairs) == len(task.issue.split(" Also: ")) == (2 if level == "s4" else 1)
            assert len(task.trials) == {"s1": 1, "s2": 2, "s3": 4, "s4": 6}[level]


def test_the_answer_is_nowhere_in_the_repository() -> None:
    for number in range(20):
        for level in ("s1", "s4"):
            task = task_of(number, "test", level, 0)
            for repair in task.repairs:
                whole = task.files[repair.path].replace(repair.old, repair.new)
                assert whole not in task.files.values()


def test_a_bug_of_one_split_is_in_no_other() -> None:
    def bugs(split: Split, numbers: range) -> set[tuple[str, str]]:
        return {
            (repair.path.partition("/")[2], repair.old)
            for n in numbers
            for repair in task_of(n, split, "s2", 0).repairs
        }

    train, test = bugs("train", range(200)), bugs("test", range(200))
    assert len(train) > 60
    assert train & test == set()
    assert split_of("money", "bound-0") == split_of("money", "bound-0")
