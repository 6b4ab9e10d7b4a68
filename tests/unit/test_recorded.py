"""Recorded episodes bring the images that they show."""

from __future__ import annotations

import contextlib
from pathlib import Path

import numpy as np
import pytest

from agentgym import store
from agentgym.errors import DataError
from agentgym.media import MediaStore, as_media
from agentgym.recorded import Recorded
from agentgym.types import Sample, Trajectory, Turn
from tests.kit import chat

TOKENIZER = chat()
PICTURE, LAST = (as_media(np.full((2, 3, 3), shade, np.uint8)) for shade in (7, 8))
EPISODE = Trajectory(
    env="gallery",
    task=0,
    seed=0,
    episode_id="e",
    tokenizer=TOKENIZER.fingerprint,
    turns=[Turn(observation="Look.", reply="red", media=[PICTURE.digest, LAST.digest])],
    samples=[
        Sample(
            token_ids=[1, 2],
            loss_mask=[False, True],
            logprobs=[0, -1],
            turn_index=[0, 0],
            policy_versions=[-1, 0],
            media=[PICTURE.digest],
        )
    ],
)


@pytest.mark.parametrize("name", ["run", "files/episodes.jsonl"])
def test_images_go_where_the_episodes_go(name: str, tmp_path: Path) -> None:
    with contextlib.closing(store.writable(tmp_path / "first")) as first:
        for image in (PICTURE, LAST):
            first.media.put(image)
        first.append([EPISODE])
    with (
        contextlib.closing(store.opened(tmp_path / "first")) as first,
        contextlib.closing(store.writable(tmp_path / name)) as second,
    ):
        assert store.copy(first, second) == 1
    policy = chat()
    policy.store.move_to(tmp_path / "learns" / "media")
    with contextlib.closing(Recorded(tmp_path / name, policy)) as recorded:
        recorded.fetch(recorded.cards[0], ordinal=0)
    assert MediaStore(tmp_path / "learns" / "media").get(PICTURE.digest) == PICTURE
    assert LAST.digest not in policy.store, "it is not learned from with this one"
    with contextlib.closing(store.opened(tmp_path / name)) as second:
        assert second.media.get(LAST.digest) == LAST


def test_an_image_that_is_not_beside_the_episodes_is_told(tmp_path: Path) -> None:
    file = tmp_path / "episodes.jsonl"
    store.append(file, [EPISODE])
    with contextlib.closing(Recorded(file, chat())) as recorded, pytest.raises(DataError, match=r"media.* is missing"):
        recorded.fetch(recorded.cards[0], ordinal=0)
    with contextlib.closing(store.opened(file)) as lines, contextlib.closing(store.writable(tmp_path / "a")) as archive:
        assert store.copy(lines, archive) == 1  # to be looked at, if not learned from
