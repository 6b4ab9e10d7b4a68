"""Vines: which moments of a line, and how many ways from each."""

from __future__ import annotations

import pytest

from agentgym.errors import ConfigError
from agentgym.search import Tree
from agentgym.searches.vine import Vine, evenly
from tests.unit.search.kit import Policy, Ways, check, find, made, way_of


def test_evenly_by_hand() -> None:
    assert evenly(1, 1) == [0]
    assert evenly(2, 8) == [2, 6]
    assert evenly(3, 6) == [1, 3, 5]
    assert evenly(4, 3) == [0, 1, 2]


@pytest.mark.parametrize(
    ("options", "num", "turns"),
    [
        ({"ways": 3, "turns": (0, 2)}, 1, [None, 0, 0, 2, 2]),
        ({"ways": 2, "moments": 2}, 1, [None, 1, 4]),
        ({"ways": 2, "moments": 1, "seeds": 3}, 1, [None, 0, 0, 3, 3, 3]),
        ({"ways": 2, "moments": 1}, 6, [None, 0, 0, 3, 3, 3]),  # as many seeds as make six lines
        ({"ways": 2, "turns": (1, 99)}, 1, [None, 1]),
        ({"ways": 2, "turns": (2, 1, 2)}, 1, [None, 1, 2]),
    ],
    ids=str,
)
def test_where_lines_branch(options: dict[str, object], num: int, turns: list[int | None]) -> None:
    found = find(made("vine", **options), lambda: Ways(depth=6), num=num)
    check(found)
    assert sorted((line.branch_turn for line in found.lines), key=lambda turn: -1 if turn is None else turn) == turns


def test_random_moments_are_the_seeds_own() -> None:
    def turns(seed: int) -> list[int | None]:
        search = made("vine", ways=2, moments=2, place="random")
        return [line.branch_turn for line in find(search, lambda: Ways(depth=9), num=1, seed=seed).lines]

    assert turns(0) == turns(0)
    assert len({tuple(turns(seed)) for seed in range(3)}) > 1
    assert len(set(turns(0))) == 3


def test_each_line_has_random_moments_of_its_own() -> None:
    search = made("vine", ways=2, moments=1, place="random", seeds=4)
    lines = find(search, lambda: Ways(depth=9), num=1).lines
    assert len({line.branch_turn for line in lines if line.branch_turn}) > 1


def test_ways_that_say_the_same_are_ways_of_their_own() -> None:
    found = find(made("vine", ways=4, turns=(1,)), num=1, engine=Policy("a"))
    check(found)
    assert [way_of(line) for line in found.lines] == ["aaa"] * 4
    assert found.spent.merged == 0
    assert [turn.visits for turn in found.lines[0].turns] == [4, 1, 1]


def test_no_moment_is_kept_that_nobody_comes_back_to() -> None:
    class Watched(Vine):
        async def grow(self, tree: Tree, num: int) -> None:
            await super().grow(tree, num)
            self.num_marks = len(tree.ground._marks)

    search = Watched(ways=2, turns=(2,))
    find(search, lambda: Ways(depth=6), num=1)
    assert search.num_marks == 2  # after the reset, where it is found out whether there is a way back, and that one


def test_what_has_no_effect_is_refused() -> None:
    for options in ({"ways": 1, "moments": 2}, {"ways": 1, "turns": (1,)}, {"ways": 1, "seeds": 2}):
        name = [*options][1]
        with pytest.raises(ConfigError, match=f"search.{name} has no effect with search.ways 1: nothing branches"):
            made("vine", **options)
    for name, value in (("moments", 2), ("place", "even")):
        with pytest.raises(ConfigError, match=f"search.{name} has no effect with search.turns"):
            made("vine", turns=(1,), **{name: value})
    with pytest.raises(ConfigError):
        made("vine", turns=(-1,))
    assert made("vine").comes_back
    assert not made("vine", ways=1).comes_back
