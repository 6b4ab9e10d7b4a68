"""Trees: what their lines share, and that a tree of degree one is a plain episode."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import torch

from agentgym.actors.embedded.engine import EmbeddedEngine
from agentgym.errors import EnvError, UserError
from agentgym.hosts import Where
from agentgym.learn.batch import Microbatch, microbatches
from agentgym.learn.rows import rows_of
from agentgym.protocols.plain import Plain
from agentgym.registry import EnvFactory
from agentgym.rollout import Limits, Rollout, engine_actor, expert_actor, led_actor
from agentgym.search import Found, Search, Table, Tree
from agentgym.snapshot import Mark
from agentgym.types import StopReason, Trajectory
from agentgym.visit import Player
from tests.kit import one_thread, tiny_model
from tests.unit.rollout.kit import Stage, Stages, rollout_on, seen, timeless
from tests.unit.search.kit import (
    LIMITS,
    TOKENIZER,
    Drifting,
    OneWay,
    Policy,
    Ways,
    check,
    find,
    made,
    specs_of,
)

__all__ = ["one_thread"]

MODEL = tiny_model(vocab_size=len(TOKENIZER.hf), max_position_embeddings=2048)
EVERYWHERE = pytest.mark.parametrize("where", ["loop", "threads", pytest.param("processes", marks=pytest.mark.slow)])
BLOCKS = EnvFactory("blocksworld", {"level": "b3"})
SIX = Limits(max_turns=6, max_reply_tokens=8)


class By(Search):
    """Grows as a function says."""

    def __init__(self, grow: Callable[[Tree], Awaitable[Any]], *, comes_back: bool = True) -> None:
        self._grow, self.comes_back = grow, comes_back

    async def grow(self, tree: Tree, num: int) -> None:
        await self._grow(tree)


def staged(stages: Stages, grow: Callable[[Tree], Awaitable[Any]], num: int = 1, **limits: Any) -> tuple[Found, Policy]:
    """On hosts that answer from a list."""
    engine = Policy()
    rollout = rollout_on(stages, limits=Limits(**{"max_turns": 2, "max_reply_tokens": 8, **limits}))
    table = Table(rollout=rollout, engine=engine, actor=engine_actor(engine, temperature=1.0))
    found = timeless(By(grow).play(table, specs_of(num)))
    assert engine.open == set()
    return found, engine


async def two_lines(tree: Tree) -> None:
    for child in await tree.propose(tree.root, 2, merges=False):
        await tree.roll_out(child)


# -- degree one --------------------------------------------------------------------------------------------


def test_a_tree_of_degree_one_is_a_plain_episode_to_the_bit() -> None:
    async def played(search: Search) -> list[Trajectory]:
        engine = EmbeddedEngine(MODEL, max_sessions=9)
        rollout = Rollout(BLOCKS, TOKENIZER, Plain(), limits=SIX, max_context=2048)
        table = Table(rollout=rollout, engine=engine, actor=engine_actor(engine, temperature=1.0))
        found = [line for seed in range(3) for line in (await search.play(table, specs_of(3, seed=seed))).lines]
        await rollout.close()
        await engine.close()
        return found

    flat, vine = asyncio.run(played(made("flat"))), asyncio.run(played(made("vine", ways=1)))
    bare = [line.model_copy(update={"turns": [without_search(turn) for turn in line.turns]}) for line in vine]
    assert [line.model_dump_json() for line in bare] == [line.model_dump_json() for line in flat]
    assert len({line.samples[0].token_ids[-1] for line in vine}) > 1
    for one, other in zip(batches(vine), batches(flat), strict=True):
        for field in dataclasses.fields(one):
            ours, theirs = getattr(one, field.name), getattr(other, field.name)
            assert torch.equal(ours, theirs) if isinstance(ours, torch.Tensor) else ours == theirs


def without_search(turn: Any) -> Any:
    return turn.model_copy(update={"value": None, "visits": None})


def batches(trajectories: list[Trajectory]) -> list[Microbatch]:
    rows = [row for number, trajectory in enumerate(trajectories) for row in rows_of(trajectory, float(number))]
    return list(microbatches(rows, [1.0 / len(rows)] * len(rows), max_tokens=2000))


def test_its_first_line_is_the_episode_that_is_played_without_a_search() -> None:
    (flat,) = find(made("flat"), num=1).lines
    tree = find(made("vine", ways=3, turns=(1, 2)), num=1).lines
    assert tree[0].samples == flat.samples
    assert (tree[0].episode_id, tree[0].parent_id) == (flat.episode_id, None)


def test_the_first_ways_from_the_root_are_the_groups_own() -> None:
    """Where nothing branches later, a tree's lines are the group's episodes."""
    flat = find(made("flat"), num=4).lines
    tree = find(made("vine", seeds=4, turns=(9,)), num=4).lines
    assert [line.samples for line in tree] == [line.samples for line in flat]
    assert [line.episode_id for line in tree] == [line.episode_id for line in flat]
    assert [line.branch_turn for line in tree] == [None, 0, 0, 0]


def test_without_coming_back_nothing_is_saved() -> None:
    stage = Stage(seen())

    async def go() -> Found:
        engine = Policy()
        rollout = rollout_on(Stages(stage), limits=Limits(max_turns=4, max_reply_tokens=8))
        table = Table(rollout=rollout, engine=engine, actor=engine_actor(engine, temperature=1.0))
        return await made("vine", ways=1).play(table, specs_of(1))

    (line,) = timeless(go()).lines
    assert (len(line.turns), stage.saved, stage.loaded, stage.forgotten) == (4, 0, [], [])


# -- lines -------------------------------------------------------------------------------------------------


@EVERYWHERE
def test_lines_share_what_was_before_and_go_on_by_themselves(where: Where) -> None:
    async def go() -> list[Trajectory]:
        engine = EmbeddedEngine(MODEL, max_sessions=3)
        rollout = Rollout(BLOCKS, TOKENIZER, Plain(), limits=SIX, max_context=2048, where=where)
        table = Table(rollout=rollout, engine=engine, actor=engine_actor(engine, temperature=1.0))
        found = await made("vine", ways=3, turns=(0, 2)).play(table, specs_of(1))
        assert rollout.num_running == 0
        await rollout.close()
        await engine.close()
        check(found)
        return found.lines

    lines = asyncio.run(go())
    assert [(line.episode_id, line.parent_id, line.branch_turn) for line in lines] == [
        ("g-0", None, None),
        ("g-0.1", "g-0", 2),
        ("g-0.2", "g-0", 2),
        ("g-0.3", "g-0", 0),
        ("g-0.4", "g-0", 0),
    ]
    assert len({tuple(turn.reply for turn in line.turns) for line in lines}) == len(lines)
    with Player(BLOCKS()) as player:
        for line in lines:
            shown = [player.reset(line.task, line.seed)]
            for turn in line.turns:
                result = player.step(turn.action or "")
                shown.append(result.observation)
                assert result.reward == turn.reward
            assert [*(turn.observation for turn in line.turns), line.final_observation] == shown


def test_lines_come_in_the_order_of_their_proposals_whatever_came_first() -> None:
    async def backward(tree: Tree) -> None:
        one, two, three = await tree.propose(tree.root, 3)
        (below,) = await tree.propose((await taken(tree, one)), 1)
        for node in (three, two, below):
            await tree.roll_out(node)
        assert [line.turns[0].action for line in tree.lines] == [node.action for node in (three, two, one)]

    found = find(By(backward), num=2)
    check(found)
    assert [line.episode_id for line in found.lines] == ["g-0", "g-1", "g-0.2"]
    assert [line.turns[0].action for line in found.lines] == [line.turns[0].action for line in by_place(found)]


async def taken(tree: Tree, node: Any) -> Any:
    await tree.take(node)
    return node


def by_place(found: Found) -> list[Trajectory]:
    """The group's own first replies, in order."""
    flat = find(made("flat"), num=6).lines
    firsts = list(dict.fromkeys(line.turns[0].action for line in flat))
    return [next(line for line in flat if line.turns[0].action == first) for first in firsts][: len(found.lines)]


