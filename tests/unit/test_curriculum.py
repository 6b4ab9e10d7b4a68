"""The order of tasks is a function of the seed, and fair; draws and outcomes are what they should be."""

from __future__ import annotations

import math
from types import MappingProxyType
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentgym import curriculum
from agentgym.curriculum import Curriculum, Outcome, TaskOrder, drawn, grades, outcomes_of, state_of
from agentgym.draw import Draw
from agentgym.errors import UserError
from agentgym.types import Sample, StopReason, Trajectory, Turn


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
        (3, "gave 3, expected an agentgym.draw.Draw"),
        (Draw(task=cast(int, np.int64(3))), r"drew the task np.int64\(3\), expected an int or a str"),
        (Draw(task=True), "drew the task True"),
        (Draw(task=0, strength=1.5), "drew strength 1.5, expected a number from 0 to 1"),
        (Draw(task=0, strength=math.nan), "drew strength nan"),
        (Draw(task=0, level=math.inf), "drew level inf, expected a finite number or None"),
        (Draw(task=0, strength=cast(float, "all")), "drew strength 'all', expected a number from 0 to 1"),
        (Draw(task=0, level=cast(float, "hard")), "drew level 'hard', expected a finite number or None"),
        (Draw(task=0, level=10**400), "drew level 10+, expected a finite number or None"),
        (Draw(task=0, max_turns=0), "drew max_turns 0, expected a whole number from 1 on or None"),
        (Draw(task=0, max_turns=cast(int, 2.5)), "drew max_turns 2.5, expected a whole number"),
        (Draw(task=0, shown_turns=-1), "drew shown_turns -1, expected a whole number from 0"),
        (Draw(task=0, shown_turns=cast(int, True)), "drew shown_turns True"),
        (Draw(task=0, rewards={"success": math.nan}), "drew nan for the reward 'success', expected a number"),
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
    level, strength, max_turns = cast(float, np.int64(3)), cast(float, np.float32(0.5)), cast(int, np.int64(4))
    told = Told(Draw(task=0, level=level, strength=strength, max_turns=max_turns))
    told.run_strength = 1.0
    draw = drawn(told, 0)
    assert (type(draw.level), type(draw.strength), type(draw.max_turns)) == (float, float, int)
    assert (draw.level, draw.strength, draw.max_turns) == (3, 0.5, 4)


@pytest.mark.parametrize(("usual", "strength"), [(None, 0.0), (0.0, 0.0), (0.75, 0.75)])
def test_a_draw_without_a_strength_is_played_as_the_run_says(usual: float | None, strength: float) -> None:
    told = Told(Draw(task=0))
    told.run_strength = usual
    assert drawn(told, 0).strength == strength


def test_no_strength_is_drawn_where_nothing_is_augmented() -> None:
    with pytest.raises(UserError, match=r"drew strength 0\.5, and nothing is augmented; type: --augment error-hints"):
        drawn(Told(Draw(task=0, strength=0.5)), 0)
    assert drawn(Told(Draw(task=0, strength=0.0, options={"strength": 3})), 0).options == {"strength": 3}
    told = Told(Draw(task=0, options={"strength": 3}))
    told.run_strength = 1.0
    with pytest.raises(UserError, match=r'drew the option "strength", which augmentations take'):
        drawn(told, 0)


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
    assert two == Outcome(
        ordinal=2,
        draw=draw,
        rewards=[1.0, 0.5],
        successes=[True, False],
        strengths=[0.5, 0.5],
        logprobs=[None, None],
        num_void=1,
    )
    assert five == Outcome(ordinal=5, draw=draw, rewards=[0.25], successes=[False], strengths=[0.5], logprobs=[None])


def test_what_was_drawn_is_the_most_help_and_the_limit_that_members_had() -> None:
    (one,) = outcomes_of(
        [episode(0, strength=0.0), episode(0, max_turns=4), episode(0, strength=0.0, role="expert", max_turns=None)]
    )
    assert (one.draw.strength, one.draw.max_turns, one.strengths) == (0.5, 4, [0.0, 0.5])


