"""The environment as a whole: episodes by hand, its expert, rewards, snapshots, and no surprise under any action."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import agentgym
from agentgym.environments.blocksworld import BlocksWorld
from agentgym.environments.blocksworld.env import LEVELS, Level
from agentgym.environments.blocksworld.planner import shortest_plan
from agentgym.environments.blocksworld.world import World
from agentgym.errors import ConfigError, UserError
from agentgym.types import Observation
from tests.unit.environments.blocksworld_kit import distances, facts


def at(initial: list[str], wanted: list[str], **options: Any) -> BlocksWorld:
    """An environment at a problem of one's own."""
    env = BlocksWorld(level="b3", **options)
    env.reset(seed=0)
    world = World.of(initial).as_json()
    env.set_state({"initial": world, "goal": World.of(wanted).as_json(), "world": world})
    return env


def played(env: BlocksWorld, *actions: str) -> list[tuple[str, float, bool, bool, dict[str, Any]]]:
    return [env.step(action) for action in actions]


def info(progress: float, **others: Any) -> dict[str, Any]:
    return {"channels": {"progress": progress}, **others}


def test_an_episode_by_hand() -> None:
    """The Sussman anomaly: c stands on a, and a shall stand on b, b on c."""
    env = at(["ca", "b"], ["abc"])
    assert played(
        env, "unstack c from a", "put down c", "pick up a", "stack a on c", "pick up b", "unstack a from c"
    ) == [
        ("a from table, b from table, hand c. to do: c on table. b on c. a on b.", 0, False, False, info(0)),
        ("a from table, b from table, c from table, hand empty. to do: b on c. a on b.", 0, False, False, info(1 / 3)),
        ("b from table, c from table, hand a. to do: b on c. a on b.", 0, False, False, info(1 / 3)),
        ("b from table, a from c, c from table, hand empty. to do: b on c. a on b.", 0, False, False, info(1 / 3)),
        ("a from c, c from table, hand b. to do: b on c. a on b.", 0, False, False, info(1 / 3)),
        (
            "a from c, c from table, hand b. to do: b on c. a on b.",
            0,
            False,
            False,
            info(1 / 3, invalid_action="the hand is not empty: it holds b"),
        ),
    ]
    assert played(
        env, "stack b on c", "put down b", "unstack a from c", "put down a", "pick up b", "stack b on c", "pick up a"
    )[-1] == ("b from c, c from table, hand a. to do: a on b.", 0, False, False, info(2 / 3))
    assert env.step("stack a on b") == (
        "a from b, b from c, c from table, hand empty. to do: nothing.",
        1,
        True,
        False,
        info(1, success=True),
    )


def test_dense_rewards_by_hand() -> None:
    """Nothing is in place at first, so each of the three blocks is worth 1/3, and costs that when it is moved away."""
    env = at(["ca", "b"], ["abc"], reward="dense")
    actions = ["unstack c from a", "put down c", "pick up b", "stack b on c", "unstack b from c", "stack b on c"]
    assert [step[1] for step in played(env, *actions)] == pytest.approx([0, 1 / 3, 0, 1 / 3, -1 / 3, 1 / 3])
    assert [step[1] for step in played(env, "put down b", "pick up a", "stack a on b")] == pytest.approx([0, 0, 1 / 3])


def test_dense_rewards_do_not_pay_twice_what_was_there_at_first() -> None:
    """c is in place at first: only a and b are worth something, 1/2 each."""
    env = at(["c", "a", "b"], ["abc"], reward="dense")
    steps = played(env, "pick up c", "put down c", "pick up b", "stack b on c", "pick up a", "stack a on b")
    assert [step[1] for step in steps] == [0, 0, 0, 0.5, 0, 0.5]


def test_the_whole_goal_and_the_admissible_actions_are_shown_if_asked_for() -> None:
    env = at(["ca", "b"], ["bc", "a"], goal="whole", show_admissible=True)
    seen = env.step("unstack c from a")[0]
    assert seen == (
        "a from table, b from table, hand c. goal: c on table. b on c. a on table. can: put down c, stack c on a, "
        "stack c on b."
    )
    assert Observation.of(seen).admissible == ("put down c", "stack c on a", "stack c on b")