def test_proposals_that_say_the_same_are_one() -> None:
    async def grow(tree: Tree) -> None:
        children = await tree.propose(tree.root, 7)
        assert len({child.action for child in children}) == len(children) == 3
        assert tree.spent.merged == 4
        assert tree.root.num_proposed == 7
        assert await tree.propose(tree.root, 7) == []
        assert len(await tree.propose(tree.root, 9, merges=False)) == 2
        assert [child.number for child in tree.root.children][-2:] == [7, 8]
        await tree.roll_out(children[0])

    check(find(By(grow), num=1))


def test_what_cannot_be_read_is_told_apart_by_its_words() -> None:
    from agentgym.protocols.react import React

    async def grow(tree: Tree) -> None:
        tree.root.play.protocol = React()
        children = await tree.propose(tree.root, 9)
        assert len(children) == 3
        assert {child.action for child in children} == {""}
        await tree.roll_out(children[0])

    find(By(grow), num=1, limits=dataclasses.replace(LIMITS, max_turns=1))


def test_a_proposal_that_is_not_taken_is_seen_with_its_last_word() -> None:
    async def grow(tree: Tree) -> None:
        child, other = await tree.propose(tree.root, 2, merges=False)
        (turn,) = child.attempt().turns
        assert (turn.observation, turn.reply, turn.action) == ("at the door", child.action, child.action)
        assert tree.root.attempt().turns == []
        await tree.take(child)
        assert child.attempt() is child.play.trajectory
        assert (child.depth, other.depth, child.name, other.name) == (1, 1, "0", "1")
        await tree.roll_out(child)

    find(By(grow), num=1)


