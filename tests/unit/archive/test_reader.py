"""An episode read from its beginning: what comes is what was written, and no more is read than was asked for."""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np
import pytest

from agentgym.archive import Reader
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


def test_no_more_is_decompressed_than_was_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    import random

    draws = random.Random(0)
    whole = long(100, 1)
    for turn in whole.turns:
        turn.observation = "".join(chr(draws.randrange(97, 123)) for _ in range(10_000))
    monkeypatch.setattr(reading, "_CHUNK", 1 << 14)
    packed = pack(whole)
    reader = Reader(packed)
    reader.turns(0, 3)
    assert len(reader._fed) > 0.9 * len(packed)
    reader.turns(97, 3)
    assert len(reader._fed) < 0.1 * len(packed)


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
