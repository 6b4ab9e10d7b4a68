"""Winning against an anchor: of a file, or the first of those that are scored."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from agentgym import store
from agentgym.critics.anchor import Anchor
from agentgym.errors import DataError, JudgeError
from agentgym.types import StopReason, Trajectory
from tests.kit import episode
from tests.unit.rewards.judges import Reads, appointed


def said(reply: str, task: int = 0, reward: float = 0.0, **changes: Any) -> Trajectory:
    one = episode(reward, task=task, episode_id=f"{task}-{reply}", **changes)
    one.turns[0].reply = reply
    return one


def longer(a: str, b: str) -> str:
    return "A" if len(a) > len(b) else "B" if len(b) > len(a) else "tie"


def scored(critic: Anchor, *episodes: Trajectory, judge: Any = longer) -> list[float]:
    async def score() -> list[float]:
        await critic.open()
        scores: list[float] = await appointed(critic, Reads(judge)).score(episodes)
        return scores

    return asyncio.run(score())


def test_the_first_of_a_task_is_its_anchor_where_there_is_no_file() -> None:
    episodes = [said("aa"), said("b"), said("ccc"), said("d", task=1), said("eee", task=1)]
    assert scored(Anchor("Be long."), *episodes) == [0.5, 0.0, 1.0, 0.5, 1.0]


def test_both_orders_are_averaged() -> None:
    """A judge that names the first whenever neither is the longest has no say."""
    favors = Reads(lambda a, b: "A" if "bbb" in a or "bbb" not in b else "tie").verdict
    assert scored(Anchor("Be long."), said("a"), said("bbb"), said("cc"), judge=favors) == [0.5, 0.75, 0.5]


def test_the_best_paid_episode_of_a_file_is_the_anchor(tmp_path: Path) -> None:
    file = tmp_path / "anchors.jsonl"
    void = said("a" * 9, reward=9.0, stop=StopReason.ENV_ERROR)
    store.append(file, [said("a"), said("aaa", reward=1.0), said("aaaaa", reward=0.5), void, said("b", task=1)])
    critic = Anchor("Be long.", anchors=file)
    assert scored(critic, said("aa"), said("aaaa"), said("bb", task=1), said("ccc")) == [0.0, 1.0, 1.0, 0.5]
    with pytest.raises(JudgeError, match=r"anchors\.jsonl has no episode of task 2 of toy to compare with"):
        scored(critic, said("aa"), said("aa", task=2))


def test_a_file_without_an_episode_that_counts_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "anchors.jsonl"
    store.append(file, [said("a", stop=StopReason.ABORTED)])
    with pytest.raises(DataError, match=r"anchors\.jsonl has no episode that counts"):
        asyncio.run(Anchor("Be long.", anchors=file).open())
