"""The three forms by hand, the expert, and agreement with an independent judge of expressions."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import agentgym
from agentgym.environments.countdown import Countdown
from agentgym.environments.countdown.env import LEVELS, Level, Mode
from agentgym.environments.countdown.puzzles import Puzzle
from agentgym.errors import ConfigError, UserError
from agentgym.types import Observation


def at(numbers: tuple[int, ...], target: int, **options: Any) -> Countdown:
    """An environment at a puzzle of one's own."""
    env = Countdown(level="n3", **options)
    env.reset(seed=0)
    env.set_state({"puzzle": [list(numbers), target], "numbers": list(numbers)})
    return env


def test_an_episode_by_hand() -> None:
    env = at((8, 3, 1), 25)
    assert env.step("8*3 = 24") == ("8 * 3 = 24. numbers 1, 24. target 25.", 0, False, False, {})
    assert env.step("8 + 1") == (
        "numbers 1, 24. target 25.",
        0,
        False,
        False,
        {"invalid_action": "8 + 1 is of numbers that are not left: 1, 24"},
    )
    assert env.step("24 + 1") == ("24 + 1 = 25. numbers 25. target 25.", 1, True, False, {"success": True})
    assert at((8, 3), 25).step("8 - 3") == ("8 - 3 = 5. numbers 5. target 25.", 0, True, False, {"success": False})


def test_the_target_among_what_is_left_counts_only_if_not_all_must_be_used() -> None:
    assert at((8, 3, 1), 24).step("8 * 3")[1:3] == (0, False)
    assert at((8, 3, 1), 24, use_all=False).step("8 * 3")[1:] == (1, True, False, {"success": True})


@pytest.mark.parametrize(
    ("action", "problem"),
    [
        ("3 - 8", "3 - 8 is negative"),
        ("8 / 3", "8 / 3 is not a whole number"),
        ("8 / 0", "8 / 0 is not a whole number"),
        ("8 * 3 = 25", "8 * 3 is 24, not 25"),
        ("3 + 3", "3 + 3 is of numbers that are not left: 8, 3, 1"),
        ("8 + 3 + 1", 'expected one operation, like "25 * 4"'),
        ("8 + 3" + " " * 300, 'expected one operation, like "25 * 4"'),
        ("٣ + 1", 'expected one operation, like "25 * 4"'),
    ],
)
def test_what_is_wrong_with_an_operation(action: str, problem: str) -> None:
    step = at((8, 3, 1), 25).step(action)
    assert step == ("numbers 8, 3, 1. target 25.", 0, False, False, {"invalid_action": problem})


@pytest.mark.parametrize(
    ("action", "reward", "told"),
    [
        ("8 * 3 + 1", 1, "25."),
        ("(3*8)+1", 1, "25."),
        ("1 - 3 * -8", None, "only whole numbers, + - * / and brackets can be used"),
        ("1 + 8 + 3", 0, "12."),
        ("8 / 3 + 1", 0, "11/3."),
        ("8 * 3", None, "not used: 1"),
        ("8 * 3 + 1 * 1", None, "1 is used more often than it is given: 8, 3, 1"),
        ("8 / (3 - 1 - 1 - 1)", None, "it divides by 0"),
        ("8 ** 3 + 1", None, "only whole numbers, + - * / and brackets can be used"),
        ("__import__('os')", None, "only whole numbers, + - * / and brackets can be used"),
        ("8 * True + 1", None, "only whole numbers, + - * / and brackets can be used"),
        ("(" * 150, None, 'expected an expression, like "(25 - 1) * 2"'),
        ("1\x00", None, 'expected an expression, like "(25 - 1) * 2"'),
        ("1+" * 101, None, "an expression has at most 200 characters"),
    ],
)
def test_expressions(action: str, reward: float | None, told: str) -> None:
    seen, paid, terminated, _, info = at((8, 3, 1), 25, mode="expression").step(action)
    if reward is None:
        assert (seen, paid, terminated) == ("numbers 8, 3, 1. target 25.", 0, False)
        assert info == {"invalid_action": told}
    else:
        assert (seen, paid, terminated, info) == (told, reward, True, {"success": bool(reward)})


def test_an_expression_may_pass_by_fractions_and_need_not_use_all_if_so_agreed() -> None:
    assert at((3, 2, 4), 6, mode="expression").step("3 / 2 * 4")[1] == 1
    assert at((8, 3, 1), 24, mode="expression", use_all=False).step("8 * 3")[1] == 1


