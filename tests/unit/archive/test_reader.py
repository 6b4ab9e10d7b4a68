"""An episode read from its beginning: what comes is what was written, and no more is read than was asked for."""

from __future__ import annotations

import random
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from agentgym.archive import Reader, archive
from agentgym.archive import reader as reading
from agentgym.archive.packing import pack
from agentgym.errors import DataError
from agentgym.types import Sample, Trajectory, Turn
from tests.kit import episode
from tests.unit.test_store import trajectory


def long(num_turns: int, letters: int) -> Trajectory:
    turns = [Turn(observation=f'{n} “é” \\ " 🏠' + "o" * letters, reply=f"said {n}") for n in range(num_turns)]
    return episode(turns=turns, options={"turns": [{"a": 1}], "more": '"turns":['}, final_observation="end 🏠")


def as_json(whole: Trajectory) -> tuple[list[Any], dict[str, Any]]:
    fields = whole.model_dump(mode="json", exclude={"samples"})
    return fields.pop("turns"), fields


@pytest.mark.parametrize("chunk", [1, 7, 1 << 18])
@pytest.mark.parametrize("whole", [trajectory(3), long(5, 300), episode()], ids=["short", "long", "empty"])
def test_what_is_read_is_what_was_written(whole: Trajectory, chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "_CHUNK", chunk)
    turns, fields = as_json(whole)
    reader = Reader(pack(whole))
    assert reader.turns(1, 2) == turns[1:3]
    assert reader.turns(0, 1) == turns[:1]
    assert reader.turns(0, 99) == turns
    assert reader.whole() == fields
    assert reader.samples() == whole.samples


def test_the_head_is_what_stands_before_the_turns() -> None:
    reader = Reader(pack(long(3, 10)))
    assert reader.head["options"] == {"turns": [{"a": 1}], "more": '"turns":['}
    assert "final_observation" not in reader.head
    reader.whole()
    assert reader.head["final_observation"] == "end 🏠"


def random_letters(num_turns: int) -> Trajectory:
    """Turns of 2,000 letters that hardly compress."""
    draws = random.Random(0)
    whole = long(num_turns, 1)
    for turn in whole.turns:
        turn.observation = "".join(chr(draws.randrange(97, 123)) for _ in range(2000))
    return whole


@pytest.fixture
def small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "_CHUNK", 1 << 8)
    monkeypatch.setattr(reading, "_SLICE", 1 << 8)


@pytest.mark.usefixtures("small_steps")
def test_no_more_is_decompressed_than_was_asked_for() -> None:
    packed = pack(random_letters(100))
    reader = Reader(packed)
    reader.turns(0, 3)
    assert reader._taken < 0.1 * len(packed)
    reader.turns(97, 3)
    assert reader._taken > 0.9 * len(packed)


@pytest.mark.usefixtures("small_steps")
def test_of_a_long_one_the_beginning_is_read_and_the_rest_when_it_is_wanted() -> None:
    whole = random_letters(20)
    packed, asked = pack(whole), list[int]()

    def rest() -> bytes:
        asked.append(1)
        return packed

    reader = Reader(packed[: len(packed) // 2], rest=rest)
    reader.turns(0, 2)
    assert asked == []
    assert reader.turns(0, 40) == as_json(whole)[0]
    assert reader.samples() == whole.samples
    assert asked == [1]


@pytest.mark.usefixtures("small_steps")
def test_an_archive_reads_long_ones_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "_LONG", 2000)
    with archive.Archive(tmp_path) as made:
        made.append([random_letters(10), episode()])
        reader = made.reader(1)
        assert reader._remaining is not None
        assert reader.turns(0, 10) == as_json(random_letters(10))[0]
        assert made.reader(2).turns(0, 1) == []
        with pytest.raises(DataError, match="has no episode number 3"):
            made.reader(3)


def test_samples_that_forked_are_put_together() -> None:
    one = Sample(
        token_ids=[1, 2, 3],
        loss_mask=[False, True, True],
        logprobs=[0, -1, -2],
        turn_index=[0] * 3,
        policy_versions=[-1, 0, 0],
    )
    other = one.model_copy(update={"token_ids": np.array([1, 2, 7], np.int32)})
    whole = episode(0.0, samples=[one, other])
    assert Reader(pack(whole)).samples() == whole.samples


@pytest.mark.parametrize("cut", [1, 20, -1])
def test_what_ends_too_early_is_told(cut: int) -> None:
    with pytest.raises(DataError, match="not a packed episode"):
        Reader(pack(long(2, 10))[:cut]).samples()


@pytest.mark.parametrize(
    "content", [b"", b"{}\n[]\n", b'{}\n{"a": 1}\n', b"x\n{}\n", b'{"arrays": []}\n{"turns": 7}\n']
)
def test_what_is_no_episode_is_told(content: bytes) -> None:
    with pytest.raises(DataError, match="not a packed episode"):
        Reader(zlib.compress(content)).whole()
