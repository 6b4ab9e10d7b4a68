"""An episode that outgrows its context: what the policy sees afterwards, and what is trained on."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import agentgym
from agentgym.actors.scripted import ScriptedEngine
from agentgym.conversation import LEFT_OUT
from agentgym.errors import ConfigError
from agentgym.launch.resolving import resolve
from agentgym.protocols.plain import Plain
from agentgym.rollout import EpisodeSpec, Limits, Rollout, engine_actor
from agentgym.rollout.context import SUMMARY_REQUEST, asked_to_summarize, clipped, resumed_from
from agentgym.types import Observation, StopReason, Trajectory
from tests.kit import chat

TOKENIZER = chat()


class Corridor(agentgym.Env):
    """A hundred characters a step, ten steps to the end."""

    max_turns = 20

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
        self.place = 0
        return self.seen(), {}

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        self.place += 1
        return self.seen(), float(self.place == 10), self.place == 10, False, {}

    def seen(self) -> str:
        return f"room {self.place} ".ljust(100, ".")


def played(limits: Limits, reply: str = "on", max_context: int = 4096) -> tuple[Trajectory, list[str]]:
    """The episode, and the prompts of its completions."""
    ids = [*TOKENIZER.encode(reply), TOKENIZER.stop_token_ids[0]]
    engine = ScriptedEngine(lambda _: ids)
    rollout = Rollout(Corridor, TOKENIZER, Plain(), limits=limits, max_context=max_context)
    spec = EpisodeSpec(task=None, seed=0, episode_id="e")
    (trajectory,) = asyncio.run(rollout.run([spec], engine_actor(engine, temperature=1.0)))
    return trajectory, [TOKENIZER.decode(prompt) for prompt in engine.requests]


def replies_of(trajectory: Trajectory) -> int:
    """Trained tokens of all samples."""
    return sum(sample.num_trained for sample in trajectory.samples)


def test_stop_cuts_the_episode_as_truncated() -> None:
    trajectory, prompts = played(Limits(context_tokens=600))
    assert trajectory.stop_reason is StopReason.CONTEXT_LIMIT
    assert trajectory.truncated
    assert len(trajectory.samples) == 1
    assert 1 < len(trajectory.turns) == len(prompts) < 10


def test_keep_last_leaves_earlier_observations_out_and_forks() -> None:
    trajectory, prompts = played(Limits(context_tokens=600, on_overflow="keep-last", keep_observations=2))
    assert trajectory.success
    assert len(trajectory.turns) == 10
    assert len(trajectory.samples) > 1
    assert all(len(sample.token_ids) <= 600 for sample in trajectory.samples)
    shortened = [prompt for prompt in prompts if LEFT_OUT in prompt]
    assert shortened
    first = shortened[0]
    turn = prompts.index(first)
    assert f"room {turn} " in first
    assert f"room {turn - 1} " in first
    assert f"room {turn - 2} " not in first
    assert first.count(LEFT_OUT) == turn - 1
    assert replies_of(trajectory) == 10 * 3  # every reply is trained once, wherever the stream forked


def test_keep_last_keeps_fewer_where_that_many_do_not_fit() -> None:
    trajectory, prompts = played(Limits(context_tokens=600, on_overflow="keep-last", keep_observations=50))
    assert trajectory.success
    assert len(prompts) == 10


def test_summarize_goes_on_from_the_policy_s_own_words() -> None:
    trajectory, prompts = played(Limits(context_tokens=600, on_overflow="summarize"), reply="walked on")
    assert trajectory.success
    summaries = [i for i, turn in enumerate(trajectory.turns) if turn.is_summary]
    assert summaries
    assert len(trajectory.turns) == 10 + len(summaries)
    assert len(trajectory.samples) == 1 + len(summaries)
    at = summaries[0]
    assert SUMMARY_REQUEST in prompts[at]
    assert trajectory.turns[at].action is None
    following = prompts[at + 1]
    assert "in your own words:\nwalked on\n\nroom" in following
    assert SUMMARY_REQUEST not in following
    assert "room 0 " not in following
    turns_of = [sorted({t for t, m in zip(s.turn_index, s.loss_mask, strict=True) if m}) for s in trajectory.samples]
    assert [turn for turns in turns_of for turn in turns] == list(range(len(trajectory.turns)))


def test_a_summary_that_has_no_room_itself_ends_the_episode() -> None:
    trajectory, _ = played(Limits(on_overflow="summarize"), max_context=600)
    assert trajectory.stop_reason is StopReason.CONTEXT_LIMIT


IMAGE = {"type": "image", "image": "…"}


def test_a_message_of_parts_is_extended_by_parts_at_its_ends() -> None:
    shown = {"role": "user", "content": [IMAGE, {"type": "text", "text": "seen"}]}
    (asked,) = asked_to_summarize([shown])
    assert asked["content"] == [*shown["content"], {"type": "text", "text": f"\n\n{SUMMARY_REQUEST}"}]
    opening, resumed = resumed_from("all is well", [{"role": "system", "content": "rules"}], shown)
    assert opening == {"role": "system", "content": "rules"}
    words = {"type": "text", "text": "What happened so far, in your own words:\nall is well\n\n"}
    assert resumed == {"role": "user", "content": [words, *shown["content"]]}


def test_a_clipped_observation_keeps_all_that_is_no_text() -> None:
    whole = Observation("abcdef", admissible=["a"], tools=[{"name": "t"}], images=[b"png"])
    for limit, text in [(6, "abcdef"), (5, "abc\n(1 characters left out)\nef"), (1, "a\n(5 characters left out)\n")]:
        seen = clipped(whole, limit)
        assert (str(seen), seen.admissible, seen.tools, seen.images) == (text, ("a",), ({"name": "t"},), (b"png",))


@given(text=st.text(), limit=st.integers(1, 30))
def test_a_clipped_observation_says_how_much_is_missing(text: str, limit: int) -> None:
    observation = Observation(text, admissible=("a",), tools=({"name": "t"},))
    seen = clipped(observation, limit)
    assert (seen.admissible, seen.tools) == (observation.admissible, observation.tools)
    if len(text) <= limit:
        assert seen is observation
    else:
        head, _, tail = str(seen).rpartition(f"\n({len(text) - limit} characters left out)\n")
        assert text.startswith(head)
        assert text.endswith(tail)
        assert len(head) + len(tail) == limit


def test_a_megabyte_is_cut_before_it_is_tokenized() -> None:
    class Flood(Corridor):
        def seen(self) -> str:
            return "x" * 1_000_000

    ids = [*TOKENIZER.encode("on"), TOKENIZER.stop_token_ids[0]]
    rollout = Rollout(Flood, TOKENIZER, Plain(), limits=Limits(max_observation_chars=1000), max_context=4096)
    spec = EpisodeSpec(task=None, seed=0, episode_id="e")
    (trajectory,) = asyncio.run(rollout.run([spec], engine_actor(ScriptedEngine(lambda _: ids), temperature=1.0)))
    assert "(999000 characters left out)" in trajectory.turns[0].observation
    assert len(trajectory.turns) > 1


def test_keep_observations_without_effect_is_refused() -> None:
    with pytest.raises(ConfigError, match='keep_observations has no effect without on_overflow "keep-last"'):
        resolve({"env": "webshop", "rollout": {"keep_observations": 5}})