@pytest.mark.parametrize("mode", ["steps", "expression", "stream"])
@pytest.mark.parametrize("level", LEVELS)
def test_the_expert_wins(level: Level, mode: Mode) -> None:
    env = Countdown(level=level, mode=mode)
    for task in env.tasks("test")[: 10 if level == "n6" else 40]:
        seen: str = env.reset(options={"task": task})[0]
        expert, turns, over = env.expert(), 0, False
        while not over:
            seen, reward, over, _, info = env.step(expert(Observation.of(seen)))
            turns += 1
            assert "invalid_action" not in info
        assert (reward, info) == (1, {"success": True})
        assert turns == (env.num_numbers - 1 if mode == "steps" else 1)


def test_the_expert_does_what_it_can_where_nothing_leads_to_the_target() -> None:
    env = at((1, 1, 1), 50)
    expert = env.expert()
    while not (step := env.step(expert(Observation("")))).terminated:  # type: ignore[attr-defined]
        assert "invalid_action" not in step[4]
    assert step[1:] == (0, True, False, {"success": False})


def test_reasoning_gym_agrees_on_expressions() -> None:
    """An independent judge: sympy instead of our reader, its own count of the numbers."""
    reasoning_gym = pytest.importorskip("reasoning_gym", reason="the extra reasoning-gym is not installed")
    judge = reasoning_gym.create_dataset("countdown", size=1, seed=0)
    env = Countdown(level="n4", mode="expression")
    verdicts = []
    for task in env.tasks("test")[:60]:
        env.reset(options={"task": task})
        expression = env.expert()(Observation(""))
        wrong = [expression.replace("+", "-", 1), expression + " + 1", expression.replace(" ", "", 1)[:-1]]
        entry = {"metadata": {"numbers": list(env.puzzle.numbers), "target": env.puzzle.target}}
        for said in (expression, *wrong):
            ours = env.step(said)[1] if not env.reset(options={"task": task})[1] else None
            assert ours == float(judge.score_answer(said, entry) == 1.0), said
            verdicts.append(ours)
    assert sum(map(bool, verdicts)) >= 60
    assert verdicts.count(0) > 60


@settings(max_examples=60, deadline=None)
@given(task=st.integers(0, 999), choices=st.lists(st.integers(0, 60), max_size=8))
def test_random_walks(task: int, choices: list[int]) -> None:
    """Admissible operations have an effect, and an episode ends when one number is left."""
    env = Countdown(level="n5")
    observation, over = Observation.of(env.reset(options={"task": task})[0]), False
    for choice in choices:
        assert observation.admissible
        before = env.numbers
        seen, reward, over, _, info = env.step(observation.admissible[choice % len(observation.admissible)])
        assert "invalid_action" not in info
        assert len(env.numbers) == len(before) - 1
        assert over == (len(env.numbers) == 1) == ("success" in info)
        assert reward == float(env.numbers == (env.puzzle.target,))
        observation = Observation.of(seen)
        if over:
            return


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=60), st.sampled_from(["steps", "expression", "stream"]))
def test_any_action_is_survived(action: str, mode: Mode) -> None:
    env = Countdown(mode=mode)
    env.reset(options={"task": 0})
    _, reward, _, _, info = env.step(action)
    assert reward == 0
    assert info.get("invalid_action") or info["success"] is False


def test_snapshots_are_json_and_come_back_on_another_instance() -> None:
    env, other = Countdown(), Countdown()
    env.reset(options={"task": 11})
    env.step(env.expert()(Observation("")))
    snapshot = env.snapshot()
    assert json.loads(json.dumps(snapshot.state)) == snapshot.state
    assert other.restore(snapshot)[0] == snapshot.observation
    action = env.expert()(Observation(""))
    assert other.step(action) == env.step(action)
    assert other.puzzle == env.puzzle == Puzzle(*other.puzzle)


def test_options_and_tasks_that_do_not_exist() -> None:
    with pytest.raises(ConfigError, match=r'level is "n33"\. Did you mean "n3"\? Known: n3, n4, n5, n6'):
        agentgym.make("countdown", level="n33")
    with pytest.raises(ConfigError, match='mode is "step"'):
        agentgym.make("countdown", mode="step")
    with pytest.raises(ConfigError, match=r'strategy is "dfs"\. Did you mean "dfs-sum"'):
        agentgym.make("countdown", mode="stream", strategy="dfs")
    with pytest.raises(ConfigError, match='strategy has no effect with mode "steps"'):
        Countdown(strategy="dfs-sum")
    with pytest.raises(ConfigError, match="uses all numbers"):
        Countdown(mode="stream", use_all=False)
    with pytest.raises(UserError, match="tasks are the numbers 0 to 1001999"):
        Countdown().reset(options={"task": -1})
    with pytest.raises(UserError, match='unknown split "tests"'):
        Countdown().tasks("tests")


def test_an_episode_has_twice_the_turns_that_it_takes_or_one() -> None:
    assert [Countdown(level=level).max_turns for level in LEVELS] == [4, 6, 8, 10]
    assert Countdown(level="n6", mode="expression").max_turns == Countdown(level="n3", mode="stream").max_turns == 1