def test_values_are_means_of_what_came_by() -> None:
    async def grow(tree: Tree) -> None:
        one, two = await tree.propose(tree.root, 2)
        ends = [await tree.roll_out(node) for node in (one, two)]
        (more,) = await tree.propose(one, one.num_proposed + 1, merges=False)
        ends.append(await tree.roll_out(more))
        for end in ends:
            tree.back_up(end)
            tree.back_up(end)  # once is enough
        returns = [end.play.trajectory.reward for end in ends]
        assert (one.visits, two.visits, tree.root.visits) == (2, 1, 3)
        assert one.value == pytest.approx((returns[0] + returns[2]) / 2)
        assert tree.root.value == pytest.approx(sum(returns) / 3)

    check(find(By(grow), num=1))


def test_who_asks_twice_is_taken_once() -> None:
    async def grow(tree: Tree) -> None:
        (child,) = await tree.propose(tree.root, 1)
        await tree.take(child)
        await tree.take(child)
        assert tree.spent.steps == 1
        await tree.roll_out(child)

    find(By(grow), num=1)


def test_an_expert_may_propose() -> None:
    async def go(search: Search) -> Found:
        engine = EmbeddedEngine(MODEL, max_sessions=9)
        rollout = Rollout(BLOCKS, TOKENIZER, Plain(), limits=SIX, max_context=2048)
        actor = led_actor(expert_actor(rollout.protocol), engine_actor(engine, temperature=1.0))
        table = Table(rollout=rollout, engine=engine, actor=actor)
        found = await search.play(table, [dataclasses.replace(spec, shown_turns=1) for spec in specs_of(3)])
        await rollout.close()
        await engine.close()
        return found

    for search in (made("vine", ways=3, turns=(0, 1)), made("lookahead")):
        found = asyncio.run(go(search))
        check(found)
        assert len({line.turns[0].reply for line in found.lines}) == 1
        assert {line.turns[0].role for line in found.lines} == {"expert"}


# -- what goes wrong ---------------------------------------------------------------------------------------


def test_marks_are_forgotten_and_the_host_is_given_back() -> None:
    stages = Stages(Stage(seen()))
    found, _ = staged(stages, two_lines)
    (stage,) = stages.opened
    assert len(found.lines) == 2
    assert (stage.num_killed, len(stage.resets)) == (0, 1)
    assert sorted(stage.forgotten) == [f"mark {number + 1}" for number in range(stage.saved)]


def test_a_host_that_does_not_forget_in_time_is_killed_and_its_lines_stay() -> None:
    class Keeps(Stage):
        async def forget(self, *marks: Mark) -> None:
            await asyncio.sleep(10**6)

    stages = Stages(Keeps(seen()))
    found, _ = staged(stages, two_lines)
    assert [line.stop_reason for line in found.lines] == [StopReason.TURN_LIMIT] * 2
    assert [stage.num_killed for stage in stages.opened] == [1]


