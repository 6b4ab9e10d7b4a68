"""What every curriculum promises: draws are a pure function of a state that is JSON, and of train tasks alone."""

from __future__ import annotations

import inspect
import json
import random
from collections.abc import Sequence
from typing import Any

import pytest

import agentgym
from agentgym.curriculum import Curriculum, Outcome, drawn
from agentgym.draw import Draw
from agentgym.errors import UserError
from agentgym.types import TaskId

IDS = agentgym.plugins("curricula").ids()
REQUIRED: dict[str, dict[str, Any]] = {
    "staged": {"stages": [{"name": "hints", "strength": 1, "max_updates": 3}, {"name": "none"}]}
}
"""Settings that a curriculum cannot be made without; one that is new and needs some gets its row here."""
TASKS: list[Sequence[TaskId]] = [range(100, 130), ["a", "b", "c"], [7]]


def made(id: str, tasks: Sequence[TaskId] = TASKS[0], *, seed: int = 3) -> Curriculum:
    curriculum: Curriculum = agentgym.plugins("curricula").build(id, REQUIRED.get(id, {}), tasks, seed=seed)
    curriculum.run_strength = 1.0  # there are augmentations
    return curriculum


def draws(curriculum: Curriculum, ordinals: Sequence[int] = range(60)) -> list[Draw]:
    return [drawn(curriculum, ordinal) for ordinal in ordinals]


def played(curriculum: Curriculum, update: int, size: int = 5) -> list[Outcome]:
    """Outcomes of an update, some of which are void and some an expert's."""
    rng, outcomes = random.Random(update), []
    for ordinal in range(update * size, (update + 1) * size):
        successes = [rng.random() < 0.5 for _ in range(rng.choice([0, 1, 8]))]
        rewards = [float(success) for success in successes]
        draw = drawn(curriculum, ordinal)
        outcomes.append(Outcome(ordinal=ordinal, draw=draw, rewards=rewards, successes=successes, num_void=1))
    return outcomes


def test_there_are_some() -> None:
    assert {"uniform", "frontier"} <= set(IDS)


@pytest.mark.parametrize("id", IDS)
def test_a_curriculum_is_found_by_id_and_complete(id: str) -> None:
    cls: Any = agentgym.plugins("curricula").get(id)
    assert issubclass(cls, Curriculum)
    assert not inspect.isabstract(cls)
    assert {"tasks", "seed"}.isdisjoint(agentgym.plugins("curricula").settings(id).model_fields)
    curriculum = made(id)
    assert (curriculum.tasks, curriculum.seed) == (TASKS[0], 3)
    with pytest.raises(UserError, match="no tasks in this split"):
        made(id, [])


@pytest.mark.parametrize("tasks", TASKS, ids=str)
@pytest.mark.parametrize("id", IDS)
def test_draws_are_of_the_tasks_and_a_function_of_ordinal_and_state(id: str, tasks: Sequence[TaskId]) -> None:
    curriculum = made(id, tasks)
    for update in range(12):
        first = draws(curriculum)
        assert {draw.task for draw in first} <= set(tasks)
        assert draws(curriculum, range(59, -1, -1))[::-1] == first
        state = json.dumps(curriculum.state())
        outcomes = played(curriculum, update)
        assert json.dumps(curriculum.state()) == state  # drawing is no change
        curriculum.learn(outcomes)


@pytest.mark.parametrize("id", IDS)
def test_one_that_comes_back_from_a_checkpoint_goes_on_alike(id: str) -> None:
    one = made(id)
    for update in range(20):
        saved = one.state()
        as_saved = json.dumps(saved)
        other = made(id)
        other.load_state(json.loads(as_saved))
        assert draws(other) == draws(one)
        outcomes = played(one, update)
        for curriculum in (one, other):
            curriculum.learn(outcomes)
        assert draws(other) == draws(one)
        assert other.state() == one.state()
        assert json.dumps(saved) == as_saved  # what was saved is not what goes on


@pytest.mark.parametrize("id", IDS)
def test_the_seed_decides(id: str) -> None:
    assert draws(made(id)) == draws(made(id))
    assert draws(made(id)) != draws(made(id, seed=4))


@pytest.mark.parametrize("id", IDS)
def test_outcomes_that_say_nothing_are_no_trouble(id: str) -> None:
    curriculum = made(id)
    curriculum.learn([])
    curriculum.learn([Outcome(ordinal=0, draw=drawn(curriculum, 0), num_void=4)])
    assert len(draws(curriculum)) == 60
