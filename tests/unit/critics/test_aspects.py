"""Aspects, their weights, and critiques that are read again."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from typing import Any

import pytest

from agentgym.critics.aspects import Aspects
from agentgym.errors import ConfigError, JudgeError
from agentgym.judge import Answer, Judge
from agentgym.types import Message
from tests.kit import episode
from tests.unit.rewards.judges import Reads, appointed

ASPECTS = {"goal": "Is it nearer to its goal?", "form": "Is it well said?"}


class Revises(Judge):
    """Grades 2, and one more each time that it reads what it wrote."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def ask(self, messages: Sequence[Message], *, max_tokens: int) -> Answer:
        text = str(messages[-1]["content"])
        self.asked.append(text)
        mark = re.findall(r"verdict ([0-9a-f]{16}) \[", text)[-1]
        was = re.findall(r"grade (\d)", text)
        grade = int(was[-1]) + 1 if was else 2
        return Answer(f"I give it the grade {grade}.\nverdict {mark} [{grade}]", 10)


class Knows(Judge):
    """10 for what is asked of the goal, 5 for what is asked of the form."""

    async def ask(self, messages: Sequence[Message], *, max_tokens: int) -> Answer:
        text = str(messages[-1]["content"])
        mark = re.findall(r"verdict ([0-9a-f]{16}) \[", text)[-1]
        return Answer(f"verdict {mark} [{10 if ASPECTS['goal'] in text else 5}]", 10)


def scored(critic: Aspects, judge: Judge) -> list[float]:
    scores: list[float] = asyncio.run(appointed(critic, judge).score([episode(0.0)]))
    return scores


def test_aspects_are_asked_by_themselves_and_weighted() -> None:
    assert scored(Aspects(ASPECTS), Knows()) == [0.75]
    assert scored(Aspects(ASPECTS, weights={"goal": 3.0}), Knows()) == [0.875]
    assert scored(Aspects(ASPECTS, weights={"form": 4.0}), Knows()) == [0.6]
    critic = appointed(Aspects(ASPECTS), Knows())
    assert asyncio.run(critic.grades(episode(0.0))) == {"goal": 1.0, "form": 0.5}


def test_two_are_compared_by_all_aspects_at_once() -> None:
    judge = Reads(lambda one, other: "A")
    critic = appointed(Aspects(ASPECTS), judge)
    assert asyncio.run(critic.compare(episode(0.0), episode(0.0, 0.0))) == 0.5
    assert critic.rubric == "Is it nearer to its goal?\nIs it well said?"


def test_a_critique_is_read_again_as_data() -> None:
    judge = Revises()
    assert scored(Aspects({"goal": "Is it near?"}, rounds=2), judge) == [0.4]
    assert len(judge.asked) == 3
    assert '{"critique": "I give it the grade 3.\\nverdict ' in judge.asked[2]
    assert all("Is it near?" in text for text in judge.asked)
    assert scored(Aspects({"goal": "Is it near?"}), Revises()) == [0.2]


def test_one_grade_that_is_none_fails_the_whole() -> None:
    with pytest.raises(JudgeError, match="expected a number from 0 to 10"):
        scored(Aspects(ASPECTS), Reads(lambda text: "good"))


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"weights": {"style": 2.0}}, 'critic.weights has "style", which is no aspect; expected goal, form'),
        ({"lowest": 1, "highest": 1}, "critic.lowest must be below highest"),
    ],
)
def test_settings_that_do_not_go_together(settings: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        Aspects(ASPECTS, **settings)
