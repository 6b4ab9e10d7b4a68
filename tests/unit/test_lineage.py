"""Lineage: trees drawn by hand, parents that are not there, and each turn in the line that sampled it."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentgym.lineage import Lineage
from agentgym.types import Trajectory, Turn

Said = tuple[str, str | None, int | None, int]
"""Name, parent, the turn at which it branched off, and how many turns it has in all."""


def lines(*said: Said) -> list[Trajectory]:
    return [
        Trajectory(
            env="x",
            task=0,
            seed=0,
            episode_id=name,
            parent_id=parent,
            branch_turn=turn,
            turns=[Turn(observation="", reply="") for _ in range(num)],
        )
        for name, parent, turn, num in said
    ]


def owners(found: Sequence[Trajectory]) -> list[str]:
    """Of each line the names of those whose turns it goes through, a letter each."""
    lineage = Lineage(found)
    return [
        "".join(found[lineage.owner(place, turn)].episode_id for turn in range(len(line.turns)))
        for place, line in enumerate(found)
    ]


def test_episodes_that_did_not_branch_own_all_their_turns() -> None:
    flat = lines(("a", None, None, 2), ("b", None, None, 3))
    assert owners(flat) == ["aa", "bbb"]
    assert Lineage(flat).is_flat
    assert Lineage(flat).pooled([[1.0, 2.0], [3.0, 4.0, 5.0]]) == [[1.0, 2.0], [3.0, 4.0, 5.0]]


def test_a_line_that_branched_off_owns_what_follows() -> None:
    tree = lines(("a", None, None, 4), ("b", "a", 2, 3))
    assert owners(tree) == ["aaaa", "aab"]
    assert Lineage(tree).own_from == [0, 2]
    assert not Lineage(tree).is_flat


def test_a_branch_at_the_first_turn_shares_nothing() -> None:
    tree = lines(("a", None, None, 2), ("b", "a", 0, 2))
    assert owners(tree) == ["aa", "bb"]
    assert Lineage(tree).is_flat


def test_three_levels() -> None:
    """c branched off b after b off a; d branched off b before b was its own, which is a's turn."""
    tree = lines(("a", None, None, 5), ("b", "a", 2, 5), ("c", "b", 3, 5), ("d", "b", 1, 3))
    assert owners(tree) == ["aaaaa", "aabbb", "aabcc", "add"]


def test_the_order_of_the_lines_does_not_matter() -> None:
    said: list[Said] = [("a", None, None, 5), ("b", "a", 2, 5), ("c", "b", 3, 5)]
    assert owners(lines(*reversed(said))) == ["aabcc", "aabbb", "aaaaa"]


def test_the_first_that_branched_off_stands_in_for_a_parent_that_is_not_there() -> None:
    """p was dropped: of its turns b has two, which c and d have from b; what d has beyond them of p's is its own."""
    tree = lines(("b", "p", 2, 4), ("c", "p", 1, 3), ("d", "p", 3, 4))
    assert owners(tree) == ["bbbb", "bcc", "bbdd"]
    assert Lineage(tree).own_from == [0, 1, 2]


def test_a_parent_that_is_there_stands_for_its_own_that_is_not() -> None:
    tree = lines(("b", "p", 2, 4), ("c", "b", 3, 4), ("d", "q", 1, 2))
    assert owners(tree) == ["bbbb", "bbbc", "dd"]


def test_a_single_fork_without_its_parent_owns_all() -> None:
    tree = lines(("b", "p", 2, 4))
    assert owners(tree) == ["bbbb"]
    assert Lineage(tree).is_flat


def test_shared_turns_have_the_mean_of_all_that_go_through_them() -> None:
    """Turn 0 is of three lines (3, 0, 6), turn 1 of a and c (3, 6), the rest of one each."""
    tree = lines(("a", None, None, 3), ("b", "a", 1, 2), ("c", "a", 2, 3))
    assert Lineage(tree).pooled([[3.0] * 3, [0.0] * 2, [6.0] * 3]) == [[3.0, 4.5, 3.0], [3.0, 0.0], [3.0, 4.5, 6.0]]


@st.composite
def trees(draw: st.DrawFn) -> tuple[list[Trajectory], list[list[int]]]:
    """Lines of one tree, and of each line's turns who sampled them: written down while it grows."""
    sampled: list[list[int]] = []
    said: list[Said] = []
    for number in range(draw(st.integers(1, 8))):
        of = draw(st.integers(0, number - 1)) if number else 0
        turn = draw(st.integers(0, len(sampled[of]))) if number else 0
        end = turn + draw(st.integers(0, 3))
        sampled.append([*(sampled[of][:turn] if number else []), *[number] * (end - turn)])
        said.append((str(number), str(of) if number else None, turn if number else None, end))
    return lines(*said), sampled


@given(trees())
def test_each_turn_is_that_of_the_line_that_sampled_it(grown: tuple[list[Trajectory], list[list[int]]]) -> None:
    found, sampled = grown
    lineage = Lineage(found)
    assert [[lineage.owner(place, turn) for turn in range(len(own))] for place, own in enumerate(sampled)] == sampled


@given(trees())
def test_each_turn_is_owned_once(grown: tuple[list[Trajectory], list[list[int]]]) -> None:
    found, sampled = grown
    own_from = Lineage(found).own_from
    owned = [(place, turn) for place, line in enumerate(found) for turn in range(own_from[place], len(line.turns))]
    assert len(owned) == len(set(owned))
    assert set(owned) == {(by, turn) for own in sampled for turn, by in enumerate(own)}
    assert Lineage(found).num_turns == len(owned)


@given(trees(), st.data())
def test_whoever_is_dropped_lines_share_only_what_they_have_in_common(
    grown: tuple[list[Trajectory], list[list[int]]], data: st.DataObject
) -> None:
    found, sampled = grown
    kept = data.draw(st.lists(st.sampled_from(range(len(found))), unique=True, min_size=1))
    left = [found[place] for place in kept]
    lineage = Lineage(left)
    for place, line in enumerate(left):
        for turn in range(len(line.turns)):
            owner = lineage.owner(place, turn)
            assert lineage.own_from[owner] <= turn < len(left[owner].turns)
            assert sampled[kept[owner]][turn] == sampled[kept[place]][turn]


@given(trees(), st.data())
def test_pooling_is_the_mean_over_lines(grown: tuple[list[Trajectory], list[list[int]]], data: st.DataObject) -> None:
    found, sampled = grown
    values = [data.draw(st.lists(st.floats(-5, 5), min_size=len(own), max_size=len(own))) for own in sampled]
    pooled = Lineage(found).pooled(values)
    for place, own in enumerate(sampled):
        for turn, by in enumerate(own):
            through = [
                values[other][turn]
                for other in range(len(sampled))
                if turn < len(sampled[other]) and sampled[other][turn] == by
            ]
            assert pooled[place][turn] == pytest.approx(sum(through) / len(through), abs=1e-12)


def test_lines_whose_parent_is_missing_stand_in_for_each_other_turn_by_turn() -> None:
    tree = lines(("a", "gone", 2, 6), ("b", "gone", 5, 6), ("c", "gone", 4, 6))
    assert owners(tree) == ["aaaaaa", "aabbbb", "aabbcc"]
    assert Lineage(tree).num_turns == 6 + 4 + 2
