"""Who plays: deadlines hold for an expert too, and weights are published before the policy plays, not for an expert."""

from __future__ import annotations

import asyncio
import dataclasses
from typing import Any

import agentgym
from agentgym.actors.scripted import ScriptedEngine
from agentgym.curricula.uniform import Uniform
from agentgym.env import Expert
from agentgym.learn.players import Players
from agentgym.protocols.plain import Plain
from agentgym.rollout import EpisodeSpec, Limits, Rollout
from agentgym.types import StopReason
from tests.kit import chat

TOKENIZER = chat()


class Slow(agentgym.Env):
    """Takes its time at every step, and has an expert."""

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
        return "go", {}

    async def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:  # type: ignore[override]
        await asyncio.sleep(0.03)
        return "on", 0.0, False, False, {}

    def expert(self) -> Expert:
        return lambda observation: "go"


def players(limits: Limits) -> Players:
    ids = [*TOKENIZER.encode("go"), TOKENIZER.stop_token_ids[0]]
    rollout = Rollout(Slow, TOKENIZER, Plain(), max_context=4096)
    return Players(rollout, ScriptedEngine(lambda _: ids), Uniform(range(9), seed=0), limits=limits)


SPECS = [EpisodeSpec(task=None, seed=0, episode_id="e")]


def test_deadlines_hold_for_an_expert() -> None:
    (late,) = asyncio.run(players(Limits(episode_seconds=0.05)).expert(SPECS))
    assert late.stop_reason is StopReason.DEADLINE
    (stuck,) = asyncio.run(players(Limits(step_seconds=0.01)).expert(SPECS))
    assert stuck.stop_reason is StopReason.ENV_ERROR


def test_an_episode_says_who_spoke_when() -> None:
    limits = Limits(max_turns=3)
    (led,) = asyncio.run(players(limits).led([dataclasses.replace(SPECS[0], shown_turns=2)]))
    (own,) = asyncio.run(players(limits).policy([dataclasses.replace(SPECS[0], role="partner")]))
    assert (led.role, led.shown, len(led.turns)) == ("policy", {0, 1}, 3)
    (sample,) = led.samples
    assert {turn for turn, own in zip(sample.turn_index, led.sampled(sample), strict=True) if own} == {2}
    assert (own.role, own.shown) == ("partner", set())
    assert (own.sampled(own.samples[0]) == own.samples[0].loss_mask).all()
    (expert,) = asyncio.run(players(limits).expert(SPECS))
    assert expert.role == "expert"
    assert not any(expert.sampled(expert.samples[0]))


def test_weights_are_published_before_the_policy_plays_and_not_for_an_expert() -> None:
    published: list[str] = []
    those = players(Limits(max_turns=1))

    async def publish() -> None:
        published.append("now")

    those.before_policy = publish
    asyncio.run(those.expert([EpisodeSpec(task=None, seed=0, episode_id="a")]))
    assert published == []
    asyncio.run(those.policy(SPECS))
    asyncio.run(those.led(SPECS))
    assert published == ["now", "now"]
