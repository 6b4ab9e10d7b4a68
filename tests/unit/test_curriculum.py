"""The order of tasks is a function of the seed, and fair; draws and outcomes are what they should be; the frontier."""

from __future__ import annotations

import collections
import math
from types import MappingProxyType
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentgym import curriculum
from agentgym.curricula.frontier import Frontier
from agentgym.curricula.uniform import Uniform
from agentgym.curriculum import Curriculum, Outcome, TaskOrder, drawn, grades, outcomes_of, state_of
from agentgym.errors import UserError
from agentgym.types import Draw, StopReason, TaskId, Trajectory, Turn


@given(st.integers(1, 40), st.integers(0, 2**40), st.integers(0, 5))
def test_every_task_comes_once_an_epoch(count: int, seed: int, epoch: int) -> None:
    order = TaskOrder(range(count), seed=seed)
    assert sorted(order[epoch * count + i] for i in range(count)) == list(range(count))


def test_an_ordinal_names_the_same_task_however_it_is_reached() -> None:
    order = TaskOrder("abcdefghij", seed=1)
    forth = [order[i] for i in range(40)]
    assert [TaskOrder("abcdefghij", seed=1)[i] for i in reversed(range(40))][::-1] == forth
    assert forth[:10] != forth[10:20]
    assert forth != [TaskOrder("abcdefghij", seed=2)[i] for i in range(40)]


def test_long_lists_are_shuffled_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(curriculum, "_BLOCK", 4)
    order = TaskOrder(range(10), seed=0)
    for epoch in range(3):
        tasks = [order[epoch * 10 + i] for i in range(10)]
        assert [set(tasks[:4]), set(tasks[4:8]), set(tasks[8:])] == [{0, 1, 2, 3}, {4, 5, 6, 7}, {8, 9}]


def test_no_tasks_are_refused() -> None:
    with pytest.raises(UserError, match="no tasks in this split"):
        TaskOrder([], seed=0)


class Told(Curriculum):
    """Draws what it is told."""

    def __init__(self, told: Any) -> None:
        super().__init__([0], seed=0)
        self.told = told

    def draw(self, ordinal: int) -> Draw:
        return self.told  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("told", "why"),
    [
        (3, "gave 3, expected an agentgym.types.Draw"),
        (Draw(task=cast(int, np.int64(3))), r"drew the task np.int64\(3\), expected an int or a str"),
        (Draw(task=True), "drew the task True"),
        (Draw(task=0, strength=1.5), "drew strength 1.5, expected a number from 0 to 1"),
        (Draw(task=0, strength=math.nan), "drew strength nan"),
        (Draw(task=0, level=math.inf), "drew level inf, expected a finite number or None"),
        (Draw(task=0, strength=cast(float, "all")), "drew strength 'all', expected a number from 0 to 1"),
        (Draw(task=0, level=cast(float, "hard")), "drew level 'hard', expected a finite number or None"),
        (Draw(task=0, level=10**400), "drew level 10+, expected a finite number or None"),
        (Draw(task=0, options={"a": "\ud800"}), "drew options that are no JSON: .*surrogates"),
        (Draw(task=0, options={"a": {1}}), "drew options that are no JSON: Object of type set"),
        (Draw(task=0, options={"a": math.nan}), "drew options that are no JSON"),
    ],
)
def test_what_is_no_draw_is_told(told: Any, why: str) -> None:
    with pytest.raises(UserError, match=f"the curriculum Told, asked for ordinal 4, {why}"):
        drawn(Told(told), 4)


def test_options_are_drawn_as_they_come_back_from_a_checkpoint() -> None:
    draw = drawn(Told(Draw(task="a", options=MappingProxyType({"sizes": (1, 2), "by": {3: "x"}}))), 0)
    assert draw.options == {"sizes": [1, 2], "by": {"3": "x"}}


def episode(ordinal: int | None, reward: float = 1.0, **changes: Any) -> Trajectory:
    turn = Turn(observation="o", reply="r", reward=reward + 5, breakdown={"environment": reward, "shaper": 5.0})
    given = {"task": 7, "success": reward >= 1, "turns": [turn], "options": {"rung": 1}, "level": 1.0, "strength": 0.5}
    return Trajectory(env="x", seed=0, episode_id="e", ordinal=ordinal, **{**given, **changes})


def test_numbers_are_drawn_as_they_come_back_from_a_checkpoint() -> None:
    draw = drawn(Told(Draw(task=0, level=cast(float, np.int64(3)), strength=cast(float, np.float32(0.5)))), 0)
    assert (type(draw.level), type(draw.strength)) == (float, float)
    assert (draw.level, draw.strength) == (3, 0.5)


class Remembers(Curriculum):
    """Has the state that it is given."""

    def __init__(self, kept: Any) -> None:
        super().__init__([0], seed=0)
        self.kept = kept

    def draw(self, ordinal: int) -> Draw:
        return Draw(task=0)

    def state(self) -> dict[str, Any]:
        return self.kept  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("kept", "why"),
    [
        (None, "is None, expected a dict"),
        ({"seen": {1}}, "is no JSON: Object of type set"),
        ({"mean": math.nan}, "is no JSON"),
        ({"solved": [{7: 0.5}]}, "has the key 7, expected text"),
    ],
)
def test_a_state_that_would_come_back_as_something_else_is_told(kept: Any, why: str) -> None:
    with pytest.raises(UserError, match=f"the state of the curriculum Remembers {why}"):
        state_of(Remembers(kept))


