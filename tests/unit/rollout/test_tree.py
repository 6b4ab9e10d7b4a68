"""Episodes that are forked: what the lines of a tree share, and that a tree of degree one is a plain episode."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from typing import Any

import pytest
import torch

import agentgym
from agentgym.actors.embedded.engine import EmbeddedEngine
from agentgym.actors.scripted import ScriptedEngine
from agentgym.errors import SnapshotError
from agentgym.hosts import Where
from agentgym.learn.batch import Microbatch, microbatches
from agentgym.learn.rows import rows_of
from agentgym.protocols.plain import Plain
from agentgym.registry import EnvFactory
from agentgym.rollout import EpisodeSpec, Limits, Rollout, Tree, engine_actor
from agentgym.types import StopReason, Trajectory
from agentgym.visit import Player
from tests.kit import chat, one_thread, tiny_model

__all__ = ["one_thread"]

TOKENIZER = chat()
MODEL = tiny_model(vocab_size=len(TOKENIZER.hf), max_position_embeddings=2048)
EVERYWHERE = pytest.mark.parametrize("where", ["loop", "threads", "processes"])
BLOCKS = EnvFactory("blocksworld", {"level": "b3"})
LIMITS = Limits(max_turns=6, max_reply_tokens=8)


class Maze(agentgym.Env):
    """Ends at "out", breaks at "break"."""

    instructions = "Get out."

    def reset(self, **_: Any) -> Any:
        return f"room {self.np_random.integers(1000)}", {}

    def step(self, action: str) -> Any:
        if action == "break":
            raise ZeroDivisionError("wall")
        return f"room {self.np_random.integers(1000)}", 0.25, action == "out", False, {}


class OneWay(Maze):
    restored_by = "none"


def specs(num: int) -> list[EpisodeSpec]:
    return [
        EpisodeSpec(task=i // 3, seed=i // 3, member=i % 3, group_id=str(i // 3), episode_id=f"{i // 3}-{i % 3}")
        for i in range(num)
    ]


def rollout_of(make_env: Any, where: Where = "loop", **options: Any) -> Rollout:
    return Rollout(make_env, TOKENIZER, Plain(), **{"limits": LIMITS, "max_context": 2048, "where": where, **options})


def tree_of(rollout: Rollout, engine: EmbeddedEngine | ScriptedEngine, degree: int, *turns: int) -> Tree:
    actor = engine_actor(engine, temperature=1.0)
    return Tree(rollout=rollout, actor=actor, degree=degree, turns=turns, release=engine.release, fork=engine.fork)


def script(*replies: str) -> ScriptedEngine:
    """Says the replies one after another, whatever it is asked."""
    left = iter(replies)
    return ScriptedEngine(lambda prompt: [*TOKENIZER.encode(next(left)), TOKENIZER.stop_token_ids[0]])


def grown(engine: Any, degree: int, *turns: int, env: Any = Maze, limits: Limits = LIMITS) -> list[Trajectory]:
    async def go() -> list[Trajectory]:
        rollout = rollout_of(env, limits=limits)
        try:
            return await tree_of(rollout, engine, degree, *turns).play(specs(1)[0])
        finally:
            await rollout.close()

    return asyncio.run(go())


def test_a_tree_of_degree_one_is_a_plain_episode_to_the_bit() -> None:
    async def flat() -> list[Trajectory]:
        engine, rollout = EmbeddedEngine(MODEL, max_sessions=9), rollout_of(BLOCKS)
        return await rollout.run(specs(9), engine_actor(engine, temperature=1.0), release=engine.release)

    async def branched() -> list[Trajectory]:
        tree = tree_of(rollout_of(BLOCKS), EmbeddedEngine(MODEL, max_sessions=9), 1, 0, 1, 2)
        return [line for lines in await asyncio.gather(*map(tree.play, specs(9))) for line in lines]

    expected, found = asyncio.run(flat()), asyncio.run(branched())
    assert [line.model_dump_json() for line in found] == [line.model_dump_json() for line in expected]
    assert len({trajectory.samples[0].token_ids[-1] for trajectory in found}) > 1
    for one, other in zip(batches(found), batches(expected), strict=True):
        for field in dataclasses.fields(one):
            ours, theirs = getattr(one, field.name), getattr(other, field.name)
            assert torch.equal(ours, theirs) if isinstance(ours, torch.Tensor) else ours == theirs


def batches(trajectories: list[Trajectory]) -> list[Microbatch]:
    rows = [row for number, trajectory in enumerate(trajectories) for row in rows_of(trajectory, float(number))]
    return list(microbatches(rows, [1.0 / len(rows)] * len(rows), max_tokens=2000))


@EVERYWHERE
def test_lines_share_what_was_before_and_go_on_by_themselves(where: Where) -> None:
    async def go() -> list[Trajectory]:
        rollout, engine = rollout_of(BLOCKS, where), EmbeddedEngine(MODEL, max_sessions=3)
        lines = await tree_of(rollout, engine, 3, 0, 2).play(specs(1)[0])
        assert (rollout.num_running, len(engine._free)) == (0, 3)
        await rollout.close()
        return lines

    lines = asyncio.run(go())
    by_id = {line.episode_id: line for line in lines}
    assert list(by_id) == [
        *("0-0", "0-0.2-1", "0-0.2-2"),
        *("0-0.0-1", "0-0.0-1.2-1", "0-0.0-1.2-2"),
        *("0-0.0-2", "0-0.0-2.2-1", "0-0.0-2.2-2"),
    ]
    assert len({tuple(turn.reply for turn in line.turns) for line in lines}) == len(lines)
    with Player(BLOCKS()) as player:
        for line in lines:
            seen = [player.reset(line.task, line.seed)]
            for turn in line.turns:
                result = player.step(turn.action or "")
                seen.append(result.observation)
                assert result.reward == turn.reward
            assert [*(turn.observation for turn in line.turns), line.final_observation] == seen
    for line in lines[1:]:
        parent, at = by_id[line.parent_id or ""], line.branch_turn
        assert at in (0, 2)
        assert line.turns[:at] == parent.turns[:at]
        assert line.turns[at].reply != parent.turns[at].reply
        ours, theirs = line.samples[0], parent.samples[0]
        shared = sum(index < at for index in ours.turn_index)
        assert list(ours.token_ids[:shared]) == list(theirs.token_ids[:shared])
        assert list(ours.logprobs[:shared]) == list(theirs.logprobs[:shared])
    assert (lines[0].parent_id, lines[0].branch_turn) == (None, None)


def test_an_episode_that_ends_before_a_branch_has_none() -> None:
    (line,) = grown(script("a", "out"), 4, 2, 3)
    assert (line.stop_reason, len(line.turns)) == (StopReason.TERMINATED, 2)


def test_a_branch_that_breaks_is_void_and_ends_the_tree() -> None:
    lines = grown(script("a", "out", "break"), 3, 1)
    assert [line.stop_reason for line in lines] == [StopReason.TERMINATED, StopReason.ENV_ERROR]
    assert [[turn.reply for turn in line.turns] for line in lines] == [["a", "out"], ["a", "break"]]
    assert "ZeroDivisionError: wall" in str(lines[1].error)
    assert lines[1].branch_turn == 1


def test_what_cannot_be_saved_cannot_branch() -> None:
    with pytest.raises(SnapshotError, match="OneWay cannot be saved: there is no way back"):
        grown(script("a"), 2, 1, env=OneWay)
    assert len(grown(script("a", "out"), 1, 1, env=OneWay)) == 1
    with pytest.raises(ValueError, match="degree is 0, expected 1 or more"):
        grown(script("a"), 0, 1)


def test_a_play_is_taken_turn_by_turn_and_forked_onto_another_host() -> None:
    async def go() -> None:
        rollout, engine = rollout_of(Maze, concurrency=2), script("a", "b", "out", "c", "out")
        actor = engine_actor(engine, temperature=1.0)
        async with rollout.seat() as one, rollout.seat() as two:
            assert rollout.num_running == 2
            play = rollout.play(one.host, specs(1)[0], actor, release=engine.release)
            await play.begin()
            assert await play.turn() is False
            fork = play.fork(EpisodeSpec(task=0, seed=0, episode_id="fork"), two.host, await play.save())
            assert [await play.turn() for _ in range(2)] == [False, True]
            with pytest.raises(ValueError, match="episode 0-0 is over: there is nothing to go on with"):
                play.fork(fork.spec, two.host, fork.mark)  # type: ignore[arg-type]
            await fork.run()
        assert (rollout.num_running, len(rollout._idle)) == (0, 2)
        await play.run()  # nothing is left to do but to write down the tokens
        first, second = play.trajectory, fork.trajectory
        assert [turn.reply for turn in first.turns] == ["a", "b", "out"]
        assert [turn.reply for turn in second.turns] == ["a", "c", "out"]
        assert [turn.observation for turn in first.turns] == [turn.observation for turn in second.turns]
        assert (second.parent_id, second.branch_turn, second.reward) == ("0-0", 1, 0.75)

    asyncio.run(go())


def test_a_seat_that_is_spoiled_is_not_given_back() -> None:
    async def go() -> None:
        rollout = rollout_of(Maze, concurrency=1)
        async with rollout.seat() as seat:
            first = seat.host
        async with rollout.seat() as seat:
            assert seat.host is first
            seat.is_spoiled = True
        with contextlib.suppress(KeyError):
            async with rollout.seat() as seat:
                assert seat.host is not first
                raise KeyError
        assert (rollout.num_running, rollout._idle) == (0, [])

    asyncio.run(go())
