"""Whatever an episode holds, an archive and a JSONL file give it back equal."""

from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentgym import store
from agentgym.archive import Archive
from agentgym.archive.packing import pack, unpack
from agentgym.errors import DataError
from agentgym.types import Sample, StopReason, ToolCall, Trajectory, Turn

TEXT = st.text(max_size=30)
REAL = st.floats(allow_nan=False, allow_infinity=False)
LOGPROB = st.floats(-(2.0**126), 0, width=32)
COUNT = st.integers(0, 2**31 - 1)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | REAL | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=5,
)


@st.composite
def a_sample(draw: st.DrawFn, before: Sample | None = None) -> Sample:
    """Of any length, perhaps with the beginning of the one before it."""
    num = draw(st.integers(0, 40))
    ids = draw(st.sampled_from([255, 256, 65_535, 65_536, 2**31 - 1]))
    mask = draw(st.lists(st.booleans(), min_size=num, max_size=num))
    values = draw(st.lists(LOGPROB, min_size=num, max_size=num))
    is_odd = draw(st.integers(0, 4)) == 0  # log-probabilities where none are expected
    columns: dict[str, list[Any]] = {
        "token_ids": draw(st.lists(st.integers(0, ids), min_size=num, max_size=num)),
        "loss_mask": mask,
        "logprobs": [value if said or is_odd else 0.0 for value, said in zip(values, mask, strict=True)],
        "turn_index": draw(st.lists(st.integers(-1, 300), min_size=num, max_size=num)),
        "policy_versions": [draw(st.integers(0, 3)) if said else -1 for said in mask],
    }
    if before is not None:
        shared = draw(st.integers(0, len(before.token_ids)))
        columns = {name: [*list(getattr(before, name))[:shared], *column] for name, column in columns.items()}
    return Sample.model_validate(columns)


@st.composite
def episodes(draw: st.DrawFn) -> Trajectory:
    turn = st.builds(
        Turn,
        observation=TEXT,
        reply=TEXT,
        action=st.none() | TEXT,
        reward=REAL,
        breakdown=st.dictionaries(TEXT, REAL, max_size=2),
        channels=st.dictionaries(TEXT, REAL, max_size=2),
        tool_calls=st.lists(
            st.builds(ToolCall, name=TEXT, arguments=st.dictionaries(TEXT, JSON, max_size=2), id=TEXT), max_size=2
        ),
        media=st.lists(TEXT, max_size=2),
        value=st.none() | REAL,
        visits=st.none() | COUNT,
        error=st.none() | TEXT,
        is_summary=st.booleans(),
        role=st.sampled_from([None, "policy", "expert", "partner"]),
    )
    samples: list[Sample] = []
    for _ in range(draw(st.integers(0, 3))):
        samples.append(draw(a_sample(samples[-1] if samples else None)))
    return Trajectory(
        env=draw(TEXT),
        task=draw(st.none() | TEXT | st.integers()),
        seed=draw(st.integers()),
        episode_id=draw(TEXT),
        group_id=draw(TEXT),
        ordinal=draw(st.none() | COUNT),
        split=draw(TEXT),
        stage=draw(TEXT),
        update=draw(st.none() | COUNT),
        options=draw(st.dictionaries(TEXT, JSON, max_size=3)),
        level=draw(st.none() | REAL),
        strength=draw(st.floats(0, 1)),
        max_turns=draw(st.none() | COUNT),
        role=draw(st.sampled_from(["policy", "expert", "partner"])),
        tokenizer=draw(TEXT),
        attempt=draw(st.integers(0, 3)),
        turns=draw(st.lists(turn, max_size=3)),
        samples=samples,
        stop_reason=draw(st.sampled_from(StopReason)),
        terminated=draw(st.booleans()),
        truncated=draw(st.booleans()),
        success=draw(st.booleans()),
        final_observation=draw(TEXT),
        error=draw(st.none() | TEXT),
        parent_id=draw(st.none() | TEXT),
        branch_turn=draw(st.none() | COUNT),
    )


@given(episodes())
@settings(deadline=None, max_examples=100)
def test_an_episode_comes_back_equal(episode: Trajectory) -> None:
    assert unpack(pack(episode)) == episode


@given(st.lists(episodes(), max_size=5))
@settings(deadline=None, max_examples=30)
def test_archives_and_json_lines_turn_into_each_other(played: list[Trajectory]) -> None:
    with tempfile.TemporaryDirectory() as made:
        directory = Path(made)
        with Archive(directory) as archive, contextlib.closing(store.writable(directory / "out.jsonl")) as out:
            archive.append(played)
            assert [archive.get(card.number) for card in archive.query()] == played
            assert store.copy(archive, out) == len(played)
        with contextlib.closing(store.writable(directory / "in")) as archive_again:
            if played:
                store.copy(store.opened(directory / "out.jsonl"), archive_again)
            assert list(archive_again.episodes()) == played


@given(episodes(), st.data())
@settings(deadline=None, max_examples=50)
def test_damaged_bytes_are_an_error_and_nothing_else(episode: Trajectory, data: st.DataObject) -> None:
    packed = bytearray(pack(episode))
    place = data.draw(st.integers(2, len(packed) - 1))
    packed[place] ^= data.draw(st.integers(1, 255))
    with pytest.raises(DataError, match="not a packed episode"):
        unpack(bytes(packed))
    with pytest.raises(DataError, match="not a packed episode"):
        unpack(bytes(packed[:place]))


def test_a_forked_sample_has_only_its_own_rest() -> None:
    ids = np.random.default_rng(0).integers(0, 50_000, 4000).tolist()
    columns = {"loss_mask": [False] * 4000, "logprobs": [0.0] * 4000, "policy_versions": [-1] * 4000}
    whole = Sample.model_validate({"token_ids": ids, "turn_index": [0] * 4000, **columns})
    forked = Sample.model_validate({**dict(whole), "token_ids": [*ids[:-10], *range(10)]})
    one, two = (Trajectory(env="", task=0, seed=0, episode_id="", samples=each) for each in ([whole], [whole, forked]))
    assert len(pack(two)) < len(pack(one)) + 200
    assert unpack(pack(two)) == two
