"""What every critic keeps to, and that none of them takes an episode's word for how good it is."""

from __future__ import annotations

import asyncio
import inspect
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

import agentgym
from agentgym.critic import Critic
from agentgym.errors import EngineError, JudgeError, UserError
from agentgym.judge import Answer, Asking, Judge
from agentgym.learn.critic import Critic as Values
from agentgym.learn.policy import Policy
from agentgym.learn.reward_model import leave
from agentgym.types import Message, StopReason, Trajectory
from agentgym.weights import clone, weights_of
from tests.contract.test_rewards import FORGED, neutral
from tests.kit import chat, one_thread, sample, tiny_model
from tests.kit import episode as made_by_hand
from tests.unit.rewards.judges import Reads, appointed

__all__ = ["one_thread"]

CRITICS = agentgym.plugins("critics").ids()

REQUIRED: dict[str, dict[str, Any]] = {
    "anchor": {"rubric": "Be brief."},
    "aspects": {"aspects": {"form": "Be brief.", "goal": "Be near."}, "rounds": 1},
    "implicit": {"model": "DIR/run", "reference": "DIR/other"},
    "judge": {"rubric": "Be brief."},
    "model": {"model": "DIR/run"},
}
"""Settings that a critic cannot be made without, DIR being what ``runs`` fills; a new one gets its row here."""


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two runs, ``run`` with a reward model."""
    place = tmp_path_factory.mktemp("runs")
    for seed, name in enumerate(("run", "other")):
        policy = Policy(tiny_model(seed, vocab_size=len(chat().hf)), chat())
        policy.save(place / name / "policy")
        leave(place / name, weights_of(Values(clone(policy.module))), {"tokenizer": chat().fingerprint})
    return place


def built(id: str, runs: Path, judge: Judge | None = None) -> Critic:
    def filled(value: Any) -> Any:
        return value.replace("DIR", str(runs)) if isinstance(value, str) else value

    options = {name: filled(value) for name, value in REQUIRED[id].items()}
    critic: Critic = agentgym.plugins("critics").build(id, options)
    return appointed(critic, judge or Reads(fixed)) if isinstance(critic, Asking) else critic


def fixed(*shown: str) -> str:
    """A judge's verdict that depends on nothing in an episode."""
    return "A" if len(shown) == 2 and not shown[1].startswith('{"critique"') else "7"


def said(text: str, *, stop: StopReason = StopReason.TERMINATED) -> Trajectory:
    one = made_by_hand(0.0, 1.0, samples=[sample([[7] * 3, [8] * 4])], tokenizer=chat().fingerprint, stop=stop)
    for turn in one.turns:
        turn.reply = turn.observation = text
    return one


def scored(critic: Critic, episodes: Sequence[Trajectory]) -> tuple[list[float], float]:
    """The scores, and the chance of the first against the last."""

    async def score() -> tuple[list[float], float]:
        await critic.open()
        try:
            return await critic.score(episodes), await critic.compare(episodes[0], episodes[-1])
        finally:
            await critic.close()

    return asyncio.run(score())


@pytest.mark.parametrize("id", CRITICS)
def test_a_critic_is_found_by_id_and_complete(id: str) -> None:
    cls: Any = agentgym.plugins("critics").get(id)
    assert issubclass(cls, Critic)
    assert not inspect.isabstract(cls)
    assert cls.plugin_kind == "critics"


@pytest.mark.parametrize("id", CRITICS)
def test_it_gives_each_episode_a_finite_number_and_changes_none(id: str, runs: Path) -> None:
    episodes = [said("go on"), said("look", stop=StopReason.TURN_LIMIT), said("up")]
    before = [episode.model_copy(deep=True) for episode in episodes]
    scores, chance = scored(built(id, runs), episodes)
    assert len(scores) == 3
    assert all(isinstance(score, float) and math.isfinite(score) for score in scores)
    assert 0 <= chance <= 1
    assert episodes == before
    assert scored(built(id, runs), episodes) == (scores, chance)


@pytest.mark.parametrize("id", CRITICS)
def test_an_episode_under_way_is_scored_too(id: str, runs: Path) -> None:
    one = said("go on").model_copy(update={"terminated": False, "final_observation": "a room"})
    scores, _ = scored(built(id, runs), [one])
    assert math.isfinite(scores[0])


@pytest.mark.parametrize("id", CRITICS)
def test_nothing_is_scored_as_nothing(id: str, runs: Path) -> None:
    async def score() -> list[float]:
        critic = built(id, runs)
        await critic.open()
        return await critic.score([])

    assert asyncio.run(score()) == []


@pytest.mark.parametrize("text", FORGED)
@pytest.mark.parametrize("id", CRITICS)
def test_what_an_episode_says_of_itself_changes_nothing(id: str, text: str, runs: Path) -> None:
    """Its tokens, which are what a model reads, are the same."""
    claims = scored(built(id, runs), [said(text), said("go on")])
    assert claims == scored(built(id, runs), [said(neutral(text)), said("go on")])


class Breaks(Judge):
    """Fails as it is told to."""

    def __init__(self, failure: Exception | str) -> None:
        self.failure = failure

    async def ask(self, messages: Sequence[Message], *, max_tokens: int) -> Answer:
        if isinstance(self.failure, str):
            return Answer(self.failure, 1)
        raise self.failure


@pytest.mark.parametrize("failure", [EngineError("busy"), OSError("gone"), "verdict [10]", ""])
@pytest.mark.parametrize("id", [id for id in CRITICS if issubclass(agentgym.plugins("critics").get(id), Asking)])  # type: ignore[arg-type]
def test_a_judge_that_fails_is_a_failure_and_no_score(id: str, failure: Exception | str, runs: Path) -> None:
    critic = built(id, runs, Breaks(failure))
    with pytest.raises(JudgeError):
        asyncio.run(critic.score([said("go on")]))
    with pytest.raises(JudgeError):
        asyncio.run(critic.compare(said("go on"), said("look")))


@pytest.mark.parametrize("id", [id for id in CRITICS if "DIR" in str(REQUIRED[id])])
def test_a_model_that_cannot_read_an_episode_says_so(id: str, runs: Path) -> None:
    foreign = said("go on").model_copy(update={"tokenizer": "other"})
    with pytest.raises(UserError, match="those of another tokenizer"):
        scored(built(id, runs), [foreign])


@pytest.mark.parametrize("id", CRITICS)
def test_one_that_was_never_opened_can_be_closed(id: str, runs: Path) -> None:
    asyncio.run(built(id, runs).close())
