"""From the end to the beginning, with an expert who plays the first turns."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from agentgym.curricula.reverse import Reverse
from agentgym.curriculum import Outcome, drawn, outcomes_of, state_of
from agentgym.draw import Draw
from agentgym.errors import ConfigError
from agentgym.types import Turn
from tests.kit import episode


def heard(shown: int, *successes: bool) -> Outcome:
    return Outcome(ordinal=0, draw=Draw(task=0, shown_turns=shown), successes=successes)


def test_one_of_so_many_begins_at_the_beginning() -> None:
    curriculum = Reverse(range(50), seed=1, start=5, every=4)
    draws = [drawn(curriculum, n) for n in range(8)]
    assert [draw.shown_turns for draw in draws] == [5, 5, 5, 0, 5, 5, 5, 0]
    assert [draw.level for draw in draws[:4]] == [0, 0, 0, 5]


def test_the_expert_plays_a_turn_fewer_where_success_is_frequent_and_one_more_where_it_is_rare() -> None:
    curriculum = Reverse(range(50), seed=1, start=5, evidence=8)
    curriculum.learn([heard(5, *[True] * 7)])
    assert curriculum.shown == 5, "seven episodes are no evidence"
    curriculum.learn([heard(0, *[True] * 9)])
    assert curriculum.shown == 5, "those from the beginning say nothing of this start"
    curriculum.learn([heard(5, *[False] * 3)])
    assert (curriculum.shown, curriculum.counts) == (4, (0.0, 0.0))
    curriculum.learn([heard(4, *[True, False, False, False] * 3)])
    assert curriculum.shown == 4
    curriculum.learn([heard(4, *[False] * 24)])
    assert curriculum.shown == 5
    curriculum.learn([heard(5, *[False] * 8)])
    assert curriculum.shown == 5, "no later than where it began"


def test_at_the_beginning_it_stays() -> None:
    curriculum = Reverse(range(50), seed=1, start=1, evidence=4)
    for shown in (1, 0, 0):
        curriculum.learn([heard(shown, *[True] * 4)])
    assert (curriculum.shown, drawn(curriculum, 0).shown_turns) == (0, 0)
    assert curriculum.report() == {"shown_turns": {"first": 1, "last": 0}}


def test_it_comes_back_from_a_checkpoint() -> None:
    one, other = (Reverse(range(50), seed=1, start=6, evidence=8) for _ in range(2))
    one.learn([heard(6, *[True] * 8)])
    one.learn([heard(5, *[True] * 4)])
    other.load_state(json.loads(json.dumps(state_of(one))))
    for curriculum in (one, other):
        curriculum.learn([heard(5, *[True] * 7)])
    assert state_of(other) == state_of(one) == {"shown": 4, "counts": [0.0, 0.0]}


def test_it_starts_learning_where_the_beginning_alone_is_never_paid() -> None:
    """A corridor of ten turns: each is right with its own probability, which rises where the end is reached."""

    def episodes(curriculum: Any) -> int | None:
        rng, right = np.random.default_rng(0), np.full(10, 0.2)
        for update in range(400):
            outcomes = []
            for ordinal in range(update * 8, update * 8 + 8):
                draw = drawn(curriculum, ordinal) if curriculum else Draw(task=0)
                begin = min(draw.shown_turns, 10)
                wins = [bool((rng.random(10 - begin) < right[begin:]).all()) for _ in range(4)]
                if 0 < sum(wins) < 4:
                    right[begin:] += 0.05 * (1 - right[begin:])
                outcomes.append(Outcome(ordinal=ordinal, draw=draw, successes=wins))
            if curriculum:
                curriculum.learn(outcomes)
            if right.prod() > 0.5:
                return 32 * update
        return None

    assert episodes(None) is None
    found = episodes(Reverse(range(50), seed=0, start=9))
    assert found is not None
    assert found < 6000


def test_episodes_that_a_draw_has_an_expert_begin_are_the_policys_own() -> None:
    """And those that a trainer has an expert begin, in a group that begins at the beginning, are not."""

    def begun(shown: int, success: bool) -> Any:
        turns = [Turn(observation="o", reply="r", role="expert" if n < shown else None) for n in range(3)]
        return episode(success=success, ordinal=0, task=0, turns=turns, shown_turns=shown)

    (led,) = outcomes_of([begun(2, True), begun(2, False)])
    assert (led.draw.shown_turns, list(led.successes)) == (2, [True, False])
    (mixed,) = outcomes_of([begun(2, True), begun(0, False)])
    assert (mixed.draw.shown_turns, list(mixed.successes)) == (0, [False])


def test_bounds_that_leave_no_room_are_told() -> None:
    with pytest.raises(ConfigError, match=r"low must be below curriculum.high, found 0.5 and 0.5"):
        Reverse(range(5), seed=0, low=0.5)
