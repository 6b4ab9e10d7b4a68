"""The beam: what is kept, by a critic and by roll-outs, and which line counts."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from agentgym.search import Tree
from agentgym.searches.beam import Beam
from tests.unit.search.kit import Critic, Mute, Policy, Ways, check, find, made, way_of, worth


def beam(critic: Critic | None = None, **options: int) -> Beam:
    search = Beam(**options)
    search.critic = critic
    return search


@pytest.mark.parametrize(("of", "kept"), [(lambda way: way.count("b"), "bbb"), (lambda way: -ord(way[-1]), "aaa")])
def test_with_a_critic_it_goes_on_with_what_that_likes(of: Callable[[str], float], kept: str) -> None:
    search = beam(Critic(of), width=1, proposals=12)
    (line,) = find(search).lines
    assert way_of(line) == kept
    assert [turn.critic for turn in line.turns] == [1.0, 1.0, 1.0]


def test_what_falls_out_of_the_beam_is_no_line() -> None:
    search = beam(Critic(lambda way: way.count("b")), width=2, proposals=12)
    found = find(search)
    check(found)
    assert len(found.lines) == 2
    assert {way_of(line).count("b") for line in found.lines} == {3, 2}
    assert way_of(search.choose(found.lines)) == "bbb"
    assert found.spent.steps == 6


def test_what_is_over_is_compared_with_what_goes_on() -> None:
    class Doors(Ways):
        """Out at once, by "a"."""

        def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, str]]:
            seen, reward, over, cut, info = super().step(action)
            return seen, reward, over or action == "a", cut, info

    shy = beam(Critic(lambda way: way == "a"), width=1, proposals=12)
    assert [way_of(line) for line in find(shy, Doors).lines] == ["a"]
    bold = beam(Critic(len), width=2, proposals=12)
    lines = find(bold, Doors).lines
    assert len(way_of(bold.choose(lines))) == 3


def test_without_a_critic_it_goes_on_with_what_a_roll_out_brought() -> None:
    class Watched(Beam):
        pools: list[list[tuple[float, int]]]

        async def _best(self, tree: Tree, pool: list) -> list:  # type: ignore[type-arg]
            kept = await super()._best(tree, pool)
            values = sorted((node.value for node in pool), reverse=True)
            assert [node.value for node in kept] == values[: self.width]
            assert all(node.visits >= 1 for node in pool)
            return kept

    search = Watched(width=2, proposals=9)
    found = find(search)
    check(found)
    assert search.choose(found.lines).reward == max(line.reward for line in found.lines)
    assert search.choose(found.lines).reward == pytest.approx(max(worth(way_of(line)) for line in found.lines))
    assert found.spent.unjudged == 0
    assert len(found.lines) == len({way_of(line) for line in found.lines})


def test_a_reply_that_was_rolled_out_is_one_of_the_ways_to_go_on() -> None:
    async def grow(tree: Tree) -> None:
        await Beam(width=1, proposals=1).grow(tree, 1)

    class One(Beam):
        async def grow(self, tree: Tree, num: int) -> None:
            await grow(tree)

    found = find(One(), num=1)
    assert len(found.lines) == 1
    assert found.spent.sampled == 6  # three replies, none of them twice
    assert found.spent.steps == 3


def test_what_was_rolled_out_takes_no_place_among_those_that_go_next() -> None:
    """Two go at once, and the budget is asked between: those that were played already are none of them."""
    found = find(made("beam", width=2, proposals=2, max_steps=7), num=1, engine=Policy("abcdefghijklmnopqrstuvwxyz"))
    check(found)
    assert sorted(line.branch_turn or 0 for line in found.lines) == [0, 0, 1, 1]
    assert found.spent.steps == 3 + 3 + 2 + 2


def test_a_critic_that_is_silent_leaves_the_order() -> None:
    found = find(beam(Mute(), width=2, proposals=12))
    check(found)
    assert len(found.lines) == 2
    assert found.spent.unjudged == 3


def test_the_first_line_counts_where_nothing_was_judged() -> None:
    search = beam(Mute(), width=2, proposals=12)
    lines = find(search).lines
    assert search.choose(lines) is lines[0]
