"""What the vocabulary of a policy made from nothing is taken from."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

import agentgym
from agentgym.corpus import corpus
from agentgym.errors import UserError


class Echo(agentgym.Env):
    """Three tasks of one turn; remembers what it was told."""

    instructions = "Answer."

    def __init__(self, tasks: Sequence[int] = (10, 11, 12), admissible: Sequence[str] = ("a", "b", "c", "d")) -> None:
        self.given, self.admissible = tasks, list(admissible)
        self.asked: list[tuple[Any, Any]] = []
        self.splits: list[str] = []

    def tasks(self, split: str) -> Sequence[int]:
        self.splits.append(split)
        return self.given

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        self.asked.append((seed, (options or {})["task"]))
        return agentgym.Observation(f"task {options['task']}" if options else "", admissible=self.admissible), {}

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        return f"heard {action}", 0.0, True, False, {}


def test_training_tasks_are_played_in_their_order_with_seeds_of_their_own() -> None:
    env = Echo()
    seen, said = asyncio.run(corpus(env))
    assert env.asked == [(0, 10), (1, 11), (2, 12)]
    assert set(env.splits) == {"train"}
    assert [str(each) for each in seen] == [
        "Answer.",
        *(text for task, word in zip((10, 11, 12), said, strict=True) for text in (f"task {task}", f"heard {word}")),
    ]


def test_no_more_episodes_than_the_environment_says() -> None:
    class Two(Echo):
        corpus_episodes = 2

    env = Two()
    asyncio.run(corpus(env))
    assert [task for _, task in env.asked] == [10, 11]


def test_every_time_the_same_is_said_at_random_and_any_of_what_is_listed() -> None:
    many = list(range(40))
    _, said = asyncio.run(corpus(Echo(many)))
    assert set(said) == {"a", "b", "c", "d"}
    assert asyncio.run(corpus(Echo(many)))[1] == said


def test_where_nothing_is_listed_a_word_that_is_shown_is_said() -> None:
    _, said = asyncio.run(corpus(Echo(list(range(40)), admissible=[])))
    assert set(said) <= {"task", *map(str, range(40))}
    assert "task" in said


class Broken(Echo):
    """Breaks in its first turn."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error

    def step(self, action: str) -> Any:
        raise self.error


def test_what_breaks_is_told_with_its_cause_and_what_the_user_can_mend_in_its_own_words() -> None:
    with pytest.raises(UserError, match=r'^the environment "Broken" breaks in its first episodes: .*oops') as told:
        asyncio.run(corpus(Broken(ZeroDivisionError("oops"))))
    assert told.value.__cause__ is not None
    with pytest.raises(UserError, match=r"^the key has run out$"):
        asyncio.run(corpus(Broken(UserError("the key has run out"))))
