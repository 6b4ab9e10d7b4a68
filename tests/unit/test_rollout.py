"""Playing episodes: what ends one, what voids one, and what is on record afterwards."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Sequence
from typing import Any

import pytest

import agentgym
from agentgym.actors.scripted import ScriptedEngine
from agentgym.engine import Completion, Prompt
from agentgym.errors import UserError
from agentgym.protocols.plain import Plain
from agentgym.protocols.react import React
from agentgym.rollout import Actor, EpisodeSpec, Limits, Rollout, engine_actor, expert_actor
from agentgym.types import Observation, StopReason, Trajectory
from tests.kit import FORGETFUL, chat
from tests.unit.rollout.kit import timeless

TOKENIZER = chat()
Result = tuple[str, float, bool, bool, dict[str, Any]]


class Door(agentgym.Env):
    """ "open" ends it with reward 1, "leave" truncates, "dance" is invalid, "break" breaks."""

    max_turns = 5
    instructions = "Open the door."
    made: list[Door]

    def __init__(self) -> None:
        self.closed = False

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
        self.heard: list[str] = []
        return f"a door {self.np_random.integers(10**9)}", {}

    def step(self, action: str) -> Result:
        self.heard.append(action)
        if action == "break":
            raise ZeroDivisionError("door")
        info = {"invalid_action": "no dancing"} if action == "dance" else {}
        return f"heard {action}", float(action == "open"), action == "open", action == "leave", info

    def expert(self) -> Callable[[Observation], str]:
        return lambda observation: "open" if observation.startswith("heard") else "look"

    def close(self) -> None:
        self.closed = True


def ids(reply: str, *, ended: bool = True) -> list[int]:
    return TOKENIZER.encode(reply) + [TOKENIZER.stop_token_ids[0]] * ended


def script(*replies: str, ended: bool = True) -> ScriptedEngine:
    """Says the replies one after another, over and over, in every episode by its number of turns."""
    turn = TOKENIZER.hf.convert_tokens_to_ids("<|im_start|>")
    assistant = [turn, *TOKENIZER.encode("assistant")]

    def reply(prompt: Sequence[int]) -> list[int]:
        begins = sum(list(prompt[i : i + len(assistant)]) == assistant for i in range(len(prompt)))
        return ids(replies[(begins - 1) % len(replies)], ended=ended)

    return ScriptedEngine(reply)


def spec(number: int = 0, **changes: Any) -> EpisodeSpec:
    return EpisodeSpec(**{"task": None, "seed": number, "episode_id": f"e{number}", **changes})


def played(
    engine: ScriptedEngine,
    *specs: EpisodeSpec,
    env: Callable[[], agentgym.Env] = Door,
    limits: Limits | None = None,
    protocol: Any = None,
    max_context: int = 4096,
    **options: Any,
) -> list[Trajectory]:
    rollout = Rollout(
        env, TOKENIZER, protocol or Plain(), limits=limits or Limits(), max_context=max_context, **options
    )
    return timeless(rollout.run(specs or [spec()], engine_actor(engine, temperature=1.0)))


def test_an_episode_on_record() -> None:
    engine = script("look", "open")
    (trajectory,) = played(engine, spec(7, task=None, group_id="g"))
    assert trajectory.stop_reason is StopReason.TERMINATED
    assert (trajectory.terminated, trajectory.truncated, trajectory.success) == (True, False, True)
    assert [(t.reply, t.action, t.reward, t.breakdown) for t in trajectory.turns] == [
        ("look", "look", 0.0, {"environment": 0.0}),
        ("open", "open", 1.0, {"environment": 1.0}),
    ]
    assert trajectory.turns[1].observation == "heard look"
    assert trajectory.final_observation == "heard open"
    assert (trajectory.env, trajectory.seed, trajectory.group_id, trajectory.attempt) == ("Door", 7, "g", 0)
    (sample,) = trajectory.samples
    trained = [token for token, mask in zip(sample.token_ids, sample.loss_mask, strict=True) if mask]
    assert trained == ids("look") + ids("open")
    assert engine.requests == [sample.token_ids[: len(request)].tolist() for request in engine.requests]
    assert Trajectory.model_validate_json(trajectory.model_dump_json()) == trajectory


def test_a_parse_error_does_not_step_the_environment_and_marks_the_turn() -> None:
    heard: list[list[str]] = []

    class Recorded(Door):
        def step(self, action: str) -> Result:
            result = super().step(action)
            heard.append(list(self.heard))
            return result

    (trajectory,) = played(script("no action here", "Action: open"), env=Recorded, protocol=React())
    assert heard == [["open"]]
    first, second = trajectory.turns
    assert (first.action, first.reward, first.breakdown) == (None, 0.0, {})
    assert first.error is not None
    assert first.error.startswith("No action found")
    assert (second.action, second.error) == ("open", None)
    assert second.observation == first.observation
    assert first.error in TOKENIZER.decode(trajectory.samples[0].token_ids.tolist())


def test_an_invalid_action_marks_the_turn_and_the_episode_goes_on() -> None:
    (trajectory,) = played(script("dance", "open"))
    assert [turn.error for turn in trajectory.turns] == ["no dancing", None]
    assert trajectory.success


def test_text_that_no_file_can_hold_voids_the_episode() -> None:
    class Garbled(Door):
        def step(self, action: str) -> Result:
            return "?", 0.0, False, False, {"invalid_action": "half \udcff"}

    (trajectory,) = played(script("open"), env=Garbled)
    assert trajectory.stop_reason is StopReason.ENV_ERROR
    assert "invalid_action" in str(trajectory.error)
    assert "UTF-8" in str(trajectory.error)
    assert Trajectory.model_validate_json(trajectory.model_dump_json()) == trajectory


@pytest.mark.parametrize(("allowed", "turns"), [(0, 1), (1, 2), (2, 3)])
@pytest.mark.parametrize("reply", ["dance", " "])
def test_the_invalid_limit(reply: str, allowed: int, turns: int) -> None:
    """Invalid actions and replies that cannot be parsed count alike."""
    (trajectory,) = played(script(reply), limits=Limits(max_invalid_actions=allowed))
    assert trajectory.stop_reason is StopReason.INVALID_LIMIT
    assert len(trajectory.turns) == turns
    assert (trajectory.terminated, trajectory.truncated, trajectory.success) == (True, False, False)


def test_an_environment_that_truncates() -> None:
    (trajectory,) = played(script("leave"))
    assert trajectory.stop_reason is StopReason.TRUNCATED
    assert (trajectory.terminated, trajectory.truncated) == (False, True)


@pytest.mark.parametrize(
    ("limit", "own", "turns"), [(None, None, 5), (None, 3, 3), (None, 9, 5), (4, 3, 3), (2, 3, 2), (2, None, 2)]
)
def test_of_the_limits_of_episode_and_rollout_the_smaller_counts(
    limit: int | None, own: int | None, turns: int
) -> None:
    (trajectory,) = played(script("look"), spec(max_turns=own), limits=Limits(max_turns=limit))
    assert (trajectory.stop_reason, len(trajectory.turns)) == (StopReason.TURN_LIMIT, turns)
    assert trajectory.max_turns == own


@pytest.mark.parametrize(("limit", "turns"), [(None, 5), (2, 2), (9, 9)])
def test_the_turn_limit(limit: int | None, turns: int) -> None:
    (trajectory,) = played(script("look"), limits=Limits(max_turns=limit))
    assert trajectory.stop_reason is StopReason.TURN_LIMIT
    assert len(trajectory.turns) == turns
    assert (trajectory.terminated, trajectory.truncated) == (False, True)
    assert trajectory.final_observation == "heard look"


def test_the_context_limit() -> None:
    (whole,) = played(script("look"), limits=Limits(max_turns=2))
    room = len(whole.samples[0].token_ids) - 20
    (trajectory,) = played(script("look"), max_context=room)
    assert trajectory.stop_reason is StopReason.CONTEXT_LIMIT
    assert trajectory.truncated
    assert 1 <= len(trajectory.turns) <= 2
    assert all(len(sample.token_ids) <= room + 60 for sample in trajectory.samples)


def test_a_reply_may_not_be_longer_than_what_is_left_of_the_context() -> None:
    (first,) = played(script("look"), limits=Limits(max_turns=1))
    engine = script("l" * 50, ended=False)
    prompt = int(first.samples[0].loss_mask.argmax())
    (trajectory,) = played(engine, max_context=prompt + 7)
    assert trajectory.turns[0].reply == "l" * 7
    assert trajectory.stop_reason is StopReason.CONTEXT_LIMIT


def test_a_first_observation_that_does_not_fit_is_the_user_s_to_mend() -> None:
    with pytest.raises(
        UserError, match=r"the first observation takes \d+ tokens, the context holds 50; choose a larger"
    ):
        played(script("look"), max_context=50)


class BreaksFirst(Door):
    """The first instance that is made breaks, the others do not."""

    instances = itertools.count()

    def __init__(self) -> None:
        super().__init__()
        self.number = next(type(self).instances)

    def step(self, action: str) -> Result:
        return super().step("break" if self.number == 0 else action)


def test_an_environment_that_breaks_is_tried_again_on_a_fresh_one() -> None:
    BreaksFirst.instances = itertools.count()
    envs: list[BreaksFirst] = []

    def make() -> BreaksFirst:
        envs.append(BreaksFirst())
        return envs[-1]

    (trajectory,) = played(script("look", "open"), spec(3), env=make)
    assert (trajectory.attempt, trajectory.success, trajectory.error) == (1, True, None)
    assert [env.closed for env in envs] == [True, False]
    (untroubled,) = played(script("look", "open"), spec(3))
    assert trajectory.turns == untroubled.turns
    assert trajectory.samples == untroubled.samples


def test_an_environment_that_breaks_again_voids_the_episode_and_only_it() -> None:
    first, second = played(script("break"), spec(1), spec(2), limits=Limits(max_attempts=3))
    for trajectory in (first, second):
        assert trajectory.stop_reason is StopReason.ENV_ERROR
        assert trajectory.stop_reason.is_void
        assert trajectory.attempt == 2
        assert str(trajectory.error).startswith("Door raised ZeroDivisionError: door")
        assert (trajectory.terminated, trajectory.truncated, trajectory.success) == (False, False, False)


def test_garbage_from_an_environment_voids_the_episode() -> None:
    class Garbage(Door):
        def step(self, action: str) -> Any:
            return "seen", float("nan"), False, False, {}

    (trajectory,) = played(script("look"), env=Garbage)
    assert trajectory.stop_reason is StopReason.ENV_ERROR
    assert "step gave the reward float nan" in str(trajectory.error)
    assert trajectory.reward == 0


def test_a_mistake_of_the_user_s_is_not_retried() -> None:
    class Wants(Door):
        def reset(self, **_: Any) -> Any:
            raise UserError("no such task")

    with pytest.raises(UserError, match="no such task"):
        played(script("look"), env=Wants)


def test_trajectories_come_in_the_order_of_the_specs_whatever_ends_first() -> None:
    class Slow(Door):
        async def step(self, action: str) -> Result:  # type: ignore[override]
            await asyncio.sleep(0.03 - 0.01 * (self.seed % 3))
            return super().step(action)

    ended: list[str] = []
    specs = [spec(n) for n in range(6)]
    trajectories = played_with(Slow, specs, on_episode=lambda t: ended.append(t.episode_id))
    assert [t.episode_id for t in trajectories] == [s.episode_id for s in specs]
    assert sorted(ended) == sorted(s.episode_id for s in specs)
    assert ended != [s.episode_id for s in specs]


def played_with(
    env: Callable[[], agentgym.Env], specs: list[EpisodeSpec], concurrency: int = 64, **options: Any
) -> Any:
    rollout = Rollout(env, TOKENIZER, Plain(), max_context=4096, concurrency=concurrency)
    return timeless(rollout.run(specs, engine_actor(script("look", "open"), temperature=1.0), **options))


@pytest.mark.parametrize("concurrency", [1, 3, 64])
def test_concurrency_is_kept_and_changes_nothing(concurrency: int) -> None:
    running = most = made = 0

    class Counted(Door):
        def __init__(self) -> None:
            nonlocal made
            super().__init__()
            made += 1

        async def step(self, action: str) -> Result:  # type: ignore[override]
            nonlocal running, most
            running += 1
            most = max(most, running)
            await asyncio.sleep(0.001)
            running -= 1
            return Door.step(self, action)

    specs = [spec(n) for n in range(10)]
    trajectories = played_with(Counted, specs, concurrency)
    assert most == min(concurrency, 10)
    assert made == min(concurrency, 10)
    assert [t.turns for t in trajectories] == [t.turns for t in played_with(Door, specs)]


def test_two_episodes_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="episode_id 'e1' is given twice"):
        played(script("look"), spec(1), spec(1))


def test_shapers_have_a_channel_each() -> None:
    def count(trajectory: Trajectory) -> list[float]:
        return [float(i + 1) for i in range(len(trajectory.turns))]

    (trajectory,) = played(script("look", "open"), shapers=[("count", 0.5, count), ("again", -1.0, count)])
    assert [turn.breakdown for turn in trajectory.turns] == [
        {"environment": 0.0, "count": 0.5, "again": -1.0},
        {"environment": 1.0, "count": 1.0, "again": -2.0},
    ]
    assert [turn.reward for turn in trajectory.turns] == [-0.5, 0.0]
    assert trajectory.success


def test_a_shaper_that_gives_one_number_is_told() -> None:
    shaper: Any = lambda trajectory: 1.0  # noqa: E731
    with pytest.raises(UserError, match=r'reward "single" gave 1\.0, expected a list with one number for each turn'):
        played(script("look", "open"), shapers=[("single", 1.0, shaper)])


def test_a_shaper_of_the_wrong_length_is_told() -> None:
    with pytest.raises(UserError, match='reward "short" gave 1 numbers for 2 turns'):
        played(script("look", "open"), shapers=[("short", 1.0, lambda trajectory: [1.0])])


def test_a_shaper_that_is_not_finite_is_refused() -> None:
    with pytest.raises(UserError, match='reward "bad" gave nan for turn 0, expected a finite number'):
        played(script("open"), shapers=[("bad", 1.0, lambda trajectory: [float("nan")])])


def test_the_expert_speaks_the_protocol() -> None:
    rollout = Rollout(Door, TOKENIZER, React(), max_context=4096)
    trajectories = timeless(rollout.run([spec(n) for n in range(3)], expert_actor(React())))
    assert [[turn.reply for turn in t.turns] for t in trajectories] == [["Action: look", "Action: open"]] * 3
    assert all(t.success for t in trajectories)
    (sample,) = trajectories[0].samples
    assert sample.num_trained == len(ids("Action: look") + ids("Action: open"))


def test_an_environment_without_an_expert_is_told() -> None:
    class Alone(Door):
        def expert(self) -> Any:
            return None

    rollout = Rollout(Alone, TOKENIZER, Plain(), max_context=4096)
    with pytest.raises(UserError, match=r"Alone has no expert\(\)"):
        timeless(rollout.run([spec()], expert_actor(Plain())))


def test_every_session_is_released_and_a_fork_is_a_session_of_its_own() -> None:
    tokenizer = chat(FORGETFUL)
    sessions: list[str] = []

    class Sessions(ScriptedEngine):
        async def generate(self, prompt: Prompt, sampling: Any, *, session: str) -> Completion:
            sessions.append(session)
            return await super().generate(prompt, sampling, session=session)

    replies = iter(["<think>a</think>look", "<think>b</think>look", "open"])
    engine = Sessions(lambda _: ids(next(replies)))
    rollout = Rollout(Door, tokenizer, Plain(), max_context=4096)
    released: list[str] = []
    (trajectory,) = timeless(rollout.run([spec()], engine_actor(engine, temperature=1.0), release=released.append))
    assert sessions == ["e0/0", "e0/1", "e0/2"]
    assert released == sessions
    assert len(trajectory.samples) == 3
    assert trajectory.success


def test_seeds_of_completions_differ_by_turn_draw_and_episode() -> None:
    asked: list[int | None] = []

    class Seeds(ScriptedEngine):
        async def generate(self, prompt: Prompt, sampling: Any, *, session: str) -> Completion:
            asked.append(sampling.seed)
            return await super().generate(prompt, sampling, session=session)

    engine = Seeds(lambda _: ids("look"))
    actor: Actor = engine_actor(engine, temperature=1.0)
    rollout = Rollout(Door, TOKENIZER, Plain(), max_context=4096)
    specs = [spec(1, member=0, episode_id="a"), spec(1, member=1, episode_id="b"), spec(2, episode_id="c")]
    timeless(rollout.run(specs, actor))
    assert len(set(asked)) == len(asked) == 15
    again = list(asked)
    asked.clear()
    timeless(rollout.run(specs, actor))
    assert asked == again
