"""Our side: the rollout and the engine of OpenAI-compatible servers, in text or in tokens."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator
from typing import Any

import agentgym
from agentgym.actors.openai.engine import OpenAIEngine
from agentgym.learn.byte_tokenizer import byte_tokenizer
from agentgym.protocols.plain import Plain
from agentgym.rollout import EpisodeSpec, Limits, Rollout, engine_actor
from agentgym.tokenizer import ChatTokenizer
from agentgym.types import StopReason
from benchmarks.rollout_verifiers import material
from benchmarks.rollout_verifiers.worker import Round, serve


class Lines(agentgym.Env):
    """Says the next line; ends after ``turns`` replies."""

    def __init__(self, turns: int) -> None:
        self.max_turns = turns

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
        self.turn = 0
        return material.OPENING, {}

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        assert action == material.REPLY
        self.turn += 1
        return material.line(self.turn), 0.0, self.turn == self.max_turns, False, {}


async def main(base_url: str, form: material.Form) -> None:
    engine = OpenAIEngine(base_url=base_url, form=form)
    await engine.start()
    actor = engine_actor(engine, temperature=1.0)
    tokenizer = ChatTokenizer(byte_tokenizer(reserved=material.RESERVED))

    @contextlib.asynccontextmanager
    async def prepare(num_episodes: int, turns: int) -> AsyncIterator[Round]:
        rollout = Rollout(
            lambda: Lines(turns),
            tokenizer,
            Plain(),
            limits=Limits(max_reply_tokens=material.MAX_TOKENS),
            max_context=engine.max_context,
            concurrency=material.CONCURRENCY,
        )

        async def play() -> None:
            specs = [EpisodeSpec(task=None, seed=n, episode_id=f"e{n}") for n in range(num_episodes)]
            for trajectory in await rollout.run(specs, actor):
                assert trajectory.stop_reason is StopReason.TERMINATED, trajectory.error
                assert len(trajectory.turns) == turns

        yield play
        await rollout.close()

    await serve(prepare)
    await engine.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], "tokens" if sys.argv[2] == "tokens" else "text"))
