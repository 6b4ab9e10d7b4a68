"""Text, tools and pictures go one way: the same play, archive, rows and learner."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from agentgym.archive import Archive
from agentgym.launch.models import make_learner
from agentgym.launch.parts import Parts, assembled
from agentgym.launch.resolving import resolve
from agentgym.learn.policy import Policy
from agentgym.learn.rows import rows_of
from agentgym.learn.settings import TrainerSettings
from agentgym.rollout import EpisodeSpec, engine_actor, expert_actor, led_actor
from agentgym.search import Table
from agentgym.searches.vine import Vine
from agentgym.types import Trajectory
from tests.kit import byte_tokenizer, chat, tiny_model

ROOT = Path(__file__).parents[2]
NANO = {"id": "nano", "width": 32, "feed_forward": 32}
KINDS: dict[str, dict[str, Any]] = {
    "text": {"env": {"id": "blocksworld", "level": "b3"}, "model": NANO},
    "tools": {"env": str(ROOT / "examples" / "tools.py"), "protocol": "tools", "rollout": {"max_turns": 4}},
    "pictures": {"env": {"id": "glimpse", "pictures": 3}, "model": NANO},
}


async def lines_of(parts: Parts) -> list[Trajectory]:
    """A tree that the expert begins and the policy goes on with, in two ways."""
    policy = engine_actor(parts.engine, temperature=1.0)
    actor = led_actor(expert_actor(parts.rollout.protocol), policy)
    table = Table(rollout=parts.rollout, engine=parts.engine, actor=actor)
    spec = EpisodeSpec(task=parts.env.tasks("train")[0], seed=3, shown_turns=1, episode_id="tree")
    return (await Vine(ways=2, turns=(1,)).play(table, [spec])).lines


@pytest.mark.parametrize("kind", KINDS)
def test_one_way_for_all_kinds(kind: str, tmp_path: Path) -> None:
    model = tmp_path / "model"  # that takes a conversation letter by letter, tool calls too
    Policy(tiny_model(vocab_size=len(byte_tokenizer()), max_position_embeddings=4096), chat()).save(model)
    settings = resolve({"model": str(model), "rollout": {"max_reply_tokens": 16}, **KINDS[kind]})

    async def go() -> None:
        async with assembled(settings) as parts:
            lines = await lines_of(parts)
            with Archive(tmp_path) as archive:
                archive.append(lines)
                archive.flush()
                assert list(archive.episodes()) == lines
                kept = list(archive.episodes(split="", success=lines[0].success))
            assert [line.branch_turn for line in lines] == [None, 1]
            assert lines[0].turns[0] == lines[1].turns[0]
            first = lines[0].turns[0]
            assert (bool(first.tool_calls), bool(first.media)) == (kind == "tools", kind == "pictures")
            learner = make_learner(parts.policy.module, TrainerSettings())
            rows = [row for line in kept for row in rows_of(line, 1.0)]
            learner.score_rows(rows, "proximal_logprobs")
            for row in rows:
                by_policy = row.behavior_logprobs != 0  # the expert is certain
                assert by_policy.any()
                assert row.proximal_logprobs is not None
                assert row.proximal_logprobs[by_policy] == pytest.approx(row.behavior_logprobs[by_policy], abs=3e-5)
            metrics = learner.update(rows, lambda predictions, batch: (-predictions.logprobs_N, {}))
            assert metrics["trained_tokens"] == sum(row.num_trained for row in rows)

    asyncio.run(go())
