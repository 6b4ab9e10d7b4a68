"""Agent Q's tree search: its bound and its backup by hand, and that it finds what is best."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import pytest

from agentgym.errors import ConfigError
from agentgym.hosts import Where
from agentgym.pairs import branch_pairs
from agentgym.search import Node, Tree
from agentgym.searches.mcts import MCTS, ucb1
from tests.unit.search.kit import WAYS, Critic, Policy, Ways, check, find, made, way_of, worth


class Watched(MCTS):
    """Keeps its tree."""

    tree: Tree

    async def grow(self, tree: Tree, num: int) -> None:
        self.tree = tree
        await super().grow(tree, num)


class Kept(Ways):
    """1 where the way begins so."""

    good = ""

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, str]]:
        seen, _, over, cut, info = super().step(action)
        return seen, float(over and self.way.startswith(self.good)), over, cut, info


def node_of(parent: Node, *returns: float) -> Node:
    node = Node(parent.play, parent, number=len(parent.children), is_taken=True)
    parent.children.append(node)
    for value in returns:
        node.back_up(value)
    return node


def grown(num: int = 8, *, where: Where = "loop", **options: object) -> tuple[Watched, list[tuple[str, float]]]:
    search = Watched(**options)  # type: ignore[arg-type]
    found = find(search, WAYS, num=num, where=where)
    check(found)
    return search, [(way_of(line), line.reward) for line in found.lines]


def test_the_bound_by_hand() -> None:
    assert ucb1(0.5, 4, 1, exploration=1.0) == pytest.approx(1.3326, abs=5e-5)
    assert ucb1(0.5, 4, 1, exploration=0.0) == 0.5
    assert ucb1(0.5, 1, 0, exploration=1.0) == 0.5  # log 1: nothing is explored yet
    assert ucb1(0.5, 0, 0, exploration=1.0) == 0.5  # and not log 0
    assert ucb1(0.0, 9, 3, exploration=2.0) == pytest.approx(2 * math.sqrt(math.log(9) / 4))


def test_the_backup_by_hand() -> None:
    root = Node(play=None, is_taken=True)  # type: ignore[arg-type]
    child = node_of(root, 1.0, 0.0, 1.0)
    assert child.value == pytest.approx(2 / 3)
    assert child.visits == 3
    other = node_of(root, 0.5)
    assert root.value == pytest.approx(2.5 / 4)
    assert root.visits == 4
    below = node_of(child, 1.0)
    assert (child.visits, below.visits, other.visits, root.visits) == (4, 1, 1, 5)
    assert Node(play=None).value == 0.0  # type: ignore[arg-type]


def test_what_is_selected_by_hand() -> None:
    root = Node(play=None, is_taken=True, is_closed=True)  # type: ignore[arg-type]
    often, seldom = node_of(root, 1, 1, 1, 0), node_of(root, 0)
    assert MCTS(exploration=0.0)._select(root) is often
    # 3/4 + c · sqrt(log 5 / 5) = 0.75 + 0.567 c < 0 + c · sqrt(log 5 / 2) = 0.897 c, from c = 2.28 on
    assert MCTS(exploration=2.2)._select(root) is often
    assert MCTS(exploration=2.3)._select(root) is seldom
    often.hold(5)
    assert MCTS(exploration=0.0)._select(root) is often  # 3 of 9 with virtual losses: still more than 0
    assert often.total / (often.visits + often.pending) == pytest.approx(1 / 3)
    assert (root.pending, seldom.pending) == (5, 0)


def test_what_is_under_way_counts_as_visits_that_brought_nothing() -> None:
    root = Node(play=None, is_taken=True, is_closed=True)  # type: ignore[arg-type]
    good, other = node_of(root, 1.0), node_of(root, 0.4)
    search = MCTS(exploration=0.0)
    good.hold(1)
    assert search._select(root) is good  # 1/2
    good.hold(1)
    assert search._select(root) is other  # 1/3


def test_the_untaken_come_first_the_best_of_them_in_front() -> None:
    root = Node(play=None, is_taken=True, is_closed=True)  # type: ignore[arg-type]
    node_of(root, 1.0)
    for number, score in enumerate((0.0, 0.5, 1.0, 1.0), start=1):
        root.children.append(Node(play=None, parent=root, number=number, score=score))  # type: ignore[arg-type]
    search = MCTS()
    chosen = []
    for _ in range(4):
        node = search._select(root)
        assert node is not None
        chosen.append(node.number)
        node.hold(1)
    assert chosen == [3, 4, 2, 1]
    for node in root.children[1:]:
        node.is_lost = True
    assert search._select(root) is root.children[0]
    root.children[0].is_over = True
    assert root.is_done
    assert search._select(root) is None


def test_visits_of_a_moment_are_those_of_its_ways() -> None:
    search, lines = grown(12, proposals=2)
    for node in search.tree.root.walk():
        taken = [child for child in node.children if child.is_taken]
        if taken:
            assert node.visits == sum(child.visits for child in taken)
            assert node.total == pytest.approx(sum(child.total for child in taken))
    assert search.tree.root.visits == len(lines) == len({way for way, _ in lines})


@pytest.mark.parametrize("salt", range(50))
def test_with_all_proposals_it_finds_what_is_best(salt: int) -> None:
    """Of eight ways; a moment proposes often enough to have both words, and nothing is looked at twice."""
    search = MCTS(proposals=12, simulations=8, parallel=2)
    found = find(search, lambda: Ways(salt=salt), engine=Policy("ab"))
    best = max(worth("".join(way), salt) for way in itertools.product("ab", repeat=3))
    assert len(found.lines) == 8
    assert search.choose(found.lines).reward == pytest.approx(best)


def test_it_looks_where_it_was_good() -> None:
    found = find(made("mcts", proposals=9, simulations=14, parallel=1, exploration=0.3), lambda: Begins(depth=4))
    good = [line for line in found.lines if way_of(line).startswith("b")]
    assert len(good) > 10


class Begins(Kept):
    good = "b"


def test_pairs_compare_different_replies_that_were_both_played() -> None:
    found = find(made("mcts", proposals=4), num=10)
    pairs = branch_pairs(found.lines)
    assert len(pairs.pairs) > 3
    assert pairs.num_skipped == 0
    played = {line.samples[0].token_ids.tobytes() for line in found.lines}
    for pair in pairs.pairs:
        assert pair.chosen.token_ids.tolist() != pair.rejected.token_ids.tolist()
        for side in (pair.chosen, pair.rejected):
            assert any(tokens.startswith(side.token_ids.tobytes()) for tokens in played)


def test_a_critic_orders_what_is_looked_at_and_is_no_part_of_the_values() -> None:
    def first(critic: Critic | None) -> tuple[str, list[float | None]]:
        search = MCTS(proposals=9, simulations=1)
        search.critic = critic
        (line,) = find(search).lines
        assert line.turns[0].value == pytest.approx(line.reward)
        return way_of(line), [turn.critic for turn in line.turns]

    assert [first(Critic(liking(word)))[0][0] for word in "abc"] == ["a", "b", "c"]
    assert first(Critic(lambda way: ord(way[-1])))[1] == [1.0, None, None]  # what is rolled out was not ranked
    assert first(None)[1] == [None, None, None]


def liking(word: str) -> Callable[[str], float]:
    return lambda way: float(way == word)


def test_a_critics_places_are_those_among_siblings() -> None:
    search = Watched(proposals=20, simulations=9)
    search.critic = Critic(lambda way: ord(way[-1]))
    find(search)
    for node in search.tree.root.walk():
        if len(node.children) == 3:
            assert {child.action: child.score for child in node.children} == {"a": 0.0, "b": 0.5, "c": 1.0}


@pytest.mark.parametrize("parallel", [1, 4])
@pytest.mark.parametrize("where", ["loop", "threads", pytest.param("processes", marks=pytest.mark.slow)])
def test_the_same_seed_is_the_same_tree_and_no_loss_stays(parallel: int, where: Where) -> None:
    one, lines = grown(9, parallel=parallel, proposals=3)
    other, again = grown(9, parallel=parallel, proposals=3, where=where)
    assert again == lines
    for search in (one, other):
        assert {node.pending for node in search.tree.root.walk()} == {0}
    assert shape(one) == shape(other)


def shape(search: Watched) -> list[tuple[str, str, str, int, float]]:
    return [(node.name, node.action, node.line, node.visits, node.total) for node in search.tree.root.walk()]


def test_several_at_once_do_not_look_at_the_same() -> None:
    _, lines = grown(8, parallel=8, proposals=3)
    assert len({way for way, _ in lines}) == len(lines) == 8


def test_nothing_branches_beyond_its_depth() -> None:
    found = find(made("mcts", proposals=9, depth=1), num=9)
    assert len(found.lines) == 3  # then all is seen
    assert {line.branch_turn for line in found.lines} == {None, 0}
    deeper = find(made("mcts", proposals=9, depth=2), num=20).lines
    assert {line.branch_turn for line in deeper} == {None, 0, 1}


def test_when_all_is_seen_it_ends() -> None:
    found = find(made("mcts", proposals=20, simulations=99), lambda: Ways(depth=2))
    assert len(found.lines) == 9
    assert found.spent.steps == 3 + 9


def test_a_search_of_nothing_is_refused() -> None:
    for options in ({"proposals": 0}, {"simulations": 0}, {"exploration": -1}, {"depth": 0}, {"parallel": 0}):
        with pytest.raises(ConfigError, match=f"search.{next(iter(options))}"):
            made("mcts", **options)
