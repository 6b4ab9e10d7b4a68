"""Going back to where it went wrong."""

from __future__ import annotations

from typing import Any

from agentgym.search import Tree
from agentgym.searches.fragments import Fragments, moment_before_error
from agentgym.types import Trajectory
from tests.unit.search.kit import Policy, Ways, check, find, made, way_of


class Strict(Ways):
    """Ends at the first "x", without a reward; all else is worth 1."""

    def step(self, action: str) -> Any:
        seen, _, over, cut, info = super().step(action)
        return seen, float(over and action != "x"), over or action == "x", cut, info


class Vain(Ways):
    """Nothing is worth anything but what ends with "c"; nothing is refused."""

    def step(self, action: str) -> Any:
        seen, _, over, cut, info = super().step(action)
        return seen, float(over and action == "c"), over, cut, info


def test_it_goes_back_to_the_moment_before_the_first_error() -> None:
    found = find(made("fragments"), num=8, engine=Policy("abx"))
    check(found)
    mended = [line for line in found.lines if line.branch_turn]
    assert mended
    for line in mended:
        alike = [other for other in found.lines if other.turns[: line.branch_turn] == line.turns[: line.branch_turn]]
        assert line.branch_turn in [first_error(other) for other in alike]


def first_error(line: Trajectory) -> int | None:
    return next((number for number, turn in enumerate(line.turns) if turn.error), None)


def test_without_an_error_it_goes_back_to_the_last_reply() -> None:
    found = find(made("fragments", tries=9), Vain, num=2, engine=Policy("ab"))
    assert [line.branch_turn for line in found.lines] == [None, 2]


def test_a_line_that_did_not_fail_is_left_alone() -> None:
    found = find(made("fragments"), num=4)
    assert {line.branch_turn for line in found.lines} == {None, 0}


def test_it_tries_so_often_and_then_plays_another_line() -> None:
    engine = Policy("x")  # says the same at every try: nothing is played again
    found = find(made("fragments", tries=3), Strict, num=2, engine=engine)
    assert [way_of(line) for line in found.lines] == ["x", "x"]
    assert found.spent.merged == 3
    assert engine.num_replies == 1 + 3 + 1


def test_what_failed_by_hand() -> None:
    class Watched(Fragments):
        async def grow(self, tree: Tree, num: int) -> None:
            (child,) = await tree.propose(tree.root, 1)
            end = await tree.roll_out(child)
            turns = end.play.trajectory.turns
            assert moment_before_error(end) is None
            turns[2].error = turns[1].error = "what?"
            assert moment_before_error(end) is end.path[1]
            turns[1].is_summary = True
            assert moment_before_error(end) is end.path[1]
            turns[1].is_summary, turns[1].error, turns[2].error = False, None, None
            turns[2].breakdown = {"environment": 0.0}
            assert moment_before_error(end) is end.path[2]
            turns.clear()
            assert moment_before_error(end) is None

    find(Watched(), num=1)


def test_what_is_mended_is_not_tried_again() -> None:
    found = find(made("fragments", tries=9), Vain, num=9, engine=Policy("abc"))
    check(found)
    by_moment: dict[tuple[str, int], list[float]] = {}
    for line in found.lines:
        if line.branch_turn:
            by_moment.setdefault((way_of(line)[: line.branch_turn], line.branch_turn), []).append(line.reward)
    assert any(sum(rewards) for rewards in by_moment.values())
    assert not any(sum(rewards[:-1]) for rewards in by_moment.values())
