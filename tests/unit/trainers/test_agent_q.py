"""Agent Q: what it learns from, how a critic counts, and what its reference is."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from agentgym.config import validated
from agentgym.errors import ConfigError
from agentgym.learn.forward import score
from agentgym.learn.trainer import Lesson
from agentgym.pairs import branches
from agentgym.trainers.agent_q import AgentQ, AgentQSettings
from agentgym.types import Trajectory
from tests.kit import one_thread, tiny_model
from tests.unit.trainers.kit import episode, equipped

__all__ = ["one_thread"]


def trainer(**settings: Any) -> AgentQ:
    made = equipped(AgentQ(AgentQSettings(**{"learning_rate": 1e-3, **settings})), tiny_model())
    assert isinstance(made, AgentQ)
    return made


def line(name: str, reward: float, said: int, critic: float | None, *, success: bool = False) -> Trajectory:
    """One that says 5 first, and branches at its second turn."""
    found = episode([0.0, reward], [[5, 4], [said, 4]], name=name, success=success)
    found.turns[1].critic = critic
    return found if name == "a" else found.model_copy(update={"parent_id": "a", "branch_turn": 1})


def compared(lesson: Lesson) -> list[tuple[int, int]]:
    """Of each pair what was said on either side, the better one first."""
    said = [int(row.token_ids[row.places[0]]) for row in lesson.rows]
    assert [row.advantages[0] > 0 for row in lesson.rows] == [True, False] * (len(said) // 2)
    return list(zip(said[::2], said[1::2], strict=True))


# -- settings ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "pairs"),
    [
        ({}, "steps"),
        ({"learns_from": "lines"}, "extremes"),
        ({"learns_from": "lines", "pairs": "all"}, "all"),
        ({"learns_from": "successes"}, "extremes"),
    ],
)
def test_what_is_compared_follows_from_what_is_learned_from(given: dict[str, Any], pairs: str) -> None:
    assert validated(AgentQSettings, {"learning_rate": 1e-3, **given}).pairs == pairs


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"pairs": "all"}, "learns_from pairs goes with pairs steps, found all"),
        ({"learns_from": "lines", "pairs": "steps"}, "learns_from lines goes with pairs extremes or all, found steps"),
        ({"learns_from": "lines", "mix": 0.3}, "mix has no effect with learns_from lines"),
        ({"learns_from": "successes", "mix": 0.3}, "mix has no effect with learns_from successes"),
        ({"learns_from": "successes", "pairs": "all"}, "pairs has no effect with learns_from successes"),
        ({"learns_from": "successes", "beta": 0.3}, "beta has no effect with learns_from successes"),
        ({"learns_from": "successes", "replay": 2}, "replay has no effect with learns_from successes"),
        ({"mix": 1.5}, "trainer.mix: Input should be less than or equal to 1, found 1.5"),
    ],
)
def test_settings_that_do_not_go_together_are_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        validated(AgentQSettings, {"learning_rate": 1e-3, **given}, where="trainer")


def test_it_plays_trees() -> None:
    assert AgentQ.search == "mcts"


# -- pairs -------------------------------------------------------------------------------------------------


def test_of_equal_returns_the_critic_decides_and_by_how_much() -> None:
    """Both earned .5 on the mean, the critic gave 1 and 0: .5 · .5 + .5 · 1 = .75 against .25."""
    group = [line("a", 1.0, 6, 1.0), line("b", 0.0, 6, 1.0), line("c", 0.5, 7, 0.0)]
    (branch,) = branches(group, alpha=0.5).branches
    assert [(choice.value, choice.num_visits) for choice in branch.choices] == [(0.75, 2), (0.25, 1)]
    assert compared(trainer().lesson(0, group)) == [(6, 7)]
    assert compared(trainer(mix=1.0).lesson(0, group)) == []


def test_the_critic_may_outweigh_the_returns_or_have_no_say() -> None:
    """Returns .4 and .6, critic 1 and 0: with alpha .5 .7 against .3, with alpha 1 the returns alone."""
    group = [line("a", 0.4, 6, 1.0), line("b", 0.6, 7, 0.0)]
    assert compared(trainer().lesson(0, group)) == [(6, 7)]
    assert compared(trainer(mix=1.0).lesson(0, group)) == [(7, 6)]
    assert compared(trainer(mix=0.0).lesson(0, group)) == [(6, 7)]


def test_without_a_critic_the_returns_decide_alone() -> None:
    group = [line("a", 0.4, 6, None), line("b", 0.6, 7, None)]
    assert compared(trainer(mix=0.0).lesson(0, group)) == [(7, 6)]


@pytest.mark.parametrize(("threshold", "num"), [(0.1, 3), (0.2, 3), (0.3, 1), (0.5, 0)])
def test_replies_that_differ_by_less_than_the_threshold_are_no_pair(threshold: float, num: int) -> None:
    """Values .2, .4 and .6."""
    group = [line(name, reward, said, None) for name, reward, said in (("a", 0.2, 6), ("b", 0.4, 7), ("c", 0.6, 8))]
    lesson = trainer(threshold=threshold).lesson(0, group)
    assert (lesson.metrics["pairs"], len(lesson.rows)) == (num, 2 * num)
    assert lesson.rejected == ({} if num else {0: "no pair that differs enough"})


def test_by_default_a_tenth_must_lie_between() -> None:
    assert compared(trainer().lesson(0, [line("a", 0.5, 6, None), line("b", 0.55, 7, None)])) == []


def test_lines_compares_the_best_with_the_worst_in_whole() -> None:
    group = [line("a", 0.5, 6, 0.0), line("b", 1.0, 7, 0.0), line("c", 0.0, 8, 1.0)]
    lesson = trainer(learns_from="lines").lesson(0, group)
    assert [row.token_ids.tolist() for row in lesson.rows] == [[1, 5, 4, 2, 7, 4], [1, 5, 4, 2, 8, 4]]
    assert all(row.loss_mask.tolist() == [False, True, True] * 2 for row in lesson.rows)


# -- successes ---------------------------------------------------------------------------------------------


def test_successes_imitates_exactly_the_lines_that_succeeded() -> None:
    group = [line("a", 1.0, 6, None, success=True), line("b", 0.9, 7, None), line("c", 1.0, 8, None, success=True)]
    other = [episode([1.0], [[3, 4]], group="b", ordinal=1), episode([0.0], [[2, 4]], group="b", ordinal=1)]
    imitating = trainer(learns_from="successes")
    lesson = imitating.lesson(0, [*group, *other])
    assert [row.episode for row in lesson.rows] == ["a", "c"]
    assert (lesson.metrics, lesson.rejected) == ({"imitated": 2.0}, {1: "no success"})
    expected = [logprobs[row.places] for row, logprobs in zip(lesson.rows, score(tiny_model(), lesson.rows), strict=True)]
    taught = imitating.learn(0, lesson)
    assert taught["loss"] == pytest.approx(-np.mean([own.mean() for own in expected]), rel=0.2)
    for update in range(1, 10):
        last = imitating.learn(update, lesson)["loss"]
    assert last < taught["loss"]


def test_what_successes_share_is_imitated_once() -> None:
    group = [line("a", 1.0, 6, None, success=True), line("b", 1.0, 7, None, success=True)]
    rows = trainer(learns_from="successes").lesson(0, group).rows
    assert [row.places.tolist() for row in rows] == [[1, 2, 4, 5], [4, 5]]