def test_a_host_that_broke_is_killed_and_forgets_nothing() -> None:
    stages = Stages(Stage(seen(), seen(), EnvError("broke")), Stage(seen(), seen(), seen(), EnvError("broke again")))
    found, _ = staged(stages, two_lines)
    assert [(stage.num_killed, stage.forgotten) for stage in stages.opened] == [(1, []), (1, [])]
    assert [(line.stop_reason, line.attempt) for line in found.lines] == [(StopReason.TURN_LIMIT, 0)]


def test_where_nothing_was_found_there_is_a_void_record() -> None:
    stages = Stages(Stage(EnvError("broke")), Stage(seen(), EnvError("broke again")))
    (line,) = staged(stages, two_lines, num=3)[0].lines
    assert (line.stop_reason, line.error, line.attempt) == (StopReason.ENV_ERROR, "broke again", 1)
    assert (line.episode_id, line.turns, line.reward) == ("g-0", [], 0)


def test_where_no_environment_can_be_made_there_is_a_void_record() -> None:
    stages = Stages(EnvError("none"), EnvError("none left"))
    (line,) = staged(stages, two_lines)[0].lines
    assert (line.stop_reason, line.error) == (StopReason.ENV_ERROR, "none left")


def test_what_broke_is_tried_again_on_a_host_that_nobody_played_on() -> None:
    stages = Stages(Stage(EnvError("broke")), Stage(seen()))
    engine = Policy()

    async def go() -> Found:
        rollout = rollout_on(stages, limits=Limits(max_turns=2, max_reply_tokens=8))
        async with rollout.seat(), rollout.seat():
            pass  # both are idle then, and the first one is lent first
        table = Table(rollout=rollout, engine=engine, actor=engine_actor(engine, temperature=1.0))
        return await By(two_lines).play(table, specs_of(1))

    assert [line.attempt for line in timeless(go()).lines] == [1, 1]
    assert [len(stage.resets) for stage in stages.opened] == [1, 0, 1]


def test_a_mistake_kills_the_host_and_releases_all() -> None:
    stages = Stages(Stage(seen(), UserError("no")))
    with pytest.raises(UserError, match="no"):
        staged(stages, two_lines)
    assert stages.opened[0].num_killed == 1


def test_one_that_answers_too_late_is_broken() -> None:
    stages = Stages(Stage(seen(), hangs=["step"]), Stage(seen()))
    found, _ = staged(stages, two_lines, step_seconds=5.0)
    assert [line.attempt for line in found.lines] == [1, 1]
    assert [stage.num_killed for stage in stages.opened] == [1, 0]


def test_one_that_never_ends_a_line_is_tried_again_and_void() -> None:
    async def nothing(tree: Tree) -> None:
        await tree.propose(tree.root, 2)

    (line,) = find(By(nothing), num=1).lines
    assert line.stop_reason is StopReason.ENV_ERROR
    assert str(line.error).endswith(" came back to none of 0 moments")  # what it is called depends on who loaded it


def test_a_lost_moment_has_no_value_and_no_line() -> None:
    async def grow(tree: Tree) -> None:
        one, two = await tree.propose(tree.root, 2)
        await tree.roll_out(one)
        end = await tree.roll_out(two)
        assert (end is two, two.is_lost, two.is_over, two.visits) == (True, True, False, 0)
        assert tree.spent.lost == 1
        await tree.take(two)
        assert await tree.propose(two, 3) == []
        assert tree.spent.lost == 1

    found = find(By(grow), Drifting, num=1)
    check(found)
    assert len(found.lines) == 1


def test_what_cannot_be_saved_is_said_before_anything_is_asked() -> None:
    engine = Policy()
    with pytest.raises(UserError, match="type --search best-of-n or --search lookahead"):
        find(By(two_lines), OneWay, engine=engine)
    assert engine.num_replies == 0


def test_goes_on_until_it_is_spent_or_all_is_seen() -> None:
    async def grow(tree: Tree) -> None:
        going = [tree.goes_on]
        (child,) = await tree.propose(tree.root, 1)
        end = await tree.roll_out(child)
        going.append(tree.goes_on)
        for node in end.path:
            node.is_closed = True
        going.append(tree.goes_on)
        tree.root.is_closed = False
        for steps in (3, 4):
            tree.budget = tree.budget.model_copy(update={"max_steps": steps})
            going.append(tree.goes_on)
        assert going == [True, True, False, False, True]

    find(By(grow), Ways, num=1)
