"""Who speaks: what an engine is asked, until when a leader leads, and that no policy of ours said an expert's words."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from agentgym.engine import Completion, Engine, NamedWeights, Prompt, Sampling
from agentgym.errors import UserError
from agentgym.protocols.plain import Plain
from agentgym.protocols.react import React
from agentgym.rollout import Actor, Episode, Limits, engine_actor, expert_actor, led_actor
from agentgym.types import Action, Message, Observation, SamplingRecord, StopReason, Trajectory
from tests.unit.rollout.kit import TOKENIZER, Stage, play_of, said, says, seen, spec, timeless

SEED = 2982150521482952024
"""Of (7, 2, 0): the episode's seed, the member, and the number of turns."""


class Asked(Engine):
    """Keeps what it is asked."""

    max_context = 4096

    def __init__(self, **traits: Any) -> None:
        self.asked: list[tuple[list[int], Sampling, str]] = []
        self.chats: list[tuple[list[Message], Sampling, list[Any]]] = []
        vars(self).update(traits)

    async def generate(self, prompt: Prompt, sampling: Sampling, *, session: str) -> Completion:
        self.asked.append((list(prompt.token_ids), sampling, session))
        return said("on")

    async def chat(
        self, messages: Sequence[Message], sampling: Sampling, *, tools: Sequence[Mapping[str, Any]] = ()
    ) -> str:
        self.chats.append((list(messages), sampling, list(tools)))
        return "by word"

    async def score(self, prompt: Prompt) -> list[float]:
        raise AssertionError

    async def update_weights(self, version: int, weights: NamedWeights) -> None:
        raise AssertionError


def played(actor: Actor, stage: Stage | None = None, turns: int = 1, **changes: Any) -> Trajectory:
    limits = Limits(max_turns=turns, max_reply_tokens=5)
    play = play_of(stage or Stage(seen()), actor, limits, of=spec(**changes))
    timeless(play.run())
    return play.trajectory


def test_an_engine_is_asked_with_everything_that_shapes_a_sample() -> None:
    engine = Asked()
    trajectory = played(engine_actor(engine, temperature=0.5, top_p=0.75, top_k=3, min_p=0.125), member=2)
    ((prompt, sampling, session),) = engine.asked
    assert sampling == Sampling(
        temperature=0.5,
        top_p=0.75,
        top_k=3,
        min_p=0.125,
        max_tokens=5,
        stop_token_ids=TOKENIZER.stop_token_ids,
        seed=SEED,
    )
    assert trajectory.sampling == SamplingRecord(temperature=0.5, top_p=0.75, top_k=3, min_p=0.125)
    assert session == "e/0"
    assert prompt == trajectory.samples[0].token_ids[: len(prompt)].tolist()


def test_nothing_is_left_out_of_a_distribution_unless_it_is_asked_for() -> None:
    engine = Asked()
    played(engine_actor(engine, temperature=1.0))
    assert not engine.asked[0][1].is_truncated


def test_a_conversation_that_was_rewritten_is_another_session() -> None:
    engine, released = Asked(), list[str]()
    told = Limits(max_turns=3, context_tokens=280, on_overflow="summarize")
    stage = Stage(seen(), first="long" * 60)
    play = play_of(stage, engine_actor(engine, temperature=1.0), told, release=released.append)
    timeless(play.run())
    assert [turn.is_summary for turn in play.trajectory.turns] == [False, True, False]
    assert [session for _, _, session in engine.asked] == ["e/0", "e/0", "e/1"]
    assert (released, play.session) == (["e/0"], "e/1")


def test_an_engine_without_seeds_is_given_none() -> None:
    engine = Asked(supports_seeds=False)
    played(engine_actor(engine, temperature=1.0), turns=2)
    assert [sampling.seed for _, sampling, _ in engine.asked] == [None, None]


@pytest.mark.parametrize("changes", [{"seed": 8}, {"member": 1}], ids=str)
def test_every_completion_has_a_seed_of_its_own(changes: dict[str, Any]) -> None:
    one, other = Asked(), Asked()
    played(engine_actor(one, temperature=1.0), turns=3)
    played(engine_actor(other, temperature=1.0), turns=3, **changes)
    seeds = [sampling.seed for engine in (one, other) for _, sampling, _ in engine.asked]
    assert len(set(seeds)) == 6


