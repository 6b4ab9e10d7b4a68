"""The environment: episodes by hand with a reasoner that does not err, the error model in numbers, the schedule."""

from __future__ import annotations

import json
import re
import statistics
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import agentgym
from agentgym.environments.thought_graph import ThoughtGraph
from agentgym.environments.thought_graph.env import LEVELS, Level, ProblemName
from agentgym.environments.thought_graph.problems import PROBLEMS, num_errors
from agentgym.errors import ConfigError, UserError
from agentgym.types import Observation


def played(env: ThoughtGraph, *actions: str) -> list[tuple[str, float, bool, bool, dict[str, Any]]]:
    return [env.step(action) for action in actions]


def faultless(**options: Any) -> ThoughtGraph:
    env = ThoughtGraph(level="n8", error_rate=0.0, **options)
    env.reset(seed=0)
    return env


def test_an_episode_by_hand() -> None:
    env = faultless()
    steps = played(
        env, "decompose 0", "solve 1", "solve 2", "score 1", "Aggregate 1  2", "decompose 0", "score 1", "answer 3"
    )
    states = "sort 8 digits. 0 open 0-8."
    both = f"{states} 1 solved 0-4, 0 errors. 2 solved 4-8, unscored. 3 solved 0-8, unscored."
    assert steps == [
        (f"{states} 1 open 0-4. 2 open 4-8.", 0, False, False, {"queries": 0}),
        (f"{states} 1 solved 0-4, unscored. 2 open 4-8.", 0, False, False, {"queries": 1}),
        (f"{states} 1 solved 0-4, unscored. 2 solved 4-8, unscored.", 0, False, False, {"queries": 2}),
        (f"{states} 1 solved 0-4, 0 errors. 2 solved 4-8, unscored.", 0, False, False, {"queries": 3}),
        (both, 0, False, False, {"queries": 4}),
        (both, 0, False, False, {"invalid_action": "thought 0 is decomposed already"}),
        (both, 0, False, False, {"invalid_action": "thought 1 is scored already"}),
        ("answered with 0 errors.", 1, True, False, {"success": True, "errors": 0, "queries": 4}),
    ]


def test_the_answer_to_a_part_lacks_the_rest() -> None:
    env = faultless(reward="partial")
    *_, last = played(env, "decompose 0", "solve 1", "answer 1")
    assert last == ("answered with 4 errors.", 0.5, True, False, {"success": False, "errors": 4, "queries": 1})
    assert played(faultless(), "decompose 0", "solve 1", "answer 1")[-1][1] == 0


@pytest.mark.parametrize(
    ("action", "problem"),
    [
        ("solve 1", "there is no thought 1"),
        ("refine 0", "thought 0 has no answer yet"),
        ("aggregate 0 0", "thought 0 has no answer yet"),
        ("aggregate 0 7", "there is no thought 7"),
        ("solve", "expected decompose, solve, refine, score or answer with a thought's number, or aggregate with two"),
        (
            "solve \u0660",
            "expected decompose, solve, refine, score or answer with a thought's number, or aggregate with two",
        ),
    ],
)
def test_what_cannot_be_done(action: str, problem: ProblemName) -> None:
    env = faultless()
    assert env.step(action) == ("sort 8 digits. 0 open 0-8.", 0, False, False, {"invalid_action": problem})


def test_what_cannot_be_done_later() -> None:
    env = faultless()
    played(env, "decompose 0", "solve 1", "solve 2")
    problems = {step[4]["invalid_action"] for step in played(env, "aggregate 2 1", "solve 1", "decompose 1")}
    assert problems == {"thought 1 does not begin where thought 2 ends", "thought 1 has an answer already"}
    env = faultless()
    played(env, "decompose 0", "decompose 1", "decompose 3")
    assert env.step("decompose 5")[4] == {"invalid_action": "thought 5 has one item only"}


def test_contents_are_shown_if_asked_for() -> None:
    env = faultless(show="contents", problem="intersection")
    env.set_state(
        {
            "items": ["3", "1", "7", "5"],
            "given": ["1", "2", "3"],
            "queries": 0,
            "thoughts": [{"start": 0, "end": 4, "parents": [], "answer": None, "errors": None}],
        }
    )
    first = "intersect two sets of 8 numbers. Second: 1 2 3."
    assert env.step("solve 0")[0] == f"{first} 0 solved 0-4, unscored: 1 3."
    assert env.step("answer 0")[1] == 1


def test_queries_cost_what_is_set_and_cutting_is_free() -> None:
    steps = played(faultless(query_cost=0.25), "decompose 0", "solve 1", "score 1", "refine 1", "solve 9")
    assert [step[1] for step in steps] == [0, -0.25, -0.25, -0.25, 0]


@pytest.mark.parametrize("problem", list(PROBLEMS))
def test_without_errors_every_way_leads_to_the_right_answer(problem: ProblemName) -> None:
    env = ThoughtGraph(level="n16", problem=problem, error_rate=0.0)
    for seed in range(5):
        for way in (["solve 0", "answer 0"], ["decompose 0", "solve 1", "solve 2", "aggregate 1 2", "answer 3"]):
            env.reset(seed=seed)
            assert played(env, *way)[-1][1] == 1


@pytest.mark.parametrize(
    ("answer", "errors"),
    [("1 2 3", 0), ("1 3 2", 1), ("1 2", 1), ("1 2 2 3", 1), ("1 2 4", 2), ("x", 4), ("", 3)],
)
def test_errors_of_a_sorted_list_by_hand(answer: str, errors: int) -> None:
    assert num_errors(PROBLEMS["sorting"], tuple(answer.split()), ("1", "2", "3")) == errors


def test_order_counts_in_sorting_alone() -> None:
    assert num_errors(PROBLEMS["counting"], ("b", "a"), ("a", "b")) == 0


