"""``agentgym tree``: what it lists, whose tree it draws, what it writes, and what it says where there is none."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from agentgym import store
from agentgym.archive import Archive
from agentgym.types import Trajectory
from tests.kit import episode
from tests.typed import Typed, agentgym

__all__ = ["agentgym"]


def lines(update: int = 1, *, group: str = "0-0", prefix: str = "0-0", stage: str = "train") -> list[Trajectory]:
    """Two that share their first turn."""
    whole = episode(0.0, 1.0, episode_id=f"{prefix}-0", group_id=group, update=update, stage=stage, success=True)
    fork = episode(0.0, 0.5, episode_id=f"{prefix}-1", group_id=group, update=update, stage=stage)
    return [whole, fork.model_copy(update={"parent_id": whole.episode_id, "branch_turn": 1})]


FLAT = [episode(float(number), episode_id=f"f-{number}", group_id="f", update=1, stage="train") for number in range(2)]
ALONE = episode(0.0, episode_id="alone", stage="warm_start", update=1)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    made = tmp_path / "episodes.jsonl"
    store.append(made, [*lines(), *FLAT, ALONE])
    return made


def test_without_an_id_the_trees_are_listed(file: Path, agentgym: Typed) -> None:
    code, printed, _ = agentgym("tree", file)
    rows = [[cell.strip() for cell in row.split("│")[1:-1]] for row in printed.splitlines() if "│" in row]
    assert (code, rows) == (0, [["0-0", "train", "1", "0", "2", "1", "1", "1.000"]])


def test_where_nothing_branched_that_is_said(tmp_path: Path, agentgym: Typed) -> None:
    store.append(tmp_path / "e.jsonl", [*FLAT, ALONE])
    code, printed, _ = agentgym("tree", tmp_path / "e.jsonl")
    assert (code, printed) == (
        0,
        f"{tmp_path}/e.jsonl has no tree; 1 groups did not branch, of which any can be drawn by its ID\n",
    )


@pytest.mark.parametrize("name", ["0-0", "0-0-0", "0-0-1"])
def test_a_group_is_named_by_itself_or_by_an_episode(name: str, file: Path, agentgym: Typed) -> None:
    code, printed, _ = agentgym("tree", file, name)
    assert (code, printed.splitlines()[0]) == (
        0,
        "group 0-0, train, update 1, toy task 0: 2 lines, 3 turns, 4 if none were shared",
    )
    assert len(printed.splitlines()) == 4


def test_episodes_that_did_not_branch_are_drawn_too(file: Path, agentgym: Typed) -> None:
    assert "group f, train, update 1, toy task 0: 2 lines, 2 turns\n" in agentgym("tree", file, "f")[1]
    assert "warm_start, update 1, toy task 0: 1 lines, 1 turns\n" in agentgym("tree", file, "alone")[1]


def test_an_archive_is_as_good_as_a_file(tmp_path: Path, file: Path, agentgym: Typed) -> None:
    with Archive(tmp_path / "run") as archive:
        archive.append(store.read(file))
    assert agentgym("tree", tmp_path / "run", "0-0") == agentgym("tree", file, "0-0")


def test_the_tree_is_written_as_a_picture_and_as_json(file: Path, tmp_path: Path, agentgym: Typed) -> None:
    code, _, _ = agentgym("tree", file, "0-0", "--svg", tmp_path / "t.svg", "--json", tmp_path / "t.json")
    assert code == 0
    assert (tmp_path / "t.svg").read_text().startswith('<svg xmlns="http://www.w3.org/2000/svg"')
    assert [node["id"] for node in json.loads((tmp_path / "t.json").read_text())["nodes"]] == [
        "root",
        "0-0-0@0",
        "0-0-0@1",
        "0-0-1@1",
    ]


def test_of_several_updates_one_must_be_said(tmp_path: Path, agentgym: Typed) -> None:
    file = tmp_path / "e.jsonl"
    store.append(file, [*lines(1), *lines(2)])
    code, _, errors = agentgym("tree", file, "0-0")
    assert code != 0
    assert "0-0 is in several updates: 1 (train), 2 (train); add one of them: --update N" in errors
    code, printed, _ = agentgym("tree", file, "0-0-1", "--update", 2)
    assert (code, "train, update 2, toy" in printed) == (0, True)


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        (["nobody"], "has no group or episode nobody; agentgym tree RUN lists what branched"),
        (["0-0", "--update", "7"], "has no group or episode 0-0 in update 7;"),
        (["--svg", "t.svg"], "--svg needs the ID of a tree"),
        (["--json", "t.json"], "--json needs the ID of a tree"),
        (["0-0", "--svg", "/nowhere/t.svg"], "cannot write /nowhere/t.svg: No such file or directory; choose another"),
    ],
)
def test_what_cannot_be_drawn_is_told(typed: list[str], told: str, file: Path, agentgym: Typed) -> None:
    code, _, errors = agentgym("tree", file, *typed)
    assert code != 0
    assert told in errors
