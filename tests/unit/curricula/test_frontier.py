"""The frontier: what is solved at times comes again, as often as its learnability says."""

from __future__ import annotations

import collections
import json

import pytest

from agentgym.curricula.frontier import Frontier
from agentgym.curricula.uniform import Uniform
from agentgym.curriculum import Outcome
from agentgym.draw import Draw
from agentgym.types import TaskId


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


def test_what_is_remembered_comes_back_from_a_checkpoint_and_draws_the_same() -> None:
    one = Frontier(range(50), seed=3, replay=0.5)
    one.learn([heard(4, True, False), heard(2, True, True, False)])
    assert one.state() == {"memory": [[4, 1.0, 2.0], [2, 2.0, 3.0]]}
    other = Frontier(range(50), seed=3, replay=0.5)
    other.load_state(json.loads(json.dumps(one.state())))
    assert other.memory == {4: (1.0, 2.0), 2: (2.0, 3.0)}
    assert [other.draw(n) for n in range(50)] == [one.draw(n) for n in range(50)]


def test_another_seed_draws_others() -> None:
    draws = []
    for seed in (3, 4):
        one = Frontier(range(50), seed=seed, replay=1)
        one.learn([heard(task, True, False) for task in range(20)])
        draws.append([one.draw(n).task for n in range(40)])
    assert draws[0] != draws[1]
    assert len(set(draws[0])) > 10, "and an ordinal draws by itself"


def test_a_draw_is_of_its_ordinal_alone() -> None:
    one = Frontier(range(50), seed=3)
    one.learn([heard(task, True, False) for task in range(5)])
    forth = [one.draw(n) for n in range(20)]
    assert [one.draw(n) for n in reversed(range(20))][::-1] == forth


def test_the_level_is_the_share_of_failures_by_the_rule_of_succession() -> None:
    one = Frontier([1], seed=0)
    assert one.draw(0) == Draw(task=1, level=None)
    one.learn([heard(1, True)])
    assert one.draw(0).level == pytest.approx(1 / 3)  # (1 + 1) of (1 + 2) succeed
    one.learn([heard(1, False, False)])
    assert one.memory[1] == (0.5, 2.5)
    assert one.draw(0).level == pytest.approx(2 / 3)  # 1.5 of 4.5


def test_several_outcomes_of_a_task_count_one_after_the_other() -> None:
    one = Frontier([1], seed=0)
    one.learn([heard(1, True, True), heard(1, False)])
    assert one.memory[1] == (1.0, 2.0)