@pytest.mark.parametrize("level", ["b3", "b4", "b5", "b6"])
def test_the_expert_solves_200_problems_in_as_few_turns_as_can_be(level: Level) -> None:
    env = BlocksWorld(level=level)
    expert = env.expert()
    for task in env.tasks("test")[:200]:
        observation: str = env.reset(options={"task": task})[0]
        optimum = len(shortest_plan(env.world, env.problem.goal))
        if level in ("b3", "b4") and task % 10 == 0:
            assert optimum == distances(env.problem.goal)[facts(env.world)]
        turns, over = 0, False
        while not over:
            assert turns < optimum <= env.max_turns
            observation, _, over, _, info = env.step(expert(Observation.of(observation)))
            turns += 1
            assert "invalid_action" not in info
        assert info["success"]
        assert turns == optimum


def test_turns_are_about_twice_the_mean_of_the_shortest_plans() -> None:
    for level, max_turns in LEVELS.items():
        env = BlocksWorld(level=level)
        lengths = []
        for task in env.tasks("train")[:300]:
            env.reset(options={"task": task})
            lengths.append(len(shortest_plan(env.world, env.problem.goal)))
        assert max(lengths) <= max_turns
        assert max_turns == pytest.approx(2 * sum(lengths) / len(lengths), rel=0.1)


@settings(max_examples=40, deadline=None)
@given(level=st.sampled_from(list(LEVELS)), task=st.integers(0, 999), choices=st.lists(st.integers(0, 30), max_size=40))
def test_random_walks(level: Level, task: int, choices: list[int]) -> None:
    """Admissible actions have an effect, dense rewards add up to the progress made, and the expert takes over."""
    env, twin = BlocksWorld(level=level, reward="dense"), BlocksWorld(level=level)
    observation = Observation.of(env.reset(seed=1, options={"task": task})[0])
    assert twin.reset(seed=1, options={"task": task})[0] == observation
    total, over = 0.0, False
    for choice in choices:
        assert observation.admissible
        action = observation.admissible[choice % len(observation.admissible)]
        seen, reward, over, truncated, info = env.step(action)
        sparse = twin.step(action)
        assert (sparse[0], sparse[2:]) == (seen, (over, truncated, info))
        assert sparse[1] == float(over)
        assert "invalid_action" not in info
        assert -1 <= reward <= 1
        total += reward
        assert -1e-9 <= total <= 1 + 1e-9
        observation = Observation.of(seen)
        if over:
            break
    expert = env.expert()
    for _ in range(4 * env.num_blocks):
        if over:
            break
        _, reward, over, _, _ = env.step(expert(observation))
        total += reward
    assert over
    assert total == pytest.approx(1)


@settings(max_examples=60, deadline=None)
@given(
    st.one_of(
        st.text(max_size=40),
        st.from_regex(r"(pick up|put down|stack|unstack) [a-z]( (on|from) [a-z])?", fullmatch=True),
        st.sampled_from(
            ["", "\x00\x1b[2J", "stack a on b\x00", "pick up " + "a" * 10**6, "pick up table", "\u017ftack a on b"]
        ),
    )
)
def test_any_action_is_survived_and_what_is_refused_changes_nothing(action: str) -> None:
    env = BlocksWorld()
    observation, _ = env.reset(seed=0, options={"task": 0})
    seen, reward, terminated, truncated, info = env.step(action)
    assert isinstance(observation, Observation)
    assert observation.admissible is not None
    if "invalid_action" in info:
        assert (seen, reward, terminated, truncated) == (observation, 0, False, False)
        assert len(info["invalid_action"]) < 400
    else:
        assert " ".join(action.lower().split()) in observation.admissible


def test_an_unreadable_action_is_told_what_can_be_said() -> None:
    assert at(["ab", "c"], ["abc"]).step("move a to c")[4]["invalid_action"] == (
        'expected "pick up BLOCK", "put down BLOCK", "stack BLOCK on BLOCK" or "unstack BLOCK from BLOCK"'
    )


