"""A play is taken turn by turn, and forked onto another host."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

import agentgym
from agentgym.actors.scripted import ScriptedEngine
from agentgym.protocols.plain import Plain
from agentgym.rollout import EpisodeSpec, Limits, Rollout, engine_actor
from tests.kit import chat

TOKENIZER = chat()


class Maze(agentgym.Env):
    """Ends at "out"."""

    instructions = "Get out."

    def reset(self, **_: Any) -> Any:
        return f"room {self.np_random.integers(1000)}", {}

    def step(self, action: str) -> Any:
        return f"room {self.np_random.integers(1000)}", 0.25, action == "out", False, {}


def script(*replies: str) -> ScriptedEngine:
    """Says the replies one after another, whatever it is asked."""
    left = iter(replies)
    return ScriptedEngine(lambda prompt: [*TOKENIZER.encode(next(left)), TOKENIZER.stop_token_ids[0]])


def test_a_play_is_taken_turn_by_turn_and_forked_onto_another_host() -> None:
    async def go() -> None:
        limits = Limits(max_turns=6, max_reply_tokens=8)
        rollout = Rollout(Maze, TOKENIZER, Plain(), limits=limits, max_context=2048, concurrency=2)
        engine = script("a", "b", "out", "c", "out")
        actor = engine_actor(engine, temperature=1.0)
        async with rollout.seat() as one, rollout.seat() as two:
            assert rollout.num_running == 2
            spec = EpisodeSpec(task=0, seed=0, episode_id="0-0")
            play = rollout.play(one.host, spec, actor, release=engine.release)
            await play.begin()
            assert await play.turn() is False
            fork = play.fork(EpisodeSpec(task=0, seed=0, episode_id="fork"), two.host, await play.save())
            assert [await play.turn() for _ in range(2)] == [False, True]
            with pytest.raises(ValueError, match="episode 0-0 is over: there is nothing to go on with"):
                play.fork(fork.spec, two.host, fork.mark)
            await fork.run()
        assert rollout.num_running == 0
        await play.run()  # nothing is left to do but to write down the tokens
        first, second = play.trajectory, fork.trajectory
        assert [turn.reply for turn in first.turns] == ["a", "b", "out"]
        assert [turn.reply for turn in second.turns] == ["a", "c", "out"]
        assert [turn.observation for turn in first.turns] == [turn.observation for turn in second.turns]
        assert (second.parent_id, second.branch_turn, second.reward) == ("0-0", 1, 0.75)
        await rollout.close()

    asyncio.run(go())


def test_a_fresh_seat_was_not_played_on() -> None:
    async def go() -> None:
        rollout = Rollout(Maze, TOKENIZER, Plain(), max_context=2048)
        async with rollout.seat() as seat:
            first = seat.host
        async with rollout.seat(fresh=True) as seat:
            assert seat.host is not first
        async with rollout.seat() as seat:
            assert seat.host is not None
        await rollout.close()

    asyncio.run(go())