def test_outcomes_are_those_of_the_policy_by_itself_in_order() -> None:
    led = [Turn(observation="o", reply="r", role="expert"), Turn(observation="o", reply="r")]
    two, five = outcomes_of(
        [
            episode(5, 0.25, stop_reason=StopReason.TRUNCATED),
            episode(2),
            episode(2, 0.5),
            episode(2, stop_reason=StopReason.ENV_ERROR),
            episode(2, role="expert"),
            episode(2, role="expert", stop_reason=StopReason.ENV_ERROR),
            episode(2, role="partner"),
            episode(2, turns=led),
            episode(None),
            episode(5, role="expert"),
        ]
    )
    draw = Draw(task=7, options={"rung": 1}, level=1.0, strength=0.5)
    assert two == Outcome(ordinal=2, draw=draw, rewards=[1.0, 0.5], successes=[True, False], num_void=1)
    assert five == Outcome(ordinal=5, draw=draw, rewards=[0.25], successes=[False])


def test_grades_are_means_over_what_has_any() -> None:
    def outcome(**drawn: Any) -> Outcome:
        return Outcome(ordinal=0, draw=Draw(task=0, **drawn))

    assert grades([]) == grades([outcome()]) == {}
    assert grades([outcome(level=0), outcome(level=3), outcome()]) == {"level": 1.5}
    assert grades([outcome(strength=1.0), outcome()]) == {"strength": 0.5}


# -- the frontier ----------------------------------------------------------------------------------------


def heard(task: int, *successes: bool) -> Outcome:
    return Outcome(ordinal=0, draw=Draw(task=task), rewards=[float(s) for s in successes], successes=successes)


def shares(frontier: Frontier, num: int = 4000) -> dict[TaskId, float]:
    """How often each task is drawn."""
    drawn = collections.Counter(frontier.draw(ordinal).task for ordinal in range(num))
    return {task: count / num for task, count in drawn.items()}


def test_the_frontier_plays_what_is_solved_at_times_more_often() -> None:
    frontier = Frontier(range(10**6), seed=1, replay=0.5)
    frontier.learn([heard(1, *[True] * 8), heard(2, *[True, False] * 4), heard(3, *[False] * 8)])
    seen = shares(frontier)
    # p (1 - p) of 9/10, 1/2 and 1/10, over their sum 0.43, of half the ordinals; 4,000 draws: 5 deviations are 0.04
    assert [seen[task] for task in (1, 2, 3)] == pytest.approx([0.105, 0.291, 0.105], abs=0.04)
    levels = {draw.task: draw.level for draw in map(frontier.draw, range(200)) if draw.task in (1, 2, 3)}
    assert levels == pytest.approx({1: 0.1, 2: 0.5, 3: 0.9})
    assert {frontier.draw(n).level for n in range(200) if frontier.draw(n).task not in (1, 2, 3)} == {None}


def test_without_replay_or_anything_to_replay_the_frontier_is_uniform() -> None:
    uniform = [Uniform(range(50), seed=3).draw(n).task for n in range(50)]
    assert [Frontier(range(50), seed=3).draw(n).task for n in range(50)] == uniform
    idle = Frontier(range(50), seed=3, replay=0)
    idle.learn([heard(1, True, False)])
    assert [idle.draw(n).task for n in range(50)] == uniform
    only = Frontier(range(50), seed=3, replay=1)
    only.learn([heard(1, True, False)])
    assert {only.draw(n).task for n in range(50)} == {1}


def test_episodes_that_say_nothing_of_the_policy_teach_the_frontier_nothing() -> None:
    frontier = Frontier(range(50), seed=3, replay=1)
    frontier.learn([Outcome(ordinal=0, draw=Draw(task=1), num_void=4)])
    assert frontier.memory == {}


def test_the_frontier_keeps_what_there_is_most_to_learn_from_and_then_the_newest() -> None:
    frontier = Frontier(range(50), seed=3, capacity=2)
    frontier.learn([heard(1, True, False), heard(2, True, True, True), heard(3, False, True)])
    assert list(frontier.memory) == [1, 3]
    frontier.learn([heard(4, True, False), heard(5, False)])
    assert list(frontier.memory) == [3, 4]
    frontier.learn([heard(3, True, False)])
    assert list(frontier.memory) == [4, 3]  # the older episodes of 3 make it no worse


def test_the_frontier_forgets_old_episodes_by_and_by() -> None:
    frontier = Frontier(range(50), seed=3)
    for _ in range(30):
        frontier.learn([heard(1, *[False] * 4)])
    assert frontier.memory[1] == pytest.approx((0, 8))
    frontier.learn([heard(1, *[True] * 4)])
    assert frontier.memory[1] == pytest.approx((4, 8))