def test_an_engine_that_speaks_text_is_told_messages_and_tools_and_its_words_are_no_policy_s() -> None:
    engine = Asked(speaks_text=True)
    stage = Stage(seen(), first=Observation("go", tools=[{"name": "add"}]))
    trajectory = played(engine_actor(engine, temperature=0.5), stage, 2)
    assert engine.asked == []
    first, second = engine.chats
    assert first[0] == [{"role": "user", "content": "go"}]
    assert [message["content"] for message in second[0]] == ["go", "by word", "seen"]
    assert (first[1].temperature, first[1].max_tokens, first[2], second[2]) == (0.5, 5, [{"name": "add"}], [])
    assert trajectory.turns[0].reply == "by word"
    spoken = [sample.policy_versions[sample.loss_mask].tolist() for sample in trajectory.samples]
    assert {version for versions in spoken for version in versions} == {-1}


class Guided(Stage):
    """Its expert says what the observation says, loudly."""

    def __init__(self, *results: Any, **options: Any) -> None:
        super().__init__(*results, **options)
        self.consulted: list[str] = []

    async def expert(self, observation: Observation) -> Action | None:
        self.consulted.append(observation)
        return Action(observation.upper()[:5])


def test_an_expert_is_asked_of_what_is_seen_now_and_ends_each_reply() -> None:
    stage = Guided(seen("left"), seen("right"))
    trajectory = played(expert_actor(React()), stage, 2)
    assert stage.consulted == ["go", "left"]
    assert [turn.reply for turn in trajectory.turns] == ["Action: GO", "Action: LEFT"]
    (sample,) = trajectory.samples
    said_ids = sample.token_ids[sample.loss_mask].tolist()
    end = TOKENIZER.stop_token_ids[0]
    assert said_ids == [*TOKENIZER.encode("Action: GO"), end, *TOKENIZER.encode("Action: LEFT"), end]
    assert set(sample.policy_versions.tolist()) == {-1}
    assert set(sample.logprobs.tolist()) == {0.0}
    assert trajectory.sampling is None


def test_an_expert_sums_up_in_no_words_and_is_not_asked() -> None:
    stage = Guided(seen("left"), first="long" * 60)
    told = Limits(max_turns=3, context_tokens=280, on_overflow="summarize", max_reply_tokens=999)
    play = play_of(stage, expert_actor(Plain()), told)
    timeless(play.run())
    assert [turn.is_summary for turn in play.trajectory.turns][:2] == [False, True]
    assert play.trajectory.turns[1].reply == ""
    assert len(stage.consulted) == len(stage.actions)


def test_an_expert_that_hangs_voids_the_episode() -> None:
    class Thinks(Stage):
        async def expert(self, observation: Observation) -> Action | None:
            await asyncio.sleep(10**6)
            raise AssertionError

    play = play_of(Thinks(), expert_actor(Plain()), Limits(step_seconds=7))
    timeless(play.run())
    assert play.trajectory.stop_reason is StopReason.ENV_ERROR
    assert play.trajectory.error == "Stage: its expert took longer than 7 s; raise --rollout.step_seconds if it may"


def test_an_environment_without_an_expert_is_told() -> None:
    with pytest.raises(UserError, match=r"^Stage has no expert\(\)$"):
        played(expert_actor(Plain()))


@pytest.mark.parametrize(
    ("shown", "heard"),
    [(0, ["f", "f", "f"]), (1, ["l", "f", "f"]), (2, ["l", "l", "f"]), (3, ["l", "l", "l"]), (9, ["l", "l", "l"])],
)
def test_a_leader_says_the_first_so_many_replies_and_not_one_more(shown: int, heard: list[str]) -> None:
    stage = Stage(seen())
    trajectory = played(led_actor(says("l"), says("f")), stage, 3, shown_turns=shown)
    assert stage.actions == heard
    assert trajectory.shown == {turn for turn, reply in enumerate(heard) if reply == "l"}


def test_each_completion_of_a_led_episode_has_its_speaker_s_versions() -> None:
    leader, follower = says("l"), says("f")
    leader.version, follower.version = -1, 0
    trajectory = played(led_actor(leader, follower), turns=3, shown_turns=1)
    (sample,) = trajectory.samples
    assert sample.policy_versions[sample.loss_mask].tolist() == [-1, -1, 0, 0, 0, 0]
    assert trajectory.sampled(sample)[sample.loss_mask].tolist() == [False, False, True, True, True, True]
    assert trajectory.said_by_expert(sample)[sample.loss_mask].tolist() == [True, True, False, False, False, False]


async def unasked(episode: Episode) -> Completion:
    raise AssertionError


def test_a_follower_is_not_asked_while_the_leader_leads() -> None:
    assert len(played(led_actor(says("l"), unasked), turns=2, shown_turns=2).turns) == 2
    assert len(played(led_actor(unasked, says("f")), turns=2).turns) == 2