def spoiled(level: Level, *moves: str) -> float:
    """Mean errors of the last thought over 300 episodes."""
    env, found = ThoughtGraph(level=level), []
    for seed in range(300):
        env.reset(seed=seed)
        played(env, *moves)
        found.append(env._errors(env.thoughts[-1]))
    return statistics.mean(found)


def test_the_error_model_in_numbers() -> None:
    """A slip makes 1, 1.9 or 1 errors: lost, replaced (by the same word in 1 of 10), doubled; 1.27 on the mean."""
    per_slip = (1 + 2 * 0.9 + 1) / 3
    sizes: dict[Level, int] = {"n8": 8, "n16": 16, "n32": 32}
    for level, size in sizes.items():
        slips = size * 0.3 * size / 64
        assert spoiled(level, "solve 0") == pytest.approx(per_slip * slips, rel=0.25)
    halves = spoiled("n32", "decompose 0", "solve 1", "solve 2", "aggregate 1 2")
    merging = per_slip * 32 * 0.3 * 32 / 256
    assert halves == pytest.approx(per_slip * 2 * 16 * 0.3 * 16 / 64 + merging, rel=0.25)


def test_refining_repairs_six_of_ten_errors() -> None:
    before, after = spoiled("n32", "solve 0"), spoiled("n32", "solve 0", "refine 0")
    assert after / before == pytest.approx(0.4, abs=0.1)


@pytest.mark.parametrize("problem", list(PROBLEMS))
@pytest.mark.parametrize("level", ["n8", "n16", "n32", "n64"])
def test_the_schedule_wins_where_solving_in_one_go_does_not(level: Level, problem: ProblemName) -> None:
    env = ThoughtGraph(level=level, problem=problem)
    tasks, won, direct, turns = env.tasks("test")[:20], 0, 0.0, 0
    for task in tasks:
        env.reset(options={"task": task})
        direct += played(env, "solve 0", "answer 0")[-1][1]
        seen: str = env.reset(options={"task": task})[0]
        expert, over = env.expert(), False
        for _ in range(env.max_turns):
            seen, _, over, _, info = env.step(expert(Observation.of(seen)))
            assert "invalid_action" not in info
            turns += 1
            if over:
                won += info["success"]
                break
    assert won >= 18
    assert level == "n8" or direct < won
    assert turns / len(tasks) < 0.75 * LEVELS[level]


def test_the_schedule_goes_on_from_anywhere() -> None:
    env = ThoughtGraph(level="n16")
    observation = Observation.of(env.reset(seed=5)[0])
    for choice in range(7, 19):
        assert observation.admissible
        moves = [move for move in observation.admissible if not move.startswith("answer")]
        observation = Observation.of(env.step(moves[choice % len(moves)])[0])
    expert, over = env.expert(), False
    for _ in range(80):
        _, _, over, _, info = env.step(expert(Observation("")))
        assert "invalid_action" not in info
        if over:
            break
    assert info["success"]


def test_a_reasoner_of_ones_own_is_asked_and_understood() -> None:
    questions = []

    def sorted_by_python(question: str) -> str:
        questions.append(question)
        lists = re.findall(r"\[([\d, ]+)\]", question)
        numbers = sorted(int(word) for one in lists for word in one.split(", "))
        return f"[draft] The answer is {numbers}."

    env = ThoughtGraph(level="n8", reasoner=sorted_by_python)
    env.reset(seed=0)
    assert played(env, "decompose 0", "solve 1", "solve 2", "aggregate 1 2", "answer 3")[-1][1] == 1
    items = ", ".join(env.problem.items[:4])
    assert questions[0] == (f"Sort these numbers in ascending order. [{items}] Reply with one list in square brackets.")
    assert questions[2].startswith("Merge these two sorted lists into one. [")


def test_a_reasoner_that_rambles_changes_nothing() -> None:
    env = ThoughtGraph(level="n8", reasoner=lambda question: "no idea", query_cost=0.5)
    env.reset(seed=0)
    assert env.step("solve 0") == (
        "the reasoner gave no list. sort 8 digits. 0 open 0-8.",
        -0.5,
        False,
        False,
        {"queries": 1},
    )


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 500), st.sampled_from(list(PROBLEMS)), st.lists(st.integers(0, 99), max_size=20))
def test_random_walks_come_back_from_json(task: int, problem: ProblemName, choices: list[int]) -> None:
    env, other = ThoughtGraph(level="n8", problem=problem), ThoughtGraph(level="n8", problem=problem)
    observation = Observation.of(env.reset(options={"task": task})[0])
    for choice in choices:
        assert observation.admissible
        action = observation.admissible[choice % len(observation.admissible)]
        snapshot = env.snapshot()
        assert json.loads(json.dumps(snapshot.state)) == snapshot.state
        other.restore(snapshot)
        step = env.step(action)
        assert "invalid_action" not in step[4]
        assert other.step(action) == step
        if step[2]:
            return
        observation = Observation.of(step[0])


def test_options_that_do_not_exist() -> None:
    with pytest.raises(ConfigError, match=r'level is "n15"\. Did you mean "n16"\?'):
        agentgym.make("thought-graph", level="n15")
    with pytest.raises(ConfigError, match='problem is "sort"'):
        agentgym.make("thought-graph", problem="sort")
    with pytest.raises(ConfigError, match=r"env.error_rate: .*less than or equal to 1, found 1\.5"):
        agentgym.make("thought-graph", error_rate=1.5)
    with pytest.raises(ConfigError, match=r"env\.reasoner: Input should be callable, found 'gpt'"):
        agentgym.make("thought-graph", reasoner="gpt")
    with pytest.raises(UserError, match='unknown split "tests"'):
        ThoughtGraph().tasks("tests")
