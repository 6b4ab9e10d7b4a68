"""Grades by a rubric, and comparisons in both orders."""

from __future__ import annotations

import asyncio

import pytest

import agentgym
from agentgym.critic import wins
from agentgym.critics.judge import JudgeCritic
from agentgym.errors import ConfigError, JudgeError, UserError
from agentgym.types import StopReason, Trajectory
from tests.kit import episode
from tests.unit.rewards.judges import Reads, appointed


def said(reply: str, **changes: object) -> Trajectory:
    one = episode(0.0, **changes)  # type: ignore[arg-type]
    one.turns[0].reply = reply
    return one


def polite(*texts: str) -> str:
    if len(texts) == 1:
        return "8" if "please" in texts[0] else "2"
    return "A" if "please" in texts[0] else "B" if "please" in texts[1] else "tie"


def test_a_grade_counts_from_the_lowest_to_the_highest() -> None:
    critic = appointed(JudgeCritic("Be polite."), Reads(polite))
    assert asyncio.run(critic.score([said("now"), said("please")])) == [0.2, 0.8]
    assert asyncio.run(critic.score([])) == []
    critic = appointed(JudgeCritic("Be polite.", lowest=-2, highest=8), Reads(polite))
    assert asyncio.run(critic.score([said("now"), said("please")])) == [0.4, 1.0]


def test_two_are_compared_in_both_orders() -> None:
    judge = Reads(polite)
    critic = appointed(JudgeCritic("Be polite."), judge)
    assert asyncio.run(critic.compare(said("please"), said("now"))) == 1.0
    assert asyncio.run(critic.compare(said("now"), said("please"))) == 0.0
    assert len(judge.asked) == 2  # the same two questions
    assert asyncio.run(critic.compare(said("a"), said("b"))) == 0.5
    partial = appointed(JudgeCritic("Be polite."), Reads(lambda one, other: "A"))
    assert asyncio.run(partial.compare(said("please"), said("now"))) == 0.5
    assert asyncio.run(wins(critic, [said("now"), said("please"), said("no")])) == [0.25, 1.0, 0.25]


def test_one_that_is_under_way_is_told_to_be() -> None:
    shown: list[str] = []
    critic = appointed(JudgeCritic("Be polite."), Reads(lambda text: shown.append(text) or "5"))  # type: ignore[func-returns-value]
    ended = [said("a"), said("b", terminated=False), said("c", stop=StopReason.TURN_LIMIT)]
    asyncio.run(critic.score(ended))
    assert [text.rpartition('"ended": ')[2] for text in shown] == ['"terminated"}', '"not yet"}', '"turn_limit"}']


def test_one_that_fails_fails_all() -> None:
    critic = appointed(JudgeCritic("Be polite."), Reads(lambda text: "11" if "odd" in text else "3"))
    with pytest.raises(JudgeError, match="the judge's verdict is '11', expected a number from 0 to 10"):
        asyncio.run(critic.score([said("now"), said("odd")]))


def test_it_is_chosen_by_name_and_told_who_judges() -> None:
    critics = agentgym.plugins("critics")
    made = critics.build("judge", {"rubric": "Be polite.", "judge": "policy", "max_calls": 1})
    assert (made.asks.judge, made.asks.max_calls) == ("policy", 1)
    with pytest.raises(UserError, match=r"^critic has no judge to ask"):
        asyncio.run(made.score([said("a")]))
    made.appoint(Reads(polite))
    with pytest.raises(JudgeError, match=r"spent: 1 of --critic\.max_calls 1"):
        asyncio.run(made.score([said("a"), said("b")]))
    with pytest.raises(ConfigError, match=r"critic\.rubric: Field required"):
        critics.build("judge", {})
    with pytest.raises(ConfigError, match=r"critic\.lowest must be below highest, found 3 and 3"):
        critics.build("judge", {"rubric": "a", "lowest": 3, "highest": 3})
