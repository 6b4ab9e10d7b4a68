"""Agent Q: what it learns from, how a critic counts, and what its reference is."""

from __future__ import annotations

import asyncio
from typing import Any

import numpy as np
import pytest

from agentgym.actors.embedded.engine import EmbeddedEngine
from agentgym.config import validated
from agentgym.errors import ConfigError
from agentgym.learn.forward import score
from agentgym.learn.trainer import Lesson
from agentgym.pairs import branches
from agentgym.protocols.plain import Plain
from agentgym.registry import EnvFactory
from agentgym.rollout import EpisodeSpec, Limits, Rollout, engine_actor
from agentgym.search import Table
from agentgym.searches.mcts import MCTS
from agentgym.trainers.agent_q import AgentQ, AgentQSettings
from agentgym.types import Trajectory
from tests.kit import chat, one_thread, tiny_model
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
    expected = [
        logprobs[row.places] for row, logprobs in zip(lesson.rows, score(tiny_model(), lesson.rows), strict=True)
    ]
    taught = imitating.learn(0, lesson)
    assert taught["loss"] == pytest.approx(-np.mean([own.mean() for own in expected]), rel=0.2)
    for update in range(1, 10):
        last = imitating.learn(update, lesson)["loss"]
    assert last < taught["loss"]


def test_what_successes_share_counts_as_often_as_it_led_to_success() -> None:
    group = [line("a", 1.0, 6, None, success=True), line("b", 1.0, 7, None, success=True)]
    rows = trainer(learns_from="successes").lesson(0, group).rows
    assert [row.places.tolist() for row in rows] == [[1, 2, 4, 5]] * 2


def test_what_is_imitated_needs_no_reference_and_may_be_sampled_at_any_temperature() -> None:
    made = AgentQ(AgentQSettings(learning_rate=1e-3, learns_from="successes"))
    assert equipped(made, tiny_model(), temperature=0.7) is made
    with pytest.raises(ConfigError, match="the stored log-probabilities are those of the tempered policy"):
        equipped(AgentQ(AgentQSettings(learning_rate=1e-3)), tiny_model(), temperature=0.7)


# -- the reference -----------------------------------------------------------------------------------------

TOKENIZER = chat()
VOCABULARY = len(TOKENIZER.hf)


def searched(model: Any) -> list[Trajectory]:
    """The lines of a tree that ``model`` played, of which the later ones are made to have earned more."""

    async def go() -> list[Trajectory]:
        engine = EmbeddedEngine(model, max_sessions=24)
        limits = Limits(max_turns=3, max_reply_tokens=6)
        rollout = Rollout(
            EnvFactory("blocksworld", {"level": "b3"}), TOKENIZER, Plain(), limits=limits, max_context=2048
        )
        table = Table(rollout=rollout, engine=engine, actor=engine_actor(engine, temperature=1.0))
        specs = [
            EpisodeSpec(task=1, seed=1, member=member, group_id="0-0", ordinal=0, episode_id=f"0-0-{member}")
            for member in range(6)
        ]
        try:
            return (await MCTS(proposals=3).play(table, specs)).lines
        finally:
            await rollout.close()

    lines = asyncio.run(go())
    for number, found in enumerate(lines):
        found.turns[-1].reward = float(number)
    return lines


def test_the_stored_reference_is_what_the_learner_itself_gives_the_replies() -> None:
    model = tiny_model(vocab_size=VOCABULARY, max_position_embeddings=2048)
    lines = searched(model)
    assert len(lines) == 6
    assert any(line.branch_turn for line in lines)
    made = equipped(AgentQ(AgentQSettings(learning_rate=1e-3)), model)
    rows = made.lesson(0, lines).rows
    assert len(rows) >= 6
    for row, logprobs in zip(rows, score(model, rows), strict=True):
        assert row.reference_logprobs is not None
        assert row.reference_logprobs[row.places] == pytest.approx(logprobs[row.places], abs=1e-5)
        assert logprobs[row.places].max() < -1e-3  # it was not sure


def test_the_first_step_is_taken_at_the_reference() -> None:
    """Both log-ratios are 0 there, and the loss ln 2, whatever is compared."""
    model = tiny_model(vocab_size=VOCABULARY, max_position_embeddings=2048)
    made = equipped(AgentQ(AgentQSettings(learning_rate=1e-3, epochs=1)), model)
    assert made.learn(0, made.lesson(0, searched(model)))["loss"] == pytest.approx(np.log(2), abs=1e-4)
