"""Gymnasium's check, splits, and how often an expert may lose."""

from __future__ import annotations

import warnings
from typing import Any

import pytest

from agentgym import doctor
from agentgym.errors import EnvError
from tests.unit.doctor.kit import Alone, Result, Sound, Start, Tasked, written_down


def test_gymnasium_finds_nothing_in_a_sound_environment_and_advises_on_nothing() -> None:
    env, log = written_down()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert doctor.passes_gymnasium(env) == "check_env raises nothing"
    assert log[-1] == "1 closes"
    assert "1 steps" in log


def test_gymnasium_is_asked_of_an_async_environment_too() -> None:
    class Later(Sound):
        async def reset(self, *, seed: int | None = None, options: Any = None) -> Start:  # type: ignore[override]
            return super().reset(seed=seed, options=options)

    assert doctor.passes_gymnasium(Later) == "check_env raises nothing"


class Split(Sound):
    """Has the tasks that a test gives it."""

    given: Any = None

    def tasks(self, split: str) -> Any:
        return self.given[split]


def split(train: Any, validation: Any, test: Any) -> type[Sound]:
    return type("Split", (Split,), {"given": {"train": train, "validation": validation, "test": test}})


@pytest.mark.parametrize(
    "env",
    [
        Sound,
        Tasked,
        split([1, 2], [3], ["1"]),
        split(range(5), range(5, 7), range(7, 9)),
        split(range(0, 9, 3), range(1, 9, 3), range(2, 9, 3)),
    ],
)
def test_splits_that_share_nothing_pass(env: type[Sound]) -> None:
    assert not isinstance(doctor.has_disjoint_splits(env), doctor.Remark)


def test_the_sizes_of_splits_are_told() -> None:
    assert doctor.has_disjoint_splits(Sound) == "1000000 train, 1000 validation, 1000 test"


@pytest.mark.parametrize(
    ("env", "words"),
    [
        (split([], [1], [2]), r'tasks\("train"\) is empty'),
        (split([1], [], [2]), r'tasks\("validation"\) is empty'),
        (split([1], [2.5], [2]), r"a task id is a number or text, found 2\.5$"),
        (split(["x" * 200, 3.0], [("y" * 200,)], [2]), r"found \('y{78}$"),
        (split([1, 2], [3], [2, 4]), r'tasks\("train"\) and tasks\("test"\) share \[2\]$'),
        (split([1, 2, 3, 4], [4, 3, 2], [5]), r'tasks\("train"\) and tasks\("validation"\) share \[2, 3, 4\]$'),
        (split([*"abcdefg"], [*"gfedcba"], [5]), r"share \['a', 'b', 'c', 'd', 'e'\]$"),
        (split(range(6), range(5, 7), range(7, 9)), r"share \[5\]$"),
        (split(range(5, 9), range(3, 6), range(9, 10)), r"share \[5\]$"),
        (split(range(0, 9, 3), range(6, 9), range(9, 10)), r"share \[6\]$"),
        (split(range(2), range(2, 9, 2), [4]), r'tasks\("validation"\) and tasks\("test"\) share \[4\]$'),
    ],
)
def test_what_is_wrong_with_splits_is_told(env: type[Sound], words: str) -> None:
    with pytest.raises(EnvError, match=words):
        doctor.has_disjoint_splits(env)


class LosesSome(Tasked):
    """The expert loses the tasks named here."""

    lost: frozenset[str] = frozenset()

    def step(self, action: str) -> Result:
        self.said.append(action)
        return "?", 0.0, len(self.said) == 2, False, {"success": self.task not in self.lost and action == "anything"}


def losing(*numbers: int) -> type[Sound]:
    return type("LosesSome", (LosesSome,), {"lost": frozenset(f"test {number}" for number in numbers)})


def test_an_expert_may_lose_one_of_ten() -> None:
    assert doctor.wins_as_expert(losing(), 600.0) == "the expert won 20 of 20 episodes of test tasks"
    assert doctor.wins_as_expert(losing(3, 8), 600.0) == "the expert won 18 of 20 episodes of test tasks"
    with pytest.raises(
        EnvError, match=r"^the expert lost 3 of 20: \(task, seed\) \[\('test 3', 103\), .*'test 9', 109"
    ):
        doctor.wins_as_expert(losing(3, 8, 9), 600.0)
    assert doctor.wins_as_expert(losing(), 600.0, 10) == "the expert won 10 of 10 episodes of test tasks"


def test_five_of_the_lost_are_told() -> None:
    with pytest.raises(EnvError, match=r"lost 6 of 20: .*\('test 4', 104\)\]$"):
        doctor.wins_as_expert(losing(0, 1, 2, 3, 4, 5), 600.0)


def test_a_slow_expert_plays_three_episodes() -> None:
    assert doctor.wins_as_expert(losing(5), -1.0) == "the expert won 3 of 3 episodes of test tasks"


def test_where_there_is_no_expert_nothing_is_asked_of_it() -> None:
    found = doctor.wins_as_expert(Alone)
    assert isinstance(found, doctor.Remark)
    assert found == "left out: there is no expert()"


def test_where_chance_decides_the_expert_wins_more_often_than_random_actions() -> None:
    unlucky = type("Unlucky", (losing(3, 8, 9),), {"expert_may_lose": True})
    found = doctor.wins_as_expert(unlucky, 600.0)
    assert isinstance(found, doctor.Remark)
    assert found == "won 10 of 13 by the expert, 0 by random actions: this one may lose", "clear by then: 10 > 3 √10"
    with pytest.raises(EnvError, match=r"^won 0 of 20 by the expert, 0 by random actions: this is no expert$"):
        doctor.wins_as_expert(type("Never", (losing(*range(20)),), {"expert_may_lose": True}), 600.0)
    lucky = type("Lucky", (losing(),), {"expert_may_lose": True})
    assert doctor.wins_as_expert(lucky, 600.0) == "the expert won 20 of 20 episodes of test tasks"


def test_luck_in_the_first_episodes_accuses_no_expert() -> None:
    """One of three against one of three, and then 12 of 14 against 1, which is clear: 11 > 3 √13."""

    class Lucky(losing(0, 1)):  # type: ignore[misc]
        expert_may_lose = True

        def step(self, action: str) -> Result:
            *seen, info = super().step(action)
            return *seen, {"success": info["success"] or (self.task == "test 0" and action != "anything")}

    assert doctor.wins_as_expert(Lucky, -1.0) == "won 12 of 14 by the expert, 1 by random actions: this one may lose"
