"""Files of tasks for MCP servers: what is read, what is refused, and how answers and checks are judged."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from agentgym.environments.mcp.tasks import CallSpec, read_tasks, said, score_in
from agentgym.errors import DataError, EnvError


def written(directory: Path, *lines: Any) -> Path:
    file = directory / "tasks.jsonl"
    file.write_text("\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines))
    return file


def test_a_whole_task_is_read(tmp_path: Path) -> None:
    call = {"name": "add", "arguments": {"a": 1}}
    (task,) = read_tasks(
        written(
            tmp_path,
            {
                "id": "t",
                "instruction": "Do.",
                "split": "test",
                "setup": [call],
                "check": {"name": "ok"},
                "expected": ["x", "y"],
                "solution": [call, "x y"],
            },
            "",
        )
    )
    assert (task.id, task.instruction, task.split, task.expected) == ("t", "Do.", "test", ("x", "y"))
    assert task.setup == (CallSpec(name="add", arguments={"a": 1}),)
    assert task.solution == (CallSpec(name="add", arguments={"a": 1}), "x y")
    assert task.hidden_tools == {"add", "ok"}


def test_tasks_without_splits_are_dealt_out(tmp_path: Path) -> None:
    tasks = read_tasks(written(tmp_path, *({"id": number, "instruction": "Do."} for number in range(20))))
    assert [task.id for task in tasks if task.split == "validation"] == [8, 18]
    assert [task.id for task in tasks if task.split == "test"] == [9, 19]
    one_named = [{"id": 0, "instruction": "Do.", "split": "test"}, {"id": 1, "instruction": "Do."}]
    assert [task.split for task in read_tasks(written(tmp_path, *one_named))] == ["test", "train"]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([], r"tasks\.jsonl holds no tasks"),
        (["{"], r"tasks\.jsonl:1: line: Invalid JSON"),
        ([{"id": 1, "instruction": "Do."}, {"id": 1, "instruction": "Do."}], "the task id 1 is given twice"),
        ([{"id": 1}], r"tasks\.jsonl:1: instruction: Field required"),
        ([{"id": 1, "instruction": "Do.", "expect": "x"}], r":1: expect: Extra inputs are not permitted"),
        ([{"id": 1, "instruction": "Do.", "split": "tset"}], r":1: split: Input should be 'train'"),
        (
            [{"id": 1, "instruction": "Do.", "expected": " "}],
            r":1: expected: .*every answer would be right; leave it out",
        ),
        ([{"id": 1, "instruction": "Do.", "expected": []}], r":1: expected: .*every answer would be right"),
        ([{"id": 1, "instruction": "Do.", "expected": ["a", "."]}], r":1: expected: .*every answer would be right"),
        (["", {"id": 1, "instruction": ""}], r":2: instruction: String should have at least 1 character"),
    ],
)
def test_a_malformed_file_is_refused_with_its_line(tmp_path: Path, lines: list[Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_tasks(written(tmp_path, *lines))


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"cannot read the tasks in .*none"):
        read_tasks(tmp_path / "none")


@pytest.mark.parametrize(
    ("expected", "answer", "right"),
    [
        ("42", "It is 42.", True),
        ("42", "It is 142.", False),
        ("42", "", False),
        ("-3", "It is -3", True),
        ("New  York", "to new york!", True),
        ("a.b", "axb", False),
        (["A", "b"], "b and a", True),
        (["A", "b"], "only a", False),
        ("42", "It is 4.42.", False),
        ("42", " ".join(map(str, range(200))), False),
    ],
)
def test_an_expected_answer(expected: Any, answer: str, right: bool) -> None:
    assert said(expected, answer) is right


@pytest.mark.parametrize(
    ("text", "score"),
    [
        ("true", 1.0),
        ("False", 0.0),
        ("0.25", 0.25),
        (" 1 ", 1.0),
        ('{"reward": 0.5, "success": true}', 0.5),
        ('{"success": true}', 1.0),
        ('{"result": false}', 0.0),
    ],
)
def test_a_score_in_an_answer(text: str, score: float) -> None:
    assert score_in(text, "check") == score


@pytest.mark.parametrize("text", ["", "yes", "2", "-1", "NaN", "[1]", "{}", '{"reward": "1"}', "[" * 5000])
def test_an_answer_without_a_score_is_the_environments_failure(text: str) -> None:
    with pytest.raises(EnvError, match="the check check answered"):
        score_in(text, "check")
