"""Recorded episodes bring the images that they show."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from agentgym import store
from agentgym.archive import Card
from agentgym.env import Env
from agentgym.errors import DataError
from agentgym.media import MediaStore, as_media
from agentgym.recorded import Recorded, grouped_by_task
from agentgym.types import Sample, StopReason, TaskId, Trajectory, Turn
from tests.kit import chat, episode

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


def written(path: Path, *episodes: Trajectory) -> Path:
    store.append(path, [one.model_copy(update={"tokenizer": TOKENIZER.fingerprint}) for one in episodes])
    return path


def ids(path: Path) -> list[str]:
    with contextlib.closing(Recorded(path, TOKENIZER)) as recorded:
        return [card.episode_id for card in recorded.cards]


def test_what_is_void_or_measured_a_run_is_not_learned_from(tmp_path: Path) -> None:
    stages = [("train", "train"), ("before", "validation"), ("after", "test"), ("", "train"), ("", "")]
    measured = [
        episode(1.0, episode_id=f"{stage} {split}", stage=stage, split=split)
        for stage, split in [*stages, ("warm_start", ""), ("after", "train")]
    ]
    void = [episode(1.0, episode_id=stop, stop=stop) for stop in StopReason]
    path = written(tmp_path / "seen.jsonl", *measured, *void)
    assert ids(path) == [
        *("train train", " train", " ", "warm_start ", "after train"),
        *("terminated", "truncated", "turn_limit", "context_limit", "invalid_limit"),
    ]


def test_where_nothing_counts_there_is_nothing_to_learn_from(tmp_path: Path) -> None:
    path = written(tmp_path / "seen.jsonl", episode(1.0, stop=StopReason.ENV_ERROR))
    with pytest.raises(DataError, match=r"seen\.jsonl has no episode that counts; expected at least one"):
        Recorded(path, TOKENIZER)
    written(path, episode(1.0, stage="after", split="test"), episode(0.0, stage="before", split="validation"))
    told = "no episode that counts, 2 that a run measured itself by are left out; expected at least one"
    with pytest.raises(DataError, match=told):
        Recorded(path, TOKENIZER)


@pytest.mark.parametrize("split", ["validation", "test"])
def test_a_recording_of_held_out_tasks_is_refused_and_says_what_to_type(split: str, tmp_path: Path) -> None:
    path = written(tmp_path / "seen.jsonl", episode(1.0, episode_id="evaluate-0", task=7, split=split))
    told = (
        rf"seen\.jsonl has 1 episodes of held-out tasks \(episode evaluate-0, task 7, split {split}\): .*; "
        r"expected train tasks; record them: agentgym record --model … --output PATH$"
    )
    with pytest.raises(DataError, match=told):
        Recorded(path, TOKENIZER)
    written(path, episode(1.0, split="train"), episode(1.0, split="train"))
    told = r"or take the other 2: agentgym export .*seen\.jsonl --split train -o PATH$"
    with pytest.raises(DataError, match=told):
        Recorded(path, TOKENIZER)


class Tasks(Env):
    """Train tasks are 0 and 1, validation tasks 2 and test tasks "3" and 4."""

    def tasks(self, split: str) -> Sequence[TaskId]:
        known: dict[str, list[TaskId]] = {"train": [0, 1], "validation": [2], "test": ["3", 4]}
        return known[split]


@pytest.mark.parametrize(
    ("said", "refused"),
    [
        ({"task": 0}, False),
        ({"task": 2}, True),
        ({"task": "3"}, True),
        ({"task": 3}, False),
        ({"task": 4}, True),
        ({"task": 4, "env": "other"}, False),
        ({"task": 4, "split": "train"}, False),
        ({"task": None}, False),
    ],
)
def test_episodes_that_do_not_say_their_split_are_told_by_their_tasks(
    said: dict[str, Any], refused: bool, tmp_path: Path
) -> None:
    path = written(tmp_path / "seen.jsonl", episode(1.0, **{"env": "Tasks", **said}))
    told = pytest.raises(DataError, match="split unknown") if refused else contextlib.nullcontext()
    with contextlib.closing(Recorded(path, TOKENIZER)) as recorded, told:
        recorded.refuse_tasks_of(Tasks())


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({}, "it does not say how its tokens were sampled"),
        ({"sampling": {"temperature": 0.7}}, "it was sampled at temperature 0.7, so"),
        ({"sampling": {"temperature": 0}}, "it was sampled at temperature 0, so"),
        ({"sampling": {"top_p": 0.9}}, "it was sampled at temperature 1, top_p 0.9, so"),
        ({"sampling": {"top_k": 5}}, "it was sampled at temperature 1, top_k 5, so"),
        ({"sampling": {"min_p": 0.1}}, "it was sampled at temperature 1, min_p 0.1, so"),
        ({"sampling": {}}, None),
        ({"role": "expert"}, None),
    ],
)
def test_log_probabilities_of_another_distribution_are_told(said: Any, told: str | None, tmp_path: Path) -> None:
    path = written(tmp_path / "seen.jsonl", episode(1.0, episode_id="e7", **said))
    refused = pytest.raises(DataError, match=rf"seen\.jsonl, episode e7: {told}.*--trainer.reference model")
    with contextlib.closing(Recorded(path, TOKENIZER)) as recorded, refused if told else contextlib.nullcontext():
        recorded.refuse_tempered(recorded.cards)


def test_of_many_episodes_some_are_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path / "seen.jsonl", *(episode(1.0, episode_id=f"{n}", sampling={}) for n in range(200)))
    seen: list[str] = []
    monkeypatch.setattr(Recorded, "require_plain", lambda self, each: seen.append(each.episode_id))
    with contextlib.closing(Recorded(path, TOKENIZER)) as recorded:
        recorded.refuse_tempered(recorded.cards)
    assert seen == [f"{n}" for n in range(0, 200, 3)]


@pytest.mark.parametrize(("found", "named"), [("", "unknown"), ("f00d", "f00d")])
def test_token_ids_of_another_tokenizer_are_refused(found: str, named: str, tmp_path: Path) -> None:
    path = written(tmp_path / "seen.jsonl", episode(1.0, episode_id="own"))
    store.append(path, [episode(1.0, episode_id="theirs", tokenizer=found)])
    told = rf"seen\.jsonl, episode theirs: its token ids .* \({named}\), the policy's is {TOKENIZER.fingerprint}"
    with pytest.raises(DataError, match=told):
        Recorded(path, TOKENIZER)


def test_an_episode_is_fetched_in_its_place_and_its_group(tmp_path: Path) -> None:
    path = written(
        tmp_path / "seen.jsonl", *(episode(n / 2, episode_id=f"{n}", group_id="g", ordinal=9) for n in (1, 2))
    )
    with contextlib.closing(Recorded(path, TOKENIZER)) as recorded:
        first, second = recorded.cards
        one = recorded.fetch(second, ordinal=4)
        other = recorded.fetch(first, ordinal=5, group_id="h")
    assert (one.episode_id, one.ordinal, one.group_id, one.reward) == ("2", 4, "g", 1.0)
    assert (other.episode_id, other.ordinal, other.group_id, other.reward) == ("1", 5, "h", 0.5)


def test_the_file_is_let_go_of(monkeypatch: pytest.MonkeyPatch) -> None:
    closed: list[bool] = []
    card = Card.of(episode(1.0, tokenizer=TOKENIZER.fingerprint))
    source = SimpleNamespace(query=lambda: [card], close=lambda: closed.append(True))
    monkeypatch.setattr(store, "opened", lambda path: source)
    Recorded(Path("seen"), TOKENIZER).close()
    assert closed == [True]


def test_groups_are_of_one_environment_task_and_seed_and_have_two_members(tmp_path: Path) -> None:
    def card(name: str, **changes: Any) -> Card:
        return Card.of(episode(1.0, episode_id=name, **changes))

    cards = [
        card("a", task=1),
        card("b", task=2),
        card("c", task=1),
        card("alone", task=3),
        card("other seed", task=1, seed=5),
        card("other env", task=1, env="shop"),
        card("text", task="1"),
        card("d", task=2),
        card("e", task=1),
    ]
    assert [[one.episode_id for one in group] for group in grouped_by_task(cards)] == [["a", "c", "e"], ["b", "d"]]
