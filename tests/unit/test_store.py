from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from agentgym import store
from agentgym.errors import DataError, UserError
from agentgym.media import as_media
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
    (tmp_path / "link").symlink_to(tmp_path / "kept")
    for name in ("kept", "kept/episodes.sqlite", "link"):
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


def test_a_place_that_may_not_be_written_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"/file is a file; expected a directory for an archive, or a name that ends"):
        store.writable(tmp_path / "file")
    for name in ("file/out.jsonl", "file/archive"):
        with pytest.raises(UserError, match=r"cannot write .*: (Not a directory|File exists); choose another place"):
            store.writable(tmp_path / name)
    (tmp_path / "kept.jsonl").touch()
    for refused in (tmp_path, tmp_path / "kept.jsonl"):
        monkeypatch.setattr(os, "access", lambda path, mode, refused=refused: Path(path) != refused)
        with pytest.raises(UserError, match=r"cannot write .*kept\.jsonl, which is a directory or may not be written"):
            store.writable(tmp_path / "kept.jsonl")
    monkeypatch.setattr(os, "access", lambda path, mode: True)
    store.writable(tmp_path / "kept.jsonl").close()


def test_what_is_to_be_written_is_made_with_the_folders_above(tmp_path: Path) -> None:
    for name in ("a/b/out.jsonl", "c/d/archive"):
        with contextlib.closing(store.writable(tmp_path / name)) as target:
            target.append([trajectory(0)])
        with contextlib.closing(store.opened(tmp_path / name)) as source:
            assert list(source.episodes()) == [trajectory(0)]
    assert (tmp_path / "a" / "b" / "out.jsonl").is_file()
    assert (tmp_path / "c" / "d" / "archive" / "episodes.sqlite").is_file()
    with contextlib.closing(store.opened(tmp_path / "c" / "d" / "archive" / "episodes.sqlite")) as source:
        assert len(source.query()) == 1


def test_where_there_are_no_episodes_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"there is no .*/gone; expected episodes: a run, or what agentgym record"):
        store.opened(tmp_path / "gone")
    with pytest.raises(DataError, match=r"it has no episodes\.sqlite"):
        store.opened(tmp_path)


def test_lines_are_asked_as_an_archive_is(tmp_path: Path) -> None:
    played = [trajectory(n).model_copy(update={"split": "train" if n % 2 else "test"}) for n in range(4)]
    lines, archive = store.writable(tmp_path / "out.jsonl"), store.writable(tmp_path / "archive")
    with contextlib.closing(lines), contextlib.closing(archive):
        for place in (lines, archive):
            place.append(played)
            assert [card.episode_id for card in place.query(split="train")] == ["e1", "e3"]
            assert list(place.episodes(split="train")) == [played[1], played[3]]
            assert [place.get(card.number) for card in place.query()] == played
            with pytest.raises(TypeError, match="cannot be asked for by reward"):
                place.query(reward=1)
        length = len(played[0].model_dump_json().encode()) + 1
        assert [card.number for card in lines.query(episode_id="e1")] == [length]


def test_what_is_copied_is_what_is_asked_for_with_its_images(tmp_path: Path) -> None:
    source, target = store.writable(tmp_path / "from" / "in.jsonl"), store.writable(tmp_path / "to" / "archive")
    shown = []
    for shade in (1, 2):
        image = as_media(np.full((1, 1, 3), shade, np.uint8))
        source.media.put(image)
        shown.append(image.digest)
    played: list[Any] = []
    for number in range(3):
        one = trajectory(number).model_copy(update={"split": "test" if number else "train"})
        media = shown[:1] if number == 1 else [shown[1], "0" * 64] if number == 0 else []
        played.append(one.model_copy(update={"turns": [one.turns[0].model_copy(update={"media": media})]}))
    with contextlib.closing(source), contextlib.closing(target):
        source.append(played)
        assert store.copy(source, target, split="test") == 2
        assert list(target.episodes()) == played[1:]
        assert (shown[0] in target.media, shown[1] in target.media) == (True, False)
        assert store.copy(source, target, split="train") == 1  # one of its images is lost already
        assert shown[1] in target.media
        assert store.copy(source, target, split="none") == 0


def test_an_empty_file_and_one_that_is_cut_within_its_first_line_go_on(tmp_path: Path) -> None:
    file = tmp_path / "out.jsonl"
    for content in (b"", b'{"env": "be', b"7"):
        file.write_bytes(content)
        assert list(store.read(file)) == []
        store.append(file, [trajectory(0)])
        assert list(store.read(file)) == [trajectory(0)]
        assert file.read_bytes().count(b"\n") == 1