def test_snapshots_are_json_and_come_back_on_another_instance() -> None:
    env, other = BlocksWorld(level="b5"), BlocksWorld(level="b5")
    env.reset(seed=3, options={"task": 11})
    expert = env.expert()
    for _ in range(3):
        snapshot = env.snapshot()
        assert json.loads(json.dumps(snapshot.state)) == snapshot.state
        action = expert(snapshot.observation)
        assert other.restore(snapshot)[0] == snapshot.observation
        assert other.step(action) == env.step(action)
        assert other.get_state() == env.get_state()


def test_tasks_are_the_same_for_every_instance_and_seed() -> None:
    one, other = BlocksWorld(), BlocksWorld()
    assert one.reset(seed=1, options={"task": 42})[0] == other.reset(seed=2, options={"task": 42})[0]
    assert one.reset(seed=1)[0] == other.reset(seed=1)[0] != one.reset(seed=2)[0]
    assert BlocksWorld(problem_seed=1).reset(options={"task": 42})[0] != one.reset(options={"task": 42})[0]


@pytest.mark.parametrize("task", [-1, 1_002_000, "4", 1.5, [3]])
def test_a_task_that_does_not_exist(task: object) -> None:
    with pytest.raises(UserError, match="tasks are the numbers 0 to 1001999"):
        BlocksWorld().reset(options={"task": task})


def test_options_that_do_not_exist() -> None:
    with pytest.raises(UserError, match='unknown split "tests"'):
        BlocksWorld().tasks("tests")
    with pytest.raises(ConfigError, match=r'env.level is "b33"\. Did you mean "b3"\? Known: b3, b4, b5, b6, b7, b8'):
        agentgym.make("blocksworld", level="b33")
    with pytest.raises(ConfigError, match='reward is "dens"'):
        agentgym.make("blocksworld", reward="dens")
    with pytest.raises(ConfigError, match='goal is "all"'):
        agentgym.make("blocksworld", goal="all")


def test_a_task_stands_for_this_problem_on_any_day() -> None:
    env = BlocksWorld()
    told = {task: str(env.reset(options={"task": task})[0]) for task in (0, 1_000_000, 1_001_999)}
    assert told == {
        0: "m from y, y from p, p from table, d from table, hand empty. to do: m on d.",
        1_000_000: "s from f, f from e, e from v, v from table, hand empty. to do: f on table. e on f. s on table.",
        1_001_999: "p from m, m from table, y from q, q from table, hand empty. "
        "to do: y on table. m on y. p on table. q on p.",
    }
    small = BlocksWorld(level="b3").reset(options={"task": 0})[0]
    assert small == "f from b, b from table, r from table, hand empty. to do: r on f."


def test_turns_of_the_levels() -> None:
    assert {level: BlocksWorld(level=level).max_turns for level in LEVELS} == {
        "b3": 10,
        "b4": 15,
        "b5": 20,
        "b6": 26,
        "b7": 31,
        "b8": 36,
    }
    env = BlocksWorld(level="b7")
    env.reset(seed=0)
    assert len(env.world.blocks) == 7


def test_the_last_episode_is_forgotten() -> None:
    """What was in place at first is counted anew, or the shares of this episode would not add up to 1."""
    env = BlocksWorld(level="b3", reward="dense")
    for task in range(4):
        env.reset(options={"task": task})
        expert, total, over = env.expert(), 0.0, False
        while not over:
            _, reward, over, _, _ = env.step(str(expert(Observation(""))))
            total += reward
        assert total == pytest.approx(1)


def test_a_snapshot_is_not_changed_by_what_comes_after() -> None:
    env = at(["ca", "b"], ["abc"], reward="dense")
    env.step("unstack c from a")
    state = env.get_state()
    env.step("put down c")
    other = at(["cba"], ["abc"], reward="dense")
    other.set_state(state)
    assert other.step("put down c")[1] == pytest.approx(1 / 3)
    other = at(["cba"], ["abc"], reward="dense")
    other.set_state(env.get_state())  # c is in place by now, and was not at first
    assert [step[1] for step in played(other, "pick up b", "stack b on c")] == pytest.approx([0, 1 / 3])


@pytest.mark.parametrize(("length", "is_read"), [(200, True), (201, False)])
def test_an_action_has_200_characters_at_most(length: int, is_read: bool) -> None:
    env = at(["ca", "b"], ["abc"])
    invalid = "invalid_action" in env.step("pick up b".ljust(length))[4]
    assert invalid is not is_read
