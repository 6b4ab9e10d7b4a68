from __future__ import annotations

import contextlib
import json
from pathlib import Path

import pytest

from agentgym import store
from agentgym.errors import DataError, UserError
from agentgym.types import Sample, StopReason, Trajectory, Turn


def trajectory(number: int) -> Trajectory:
    return Trajectory(
        env="bell",
        task=number,
        seed=number,
        episode_id=f"e{number}",
        turns=[Turn(observation="A “bell”\nrings\u2028.", reply="north", action="north", reward=1 / 3)],
        samples=[
            Sample(
                token_ids=[1, 2, 3],
                loss_mask=[False, True, True],
                logprobs=[0.0, -0.1, -1e-300],
                policy_versions=[-1, 4, 4],
                turn_index=[-1, 0, 0],
            )
        ],
        stop_reason=StopReason.TURN_LIMIT,
        truncated=True,
    )


def test_what_is_read_equals_what_was_written(tmp_path: Path) -> None:
    file = tmp_path / "trajectories.jsonl"
    store.append(file, [trajectory(0), trajectory(1)])
    store.append(file, [])
    store.append(file, [trajectory(2)])
    assert list(store.read(file)) == [trajectory(number) for number in range(3)]
    assert file.read_bytes().count(b"\n") == 3


def test_episodes_that_were_written_before_they_said_who_played_are_the_policy_s(tmp_path: Path) -> None:
    file = tmp_path / "trajectories.jsonl"
    store.append(file, [trajectory(0)])
    old = json.loads(file.read_text())
    del old["role"], old["turns"][0]["role"]
    file.write_text(json.dumps(old) + "\n")
    assert list(store.read(file)) == [trajectory(0)]


def test_a_line_that_was_cut_off_is_left_out(tmp_path: Path) -> None:
    file = tmp_path / "trajectories.jsonl"
    store.append(file, [trajectory(0), trajectory(1)])
    file.write_bytes(file.read_bytes()[:-20])
    assert list(store.read(file)) == [trajectory(0)]


@pytest.mark.parametrize(("cut", "left"), [(20, [0, 2]), (1, [0, 1, 2])])
def test_what_is_appended_after_a_cut_line_is_a_line_of_its_own(tmp_path: Path, cut: int, left: list[int]) -> None:
    file = tmp_path / "trajectories.jsonl"
    store.append(file, [trajectory(0), trajectory(1)])
    file.write_bytes(file.read_bytes()[:-cut])
    assert list(store.read(file)) == [trajectory(number) for number in left[:-1]]
    store.append(file, [trajectory(2)])
    assert list(store.read(file)) == [trajectory(number) for number in left]


def test_a_malformed_line_is_named(tmp_path: Path) -> None:
    file = tmp_path / "trajectories.jsonl"
    store.append(file, [trajectory(0)])
    with file.open("a") as stream:
        stream.write('{"env": "bell"}\n')
    with pytest.raises(DataError, match=rf"{file}, line 2: task: Field required"):
        list(store.read(file))
    file.write_text("garbage\n")
    with pytest.raises(DataError, match=rf"{file}, line 1: record: Invalid JSON"):
        list(store.read(file))


def test_nothing_is_copied_to_where_it_is_read(tmp_path: Path) -> None:
    """Not by another name either: an archive that is copied into itself would have no end."""
    with contextlib.closing(store.writable(tmp_path / "kept")) as archive:
        archive.append([trajectory(0)])
    for name in ("kept", "kept/episodes.sqlite"):
        source, target = store.opened(tmp_path / name), store.writable(tmp_path / "kept")
        with contextlib.closing(source), contextlib.closing(target):
            with pytest.raises(UserError, match="is what is read"):
                store.copy(source, target)
            assert len(source.query()) == 1


def test_a_database_of_another_name_is_not_taken_for_the_one_beside_it(tmp_path: Path) -> None:
    with contextlib.closing(store.writable(tmp_path)) as archive:
        archive.append([trajectory(0)])
    (tmp_path / "old.sqlite").touch()
    with pytest.raises(DataError, match=r"old\.sqlite is not called episodes\.sqlite"):
        store.opened(tmp_path / "old.sqlite")


def test_what_cannot_be_written_is_told_before_anything_is_played(tmp_path: Path) -> None:
    (tmp_path / "made.jsonl").mkdir()
    with pytest.raises(UserError, match=r"cannot write .*made\.jsonl"):
        store.writable(tmp_path / "made.jsonl")
