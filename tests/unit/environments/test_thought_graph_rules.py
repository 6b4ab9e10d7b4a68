"""The error model word by word with chances written by hand, the schedule move by move, scores and ends."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from agentgym.environments.thought_graph import ThoughtGraph
from agentgym.environments.thought_graph.env import LEVELS
from agentgym.environments.thought_graph.expert import scheduled
from agentgym.environments.thought_graph.graph import Move, Thought, admissible, obstacle, parse_move
from agentgym.environments.thought_graph.problems import PROBLEMS, Problem
from agentgym.environments.thought_graph.reasoners import Asked, Simulated
from agentgym.types import Observation


class Chances:
    """Random numbers that are written down; behind the last, nothing goes wrong."""

    def __init__(self, chances: Sequence[float] = (), choices: Sequence[int] = ()) -> None:
        self.chances, self.choices = list(chances), list(choices)

    def random(self) -> float:
        return self.chances.pop(0) if self.chances else 0.999

    def integers(self, high: int) -> int:
        return self.choices.pop(0) if self.choices else 0


def simulated(chances: Sequence[float], choices: Sequence[int] = (), kind: str = "sorting") -> Simulated:
    rng: Any = Chances(chances, choices)
    return Simulated(PROBLEMS[kind], 0.3, lambda: rng)


EIGHT = Problem(tuple("86523000"))


def test_solving_errs_with_the_share_of_64_items_that_a_part_has() -> None:
    """For 8 items 0.3 · 8 / 64 = 0.0375 a word; that chance itself does not err any more."""
    lost = simulated([0.0374], [7, 0])
    assert lost.solve(EIGHT.items, EIGHT) == tuple("0023568")
    assert simulated([0.0375], [7, 0]).solve(EIGHT.items, EIGHT) == tuple("00023568")
    assert simulated([0.9] * 7 + [0.0374], [7] * 8 + [0]).solve(EIGHT.items, EIGHT) == tuple("0002356")


@pytest.mark.parametrize(("slip", "answer"), [(0, "0023568"), (1, "00235678"), (2, "000023568")])
def test_a_word_is_lost_replaced_or_doubled(slip: int, answer: str) -> None:
    assert simulated([0.0], [7, slip]).solve(EIGHT.items, EIGHT) == tuple(answer)


def test_joining_errs_a_quarter_as_often_as_solving_and_keeps_what_is_wrong() -> None:
    """For 8 items together 0.3 · 8 / 256 = 0.009375."""
    halves = tuple("0099"), tuple("1238")
    assert simulated([0.0093], [7, 0]).aggregate(*halves, 8, EIGHT) == tuple("0123899")
    assert simulated([0.0094], [7, 0]).aggregate(*halves, 8, EIGHT) == tuple("00123899")


def test_refining_repairs_with_six_chances_in_ten_and_errs_a_hundredth_as_often() -> None:
    """One 9 too many and one 8 missing: first what is too much goes, then what is missing comes."""
    wrong = tuple("00023569")
    assert simulated([0.59, 0.59]).refine(EIGHT.items, EIGHT, wrong) == tuple("00023568")
    assert simulated([0.61, 0.59]).refine(EIGHT.items, EIGHT, wrong) == tuple("000235689")
    assert simulated([0.59, 0.61]).refine(EIGHT.items, EIGHT, wrong) == tuple("0002356")
    right = tuple("00023568")
    assert simulated([0.00037], [7, 0]).refine(EIGHT.items, EIGHT, right) == tuple("0023568")
    assert simulated([0.00038], [7, 0]).refine(EIGHT.items, EIGHT, right) == right


def test_a_wrong_word_is_one_that_may_stand_in_an_answer() -> None:
    problem = Problem(("3", "1", "7"), ("1", "2", "3"))
    assert simulated([0.0], [1, 1], "intersection").solve(problem.items, problem) == ("2", "3")
    text = Problem(("ship", "Chile", "tea"))
    assert simulated([0.0], [9, 1], "counting").solve(text.items, text) == ("Norway",)


def test_problems_by_hand() -> None:
    given = Problem(("3", "11", "7", "2"), ("2", "3", "4"))
    assert PROBLEMS["intersection"].solve(given.items, given) == ("2", "3")
    words = ("ship", "Kenya", "tea", "Chile", "Kenya")
    assert PROBLEMS["counting"].solve(words, Problem(words)) == ("Chile", "Kenya", "Kenya")
    assert PROBLEMS["sorting"].solve(("10", "9", "2"), Problem(())) == ("2", "9", "10"), "as numbers, not as words"
    assert PROBLEMS["sorting"].merge(("2", "10"), ("9",)) == ("2", "9", "10")


def test_a_seed_stands_for_this_problem_on_any_day() -> None:
    shown = {kind: ThoughtGraph(level="n8", problem=kind, show="contents").reset(seed=0)[0] for kind in PROBLEMS}  # type: ignore[arg-type]
    assert shown == {
        "sorting": "sort 8 digits. 0 open 0-8: 8 6 5 2 3 0 0 0.",
        "intersection": "intersect two sets of 8 numbers. Second: 0 1 2 4 5 11 12 14. 0 open 0-8: 2 11 3 10 0 4 7 5.",
        "counting": "find every mention of a country in 8 words. 0 open 0-8: tea Ghana Ghana Norway for dawn tea the.",
    }


def test_turns_of_the_levels() -> None:
    assert LEVELS == {"n8": 12, "n16": 20, "n32": 50, "n64": 110, "n128": 240}
    env = ThoughtGraph(level="n32")
    assert (env.max_turns, env.size) == (50, 32)


# -- ends --------------------------------------------------------------------------------------------------


def answered(answer: str, **options: Any) -> tuple[float, dict[str, Any]]:
    """Reward and info of answering so, where the right answer is 1 2 3 4."""
    env = ThoughtGraph(level="n8", **options)
    env.reset(seed=0)
    thought = {"start": 0, "end": 4, "parents": [], "answer": list(answer), "errors": None}
    env.set_state({"items": list("4231"), "given": [], "queries": 5, "thoughts": [thought]})
    _, reward, terminated, truncated, info = env.step("answer 0")
    assert (terminated, truncated) == (True, False)
    return reward, info


@pytest.mark.parametrize(
    ("answer", "errors", "share"),
    [("1234", 0, 1.0), ("123", 1, 0.75), ("1243", 1, 0.75), ("12", 2, 0.5), ("", 4, 0.0), ("99999", 9, 0.0)],
)
def test_partial_rewards_are_the_share_that_is_right_and_not_below_0(answer: str, errors: int, share: float) -> None:
    told = {"success": errors == 0, "errors": errors, "queries": 5}
    assert answered(answer, reward="partial") == (share, told)
    assert answered(answer) == (float(errors == 0), told)


def test_an_empty_right_answer_is_right() -> None:
    env = ThoughtGraph(level="n8", problem="intersection", reward="partial")
    env.reset(seed=0)
    thought = {"start": 0, "end": 1, "parents": [], "answer": [], "errors": None}
    env.set_state({"items": ["3"], "given": ["1"], "queries": 0, "thoughts": [thought]})
    assert env.step("answer 0")[1] == 1.0


def test_the_last_episode_is_forgotten() -> None:
    env = ThoughtGraph(level="n8", error_rate=0.0)
    first = env.reset(seed=0)[0]
    env.step("decompose 0")
    env.step("solve 1")
    assert env.reset(seed=0)[0] == first
    assert env.step("solve 0")[4] == {"queries": 1}


def test_a_score_is_forgotten_when_the_answer_changes_and_only_then() -> None:
    env = ThoughtGraph(level="n8", error_rate=0.0)
    env.reset(seed=0)
    told = [str(env.step(action)[0]) for action in ("solve 0", "score 0", "refine 0", "score 0")]
    assert [text.rpartition(", ")[2] for text in told] == ["unscored.", "0 errors.", "unscored.", "0 errors."]


def test_a_reasoner_is_told_the_other_set_and_its_last_answer() -> None:
    asked: list[str] = []
    reasoner = Asked(PROBLEMS["intersection"], lambda question: asked.append(question) or "[1] and then [2, 3]")  # type: ignore[func-returns-value]
    problem = Problem(("3", "2", "9"), ("2", "3"))
    end = " Reply with one list in square brackets."
    task = "List the numbers of the first list that are also in the second."
    assert reasoner.solve(problem.items, problem) == ("2", "3"), "the last list"
    assert reasoner.refine(problem.items, problem, ("2",)) == ("2", "3")
    assert reasoner.aggregate(("2",), ("3",), 3, problem) == ("2", "3")
    assert asked == [
        f"{task} [3, 2, 9] [2, 3]{end}",
        f"{task} An answer that may have errors is [2]: correct it. [3, 2, 9] [2, 3]{end}",
        f"Join these two lists, keeping all. [2] [3]{end}",
    ]


# -- moves -------------------------------------------------------------------------------------------------


def open_(start: int, end: int, *parents: int) -> Thought:
    return Thought(start=start, end=end, parents=parents)


def solved(start: int, end: int, *parents: int, errors: int | None = 0) -> Thought:
    return Thought(start=start, end=end, parents=parents, answer=("1",), errors=errors)


@pytest.mark.parametrize(
    ("thoughts", "move"),
    [
        ([open_(0, 8)], "solve 0"),
        ([open_(0, 9)], "decompose 0"),
        ([open_(0, 16), open_(0, 8, 0), open_(8, 16, 0)], "solve 1"),
        ([open_(0, 16), solved(0, 8, 0, errors=None), open_(8, 16, 0)], "score 1"),
        ([open_(0, 16), solved(0, 8, 0, errors=1), open_(8, 16, 0)], "refine 1"),
        ([open_(0, 16), solved(0, 8, 0), open_(8, 16, 0)], "solve 2"),
        ([open_(0, 16), solved(0, 8, 0), solved(8, 16, 0)], "aggregate 1 2"),
        ([open_(0, 16), solved(0, 8, 0), solved(8, 16, 0), solved(0, 16, 1, 2, errors=2)], "refine 3"),
        ([open_(0, 16), solved(0, 8, 0), solved(8, 16, 0), solved(0, 16, 1, 2)], "answer 3"),
        ([open_(0, 32), open_(0, 16, 0), open_(16, 32, 0)], "decompose 1"),
        ([open_(0, 32), open_(0, 16, 0), open_(16, 32, 0), solved(0, 8, 1), open_(8, 16, 1)], "solve 4"),
    ],
)
def test_the_schedule_move_by_move(thoughts: list[Thought], move: str) -> None:
    assert str(scheduled(thoughts)) == move


def test_the_schedule_asks_nothing_twice() -> None:
    """Without errors: cut once, solve and score each half, join, score and answer."""
    env = ThoughtGraph(level="n16", error_rate=0.0)
    env.reset(seed=0)
    expert, said, over = env.expert(), list[str](), False
    while not over and len(said) < 20:
        said.append(str(expert(Observation(""))))
        over = env.step(said[-1])[2]
    assert said == ["decompose 0", "solve 1", "score 1", "solve 2", "score 2", "aggregate 1 2", "score 3", "answer 3"]


def test_every_move_that_can_be_made_is_listed_and_no_other() -> None:
    thoughts = [open_(0, 4), solved(0, 2, 0), solved(2, 4, 0, errors=None), open_(0, 1), solved(0, 4, 1, 2)]
    listed = list(map(str, admissible(thoughts)))
    assert listed == [
        *("solve 0", "solve 3", "refine 1", "refine 2", "refine 4", "score 2"),
        *("answer 1", "answer 2", "answer 4", "aggregate 1 2"),
    ]
    for operator in ("decompose", "solve", "refine", "score", "answer"):
        for place in range(5):
            assert (obstacle(Move(operator, place), thoughts) is None) == (f"{operator} {place}" in listed)


def test_an_odd_run_is_cut_before_its_middle_item() -> None:
    one, other = open_(3, 8).halves(0)
    assert (one, other) == (open_(3, 5, 0), open_(5, 8, 0))


@pytest.mark.parametrize(
    ("action", "move"),
    [
        ("  SOLVE\t3 ", Move("solve", 3)),
        ("aggregate 1 2", Move("aggregate", 1, 2)),
        ("solve 1 2", None),
        ("aggregate 1", None),
        ("answer 999999", Move("answer", 999_999)),
        ("answer 1000000", None),
        ("answer 1" + " " * 92, Move("answer", 1)),
        ("answer 1" + " " * 93, None),
        ("answer -1", None),
    ],
)
def test_reading_moves(action: str, move: Move | None) -> None:
    assert parse_move(action) == move
