"""What every trainer does by itself: which episodes are asked for, and in which steps rows are learned."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from agentgym.curricula.uniform import Uniform
from agentgym.learn.learner import StoppedError
from agentgym.learn.players import Players
from agentgym.learn.rows import Row
from agentgym.learn.trainer import Lesson
from agentgym.rollout import EpisodeSpec
from agentgym.types import Trajectory
from tests.kit import episode, row
from tests.unit.launch.kit import Pupil


class Counting:
    """In place of a learner: keeps what it is given, and is worse in every step by 1."""

    def __init__(self) -> None:
        self.steps: list[list[int]] = []
        self.objectives: list[Any] = []
        self.idle: list[float] = []

    def update(self, rows: Sequence[Row], objective: Any, *, idle: float, stops: Any) -> dict[str, float]:
        found = {"loss": len(self.steps) + 1.0, "norm": 1.0}
        if stops is not None and stops(found):
            raise StoppedError
        self.steps.append([row.token_ids[0] for row in rows])
        self.objectives.append(objective)
        self.idle.append(idle)
        return found


def rows(num: int, **changes: Any) -> list[Row]:
    """Their first tokens are 0, 1, …"""
    return [row(4, token_ids=[number, 0, 0, 0], **changes) for number in range(num)]


def stepped(
    given: list[Row], *, update: int = 0, objective: Any = None, **settings: Any
) -> tuple[Counting, dict[str, float]]:
    learner: Any = Counting()
    found = Pupil(**settings).steps(learner, given, update, objective=objective)
    return learner, found


def test_one_step_has_the_rows_as_they_are() -> None:
    learner, found = stepped(rows(5))
    assert learner.steps == [[0, 1, 2, 3, 4]]
    assert found == {"loss": 1.0, "norm": 1.0, "optimizer_steps": 1.0}


def test_every_pass_sees_every_row_once_in_parts_of_like_size_and_in_another_order() -> None:
    learner, found = stepped(rows(9), epochs=2, minibatches=4)
    assert [len(step) for step in learner.steps] == [3, 2, 2, 2] * 2
    first, second = (sum(learner.steps[place : place + 4], []) for place in (0, 4))  # noqa: RUF017
    assert sorted(first) == sorted(second) == list(range(9))
    assert first != second
    assert first != list(range(9))
    assert found == {"loss": 4.5, "norm": 1.0, "optimizer_steps": 8.0}  # the mean of 1 to 8


def test_the_number_of_the_update_decides_the_order_and_nothing_else_does() -> None:
    orders = [stepped(rows(9), update=update, minibatches=3)[0].steps for update in (4, 4, 5)]
    assert orders[0] == orders[1] != orders[2]


def test_rows_of_a_unit_stay_together_and_others_go_alone() -> None:
    paired = [each for unit in range(3) for each in rows(2, unit=unit)]
    for number, each in enumerate(paired):
        each.token_ids[0] = number
    learner, _ = stepped(paired, minibatches=3)
    assert sorted(learner.steps) == [[0, 1], [2, 3], [4, 5]]
    learner, _ = stepped(rows(3), minibatches=3)
    assert sorted(learner.steps) == [[0], [1], [2]]


def test_a_part_without_a_trained_token_is_no_step() -> None:
    given = [*rows(1), row(4, loss_mask=[False] * 4)]
    learner, found = stepped(given, minibatches=2)
    assert learner.steps == [[0]]
    assert (found["loss"], found["optimizer_steps"]) == (1.0, 1.0)


def test_the_objective_is_the_trainers_own_unless_another_is_given() -> None:
    trainer, learner, other = Pupil(), Counting(), object()
    given: Any = learner
    trainer.steps(given, rows(1), 0)
    trainer.steps(given, rows(1), 0, objective=other)  # type: ignore[arg-type]
    assert learner.objectives == [trainer.objective, other]


class Early(Pupil):
    """Ends an update before its third step; its first is never in question."""

    def stops(self, metrics: Mapping[str, float]) -> bool:
        return metrics["loss"] != 2.0


def test_an_update_ends_before_the_step_that_the_trainer_refuses_under_its_own_objective() -> None:
    learner: Any = Counting()
    found = Early(epochs=2, minibatches=2).steps(learner, rows(4), 0)
    assert found == {"loss": 1.5, "norm": 1.0, "optimizer_steps": 2.0}
    learner = Counting()
    other: Any = object()
    assert Early(epochs=2, minibatches=2).steps(learner, rows(4), 0, objective=other)["optimizer_steps"] == 4.0


def test_idle_episodes_are_shared_out_to_the_parts() -> None:
    learner: Any = Counting()
    Pupil(epochs=2, minibatches=4).steps(learner, rows(8), 0, idle=6.0)
    assert learner.idle == [1.5] * 8


@pytest.mark.parametrize(("epochs", "minibatches", "num"), [(1, 1, 1), (2, 3, 6), (3, 1, 3), (1, 4, 4)])
def test_steps_are_passes_times_parts(epochs: int, minibatches: int, num: int) -> None:
    assert Pupil(epochs=epochs, minibatches=minibatches).num_steps == num


class Own(Pupil):
    """Has others play."""

    async def play(self, update: int, players: Players) -> list[Trajectory]:
        return []


def test_who_has_others_play_cannot_play_ahead() -> None:
    assert Pupil().plays_ahead
    assert not Own().plays_ahead


def test_the_policy_plays_what_the_update_asks_for() -> None:
    asked: list[EpisodeSpec] = []

    class Playing:
        draws = Uniform([5, 6, 7], seed=0)

        async def policy(self, specs: Sequence[EpisodeSpec]) -> list[Trajectory]:
            asked.extend(specs)
            return [episode(0.0) for _ in specs]

    players: Any = Playing()
    assert len(asyncio.run(Pupil().play(3, players))) == 1
    assert [(spec.ordinal, spec.task) for spec in asked] == [(3, Playing.draws.draw(3).task)]


def test_a_trainer_that_says_nothing_keeps_nothing_and_needs_nobody() -> None:
    trainer = Pupil()
    assert (trainer.learners(), trainer.modules(), trainer.needs_expert, trainer.plays) == ({}, {}, False, True)
    assert (trainer.plays_policy, Lesson([]).rejected, Lesson([]).metrics) == (True, {}, {})
