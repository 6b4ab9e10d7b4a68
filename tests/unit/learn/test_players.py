"""Who plays: with which engine and limits, and when weights are published."""

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
from tests.kit import chat, episode
from tests.unit.launch.kit import Listening, Stand

TOKENIZER = chat()


class Led(agentgym.Env):
    """Goes on and on, and has an expert."""

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
        return "go", {}

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        return "on", 0.0, False, False, {}

    def expert(self) -> Expert:
        return lambda observation: "go"


def players(limits: Limits) -> Players:
    """A policy that says "no" where the expert says "go"."""
    ids = [*TOKENIZER.encode("no"), TOKENIZER.stop_token_ids[0]]
    rollout = Rollout(Led, TOKENIZER, Plain(), max_context=4096)
    return Players(rollout, ScriptedEngine(lambda _: ids), Uniform(range(9), seed=0), limits=limits)


SPECS = [EpisodeSpec(task=None, seed=0, episode_id="e")]


class Asked:
    """Players of a rollout that plays nothing, and what they asked of it."""

    def __init__(self, limits: Limits | None = None, *, temperature: float = 1.0) -> None:
        self.engine = Listening()
        rollout: Any = Stand(self.engine, lambda spec: episode(0.0))
        self.rollout: Any = rollout
        draws = Uniform(range(9), seed=0)
        self.players = Players(rollout, self.engine, draws, limits=limits or Limits(), temperature=temperature)


def test_an_expert_may_say_what_it_has_to_say_within_the_deadlines_of_training() -> None:
    asked = Asked(Limits(max_turns=3, step_seconds=5.0, episode_seconds=7.0, shaping_seconds=9.0))
    asked.rollout.protocol = Plain()
    asyncio.run(asked.players.expert([]))
    asyncio.run(asked.players.expert([], shaped=False))
    first, second = asked.rollout.played
    assert first.limits == Limits(max_reply_tokens=2**20, step_seconds=5.0, episode_seconds=7.0, shaping_seconds=9.0)
    assert (first.shaped, second.shaped) == (True, False)


def test_no_horizon_of_a_curriculum_holds_for_an_expert() -> None:
    those = players(Limits(max_turns=3))
    spec = EpisodeSpec(task=None, seed=0, episode_id="e", max_turns=2)
    (own,) = asyncio.run(those.policy([spec]))
    (shown,) = asyncio.run(those.expert([spec]))
    assert (len(own.turns), own.max_turns) == (2, 2)
    assert (len(shown.turns), shown.max_turns) == (Led.max_turns, None)


def test_the_policy_plays_under_the_limits_at_the_temperature_of_training() -> None:
    asked = Asked(Limits(max_turns=3), temperature=0.5)
    asked.rollout.protocol = Plain()
    asyncio.run(asked.players.policy(SPECS))
    assert [each.limits for each in asked.rollout.played] == [Limits(max_turns=3)]
    assert [each.shaped for each in asked.rollout.played] == [True]
    assert [each.temperature for each in asked.engine.asked] == [0.5]


def test_another_engine_speaks_and_is_told_when_its_episodes_are_over() -> None:
    asked, other = Asked(temperature=0.5), Listening()
    asyncio.run(asked.players.policy(SPECS, engine=other))
    assert (len(asked.engine.asked), len(other.asked)) == (0, 1)
    assert asked.rollout.played[0].release == other.release


def test_recorded_episodes_get_the_rewards_of_this_run() -> None:
    asked, seen = Asked(), list[Any]()

    async def shape(recorded: Any) -> None:
        seen.append(recorded)

    asked.rollout.shape = shape
    recorded = [episode(1.0)]
    assert asyncio.run(asked.players.shaped(recorded)) is recorded
    assert seen == [recorded]


def test_the_expert_says_the_first_replies_where_it_is_to() -> None:
    specs = [dataclasses.replace(SPECS[0], episode_id=f"e{shown}", shown_turns=shown) for shown in (2, 0)]
    led, own = asyncio.run(players(Limits(max_turns=3)).policy(specs))
    assert [turn.action for turn in led.turns] == ["go", "go", "no"]
    assert [turn.action for turn in own.turns] == ["no", "no", "no"]


def test_an_episode_says_who_spoke_when() -> None:
    limits = Limits(max_turns=3)
    (led,) = asyncio.run(players(limits).policy([dataclasses.replace(SPECS[0], shown_turns=2)]))
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
    asyncio.run(those.policy([dataclasses.replace(SPECS[0], shown_turns=1)]))
    assert published == ["now", "now"]