def test_the_numbers_of_the_last_episode_are_forgotten() -> None:
    env = Countdown()
    first = env.reset(options={"task": 0})[0]
    assert first == "numbers 21, 48, 63, 86. target 80."
    assert env.step("86 - 21")[0] == "86 - 21 = 65. numbers 48, 63, 65. target 80."
    assert env.reset(options={"task": 0})[0] == first


def test_a_task_stands_for_this_puzzle_on_any_day() -> None:
    env = Countdown()
    assert env.reset(options={"task": 1_000_000})[0] == "numbers 57, 66, 94, 4. target 81."
    assert env.reset(options={"task": 1_001_999})[0] == "numbers 83, 85, 36, 94. target 38."
    assert Countdown(level="n3").reset(options={"task": 0})[0] == "numbers 32, 58, 32. target 57."
    assert Countdown(puzzle_seed=1).reset(options={"task": 0})[0] != "numbers 21, 48, 63, 86. target 80."


def test_operations_are_listed_and_an_expression_is_not() -> None:
    assert at((8, 3), 11).snapshot().observation.admissible is not None
    assert Observation.of(Countdown(level="n3").reset(seed=0)[0]).admissible
    env = at((8, 3, 1), 25)
    seen = Observation.of(env.step("8 * 3")[0])
    assert seen.admissible == ("24 + 1", "24 - 1", "24 * 1", "24 / 1")
    assert Observation.of(Countdown(level="n3", mode="expression").reset(seed=0)[0]).admissible is None


def test_without_all_numbers_the_episode_goes_on_until_the_target_is_there_or_one_is_left() -> None:
    env = at((8, 3, 1), 99, use_all=False)
    assert env.step("8 * 3")[1:4] == (0, False, False)
    assert env.step("24 - 1")[1:] == (0, True, False, {"success": False})


def test_the_instructions_say_how_many_numbers_are_to_be_used() -> None:
    assert "with all numbers" in Countdown().instructions
    assert "with some of the numbers" in Countdown(use_all=False).instructions
    assert "Say one expression" in Countdown(mode="expression").instructions
    assert "Goal Reached" in Countdown(mode="stream").instructions


@pytest.mark.parametrize(
    ("numbers", "target", "use_all", "said"),
    [
        ((1, 2, 3), 9, True, "(2 + 1) * 3"),
        ((1, 2, 3), 6, False, "3 * 2"),
        ((2, 3, 7), 1, True, "7 - (3 * 2)"),
    ],
)
def test_the_expert_says_the_shortest_way_as_one_expression(
    numbers: tuple[int, ...], target: int, use_all: bool, said: str
) -> None:
    env = at(numbers, target, mode="expression", use_all=use_all)
    told = env.expert()(Observation(""))
    assert env.step(told)[1] == 1
    assert sum(map(told.count, "+-*/")) == sum(map(said.count, "+-*/"))
    assert at(numbers, target, mode="expression", use_all=use_all).step(said)[1] == 1


def test_the_expert_of_streams_follows_the_strategy_that_is_asked_for() -> None:
    env = at((8, 3, 1), 24, mode="stream", strategy="dfs-multiply")
    assert env.expert()(Observation("")).startswith("Exploring Operation: 8*1=8, Resulting Numbers: [3, 8]")
    env = at((8, 3, 1), 24, mode="stream", strategy="dfs-sum")
    assert env.expert()(Observation("")).startswith("Exploring Operation: 8*3=24, Resulting Numbers: [1, 24]")
    mixed = at((8, 3, 1), 24, mode="stream")
    assert mixed.expert()(Observation("")) == mixed.expert()(Observation("")), "asked again, it says the same"
    assert mixed.step("nonsense") == (
        'the search does not say "Goal Reached"',
        0,
        True,
        False,
        {"success": False},
    )


def test_a_search_that_goes_nowhere_from_its_first_state_says_so() -> None:
    env = at((99, 98, 97), 10, mode="stream", strategy="dfs-sum")  # every operation leads farther than the target
    assert env.expert()(Observation("")) == "No Solution"  # and not nothing, which no protocol can say


def test_a_snapshot_keeps_what_is_left_and_is_not_changed_by_what_comes_after() -> None:
    env = at((8, 3, 1), 25)
    env.step("8 * 3")
    state = env.get_state()
    assert state == {"puzzle": [[8, 3, 1], 25], "numbers": [1, 24]}
    env.step("24 + 1")
    assert state["numbers"] == [1, 24]
    other = at((5, 5, 5), 11)
    other.set_state(state)
    assert other.step("24 + 1")[1:] == (1, True, False, {"success": True})