def test_a_log_probability_is_the_mean_over_what_the_policy_sampled() -> None:
    def said(*logprobs: float, **changes: Any) -> Sample:
        mask = [False, *(True for _ in logprobs)]
        columns = {"token_ids": [1] * len(mask), "turn_index": [0] * len(mask), "policy_versions": [0] * len(mask)}
        return Sample(**{**columns, "loss_mask": mask, "logprobs": [0.0, *logprobs], **changes})

    long = episode(0, samples=[said(-1.0, -2.0), said(-6.0)])
    (one,) = outcomes_of([long, episode(0), episode(0, samples=[said()])])
    assert one.logprobs == [-3.0, None, None]


def test_grades_are_means_over_what_has_any() -> None:
    def outcome(**drawn: Any) -> Outcome:
        return Outcome(ordinal=0, draw=Draw(task=0, **drawn))

    assert grades([]) == grades([outcome()]) == {}
    assert grades([outcome(level=0), outcome(level=3), outcome()]) == {"level": 1.5}
    assert grades([outcome(strength=1.0), outcome()]) == {"strength": 0.5}
    assert grades([outcome(max_turns=5), outcome(max_turns=10), outcome()]) == {"turn_limit": 7.5}


def test_success_is_told_by_level_where_levels_are_counted() -> None:
    def outcome(level: float | None, *successes: bool) -> Outcome:
        return Outcome(ordinal=0, draw=Draw(task=0, level=level), successes=successes)

    told = grades(
        [outcome(2.0, True), outcome(0, False), outcome(2, True, False, False), outcome(1), outcome(None, True)]
    )
    assert told == {"level": 1.25, "success_at_level_0": 0.0, "success_at_level_2": 0.5}
    assert grades([outcome(0.25, True)]) == {"level": 0.25}


# -- the frontier ----------------------------------------------------------------------------------------


def test_the_order_is_fixed_for_ever() -> None:
    order = TaskOrder("abcdef", seed=3)
    assert "".join(str(order[n]) for n in range(18)) == "cfebdabcaefdeabcdf"


def test_a_block_is_65536_tasks_for_ever() -> None:
    order = TaskOrder(range(65537), seed=0)
    assert order[65536] == 65536
    assert order[2 * 65537 - 1] == 65536


def test_the_last_block_is_as_long_as_what_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(curriculum, "_BLOCK", 4)
    for count in (4, 5, 8):
        order = TaskOrder(range(count), seed=0)
        assert sorted(order[n] for n in range(count)) == list(range(count))


def test_blocks_of_an_epoch_are_not_shuffled_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(curriculum, "_BLOCK", 20)
    order = TaskOrder(range(40), seed=0)
    first, second = ([order[n] for n in range(begin, begin + 20)] for begin in (0, 20))
    assert [20 + task for task in first] != second  # type: ignore[operator]


def test_a_curriculum_that_says_nothing_more_has_no_state_and_learns_nothing() -> None:
    one = Told(Draw(task=0))
    one.learn([])
    one.load_state({})
    assert (one.state(), state_of(one)) == ({}, {})


def test_the_ends_of_the_scale_are_on_it() -> None:
    for strength in (0, 1):
        told = Told(Draw(task=0, strength=strength))
        told.run_strength = 0.5
        assert drawn(told, 0).strength == strength
    with pytest.raises(UserError, match=r"drew strength -0\.5"):
        drawn(Told(Draw(task=0, strength=-0.5)), 0)
    assert drawn(Told(Draw(task=0, level=-3.0)), 0).level == -3.0


def test_what_cannot_be_shaped_still_says_how_the_policy_does_and_a_task_without_a_name_says_nothing() -> None:
    (one,) = outcomes_of([episode(0, shaping_error="down"), episode(1, task=None)])
    assert (one.ordinal, one.rewards, one.num_void) == (0, [1.0], 0)
    (late,) = outcomes_of([episode(0, stop_reason=StopReason.DEADLINE)])
    assert (late.rewards, late.successes, late.num_void) == ([], [], 1)
