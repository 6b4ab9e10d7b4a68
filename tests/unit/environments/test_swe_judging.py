"""What is taken of an agent's files, and how what a module says is judged: pure, and on hand-made trees."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, strategies

from agentgym.environments.swe.artifact import RefusedError, artifact_of, checkout
from agentgym.environments.swe.bugs import source_of
from agentgym.environments.swe.grading import failed_in, gain
from agentgym.environments.swe.judge import Verdict, _concerned, unchanged
from agentgym.environments.swe.tasks import task_of
from agentgym.sandbox import Entry, Files
from tests.unit.environments import swe_kit

ANSWERS = ("[1]", "[true]", '["a"]')


def said(*lines: object) -> str:
    return "".join(json.dumps(line) + "\n" for line in lines)


def test_values_are_compared_with_their_types() -> None:
    assert failed_in(ANSWERS, said([0, [1]], [1, [True]], [2, ["a"]])) == []
    assert failed_in(ANSWERS, said([0, [True]], [1, [1]], [2, ["b"]])) == [0, 1, 2]
    assert failed_in(ANSWERS, said([0, [1.0]], [1, [True]], [2, ["a", "a"]])) == [0, 2]


def test_what_is_missing_or_told_twice_fails() -> None:
    assert failed_in(ANSWERS, "") == [0, 1, 2]
    assert failed_in(ANSWERS, said([0, [1]], [0, [2]], [1, [True]], [2, None])) == [0, 2]
    assert failed_in(ANSWERS, said([0, [2]], [0, [1]], [1, [True]], [2, ["a"]])) == [0]
    assert failed_in(ANSWERS, said([0, [1]], [0, [1]], [1, [True]], [2, ["a"]])) == []
    assert failed_in(ANSWERS, said([True, [True]], [9, [1]], [-1, ["a"]], {"0": [1]}, "PASSED", 7)) == [0, 1, 2]
    assert failed_in(ANSWERS, "[" * 100_000 + "\n0 tests fail\n" + said([0, [1]])) == [1, 2]


@given(strategies.text())
def test_no_text_makes_it_raise_or_pass(text: str) -> None:
    assert failed_in(("[12345678901]",), text) == [0]


def test_the_gain_is_of_what_failed() -> None:
    assert [gain(4, after) for after in (0, 1, 4, 9)] == [1.0, 0.75, 0.0, 0.0]
    assert Verdict(4, 2, 10).passed == 0.8


def files(contents: dict[str, bytes], *others: Entry) -> Files:
    made = Files.of(contents)
    return Files(tuple(sorted((*made.entries, *others))), made.contents)


def test_only_python_text_of_the_source_is_taken() -> None:
    left_out = ("c.txt", "conftest.py", "sitecustomize.py", "usercustomize.py", "d.pth", "pytest.ini", "a.pyc")
    tree = files(
        {
            "/repo/pkg/a.py": b"a",
            "/repo/pkg/deep/b.py": b"b",
            **{f"/repo/pkg/{name}": b"x" for name in (*left_out, ".hidden.py", "__pycache__/a.py")},
            **dict.fromkeys(("/repo/tests/test_a.py", "/repo/a.py", "/repo/pkgs/a.py", "/tmp/pkg/a.py"), b"x"),
        },
        Entry("/repo/pkg/link.py", "l", 0o777, 0, False, "/etc/passwd"),
        Entry("/repo/pkg/pipe.py", "p", 0o644, 0, False, ""),
        Entry("/repo/pkg/folder.py", "d", 0o755, 0, False, ""),
    )
    assert artifact_of(tree, "/repo", "pkg/") == {"pkg/a.py": b"a", "pkg/deep/b.py": b"b"}


def test_too_much_is_refused() -> None:
    with pytest.raises(RefusedError, match="65 files in pkg/, expected 64 at most"):
        artifact_of(files({f"/repo/pkg/a{n}.py": b"" for n in range(65)}), "/repo", "pkg/")
    assert len(artifact_of(files({f"/repo/pkg/a{n}.py": b"" for n in range(64)}), "/repo", "pkg/")) == 64
    with pytest.raises(RefusedError, match="1048577 bytes in pkg/"):
        artifact_of(files({"/repo/pkg/a.py": bytes((1 << 20) + 1)}), "/repo", "pkg/")


def test_all_else_is_clean() -> None:
    clean = {"pkg/a.py": "old", "pkg/b.py": "b", "tests/test_a.py": "test"}
    assert checkout(clean, "pkg/", {"pkg/a.py": b"new"}) == {"pkg/a.py": b"new", "tests/test_a.py": b"test"}


def test_what_cannot_have_changed_is_not_run_again() -> None:
    task = task_of(3, "train", "s4", 0)
    own = {path: text.encode() for path, text in task.files.items() if path.startswith(task.source)}
    broken = [trial.module for trial in task.trials if trial.failing]
    other = next(trial.module for trial in task.trials if not trial.failing)
    assert [trial.module for trial in _concerned(task, own)] == broken
    changed = {**own, f"{task.source}{other}.py": b""}
    assert {trial.module for trial in _concerned(task, changed)} == {*broken, other}
    assert _concerned(task, {**own, f"{task.source}__init__.py": b"x = 1"}) == list(task.trials)
    assert unchanged(task) == Verdict(
        task.num_failing, task.num_failing, sum(len(trial.numbers) for trial in task.trials)
    )


def test_a_case_that_hangs_costs_its_time_and_the_rest_after_two(tmp_path: Path) -> None:
    text = source_of("money").replace("    text = text.strip()\n", "    while True:\n        pass\n")
    lines = swe_kit.given(text, "money", tmp_path, seconds=0.3).splitlines()
    assert [json.loads(line) for line in lines] == [[0, None], [1, None]]
