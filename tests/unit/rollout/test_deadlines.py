"""Deadlines: what takes too long is given up, tried again, and counted as void, never as a reward of 0."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
from pathlib import Path
from typing import Any

import pytest

import agentgym
from agentgym.actors.scripted import ScriptedEngine
from agentgym.engine import Completion, Prompt, Sampling
from agentgym.protocols.plain import Plain
from agentgym.registry import EnvFactory
from agentgym.rollout import EpisodeSpec, Limits, Rollout, engine_actor
from agentgym.types import StopReason, Trajectory
from tests.kit import chat, until
from tests.unit.rollout.kit import timeless

TOKENIZER = chat()
ODD = Path(__file__).parents[1] / "hosts" / "odd.py"


class Slow(agentgym.Env):
    """Hangs at the word "hang", and at its first instance's second step if told so."""

    instances = itertools.count()
    hang_first = False

    def __init__(self) -> None:
        self.number = next(type(self).instances)

    async def reset(  # type: ignore[override]
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[str, dict[str, Any]]:
        self.steps = 0
        return f"start {self.np_random.integers(10**6)}", {}

    async def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:  # type: ignore[override]
        self.steps += 1
        if action == "hang" or (type(self).hang_first and self.number == 0 and self.steps == 2):
            await asyncio.sleep(10**6)
        return "seen", float(self.steps == 3), self.steps == 3, False, {}


def played(env: type[agentgym.Env], reply: str, limits: Limits, num: int = 1, latency: float = 0.0) -> list[Trajectory]:
    ids = [*TOKENIZER.encode(reply), TOKENIZER.stop_token_ids[0]]
    engine = ScriptedEngine(lambda _: ids, latency=latency)
    rollout = Rollout(env, TOKENIZER, Plain(), limits=limits, max_context=4096)
    specs = [EpisodeSpec(task=None, seed=n, episode_id=f"e{n}") for n in range(num)]
    return timeless(rollout.run(specs, engine_actor(engine, temperature=1.0)))


def test_a_step_that_hangs_is_void_after_its_attempts() -> None:
    (trajectory,) = played(Slow, "hang", Limits())
    assert trajectory.stop_reason is StopReason.ENV_ERROR
    assert trajectory.attempt == 1
    assert str(trajectory.error).startswith("Slow: step took longer than 300 s (task None, seed 0); raise")


def test_one_that_hangs_once_is_played_again_on_a_fresh_environment_from_the_same_seed() -> None:
    class Once(Slow):
        instances = itertools.count()
        hang_first = True

    (trajectory,) = played(Once, "go", Limits())
    (untroubled,) = played(Slow, "go", Limits())
    assert (trajectory.attempt, trajectory.success) == (1, True)
    assert trajectory.turns == untroubled.turns


def test_the_others_do_not_notice() -> None:
    class Odd(Slow):
        async def step(self, action: str) -> Any:  # type: ignore[override]
            return await super().step("hang" if self.seed == 1 else action)

    first, second, third = played(Odd, "go", Limits(), num=3)
    assert second.stop_reason is StopReason.ENV_ERROR
    assert first.success
    assert third.success


def test_an_episode_s_deadline_voids_it_without_another_attempt() -> None:
    (trajectory,) = played(Slow, "go", Limits(episode_seconds=100), latency=60)
    assert trajectory.stop_reason is StopReason.DEADLINE
    assert trajectory.stop_reason.is_void
    assert (trajectory.attempt, trajectory.success, trajectory.reward) == (0, False, 0.0)
    assert "took longer than 100 s" in str(trajectory.error)
    assert len(trajectory.turns) == 1


def test_an_engine_that_hangs_is_within_the_episode_s_deadline_and_its_request_is_canceled() -> None:
    canceled: list[str] = []

    class Stuck(ScriptedEngine):
        async def generate(self, prompt: Prompt, sampling: Sampling, *, session: str) -> Completion:
            try:
                await asyncio.sleep(10**6)
            except asyncio.CancelledError:
                canceled.append(session)
                raise
            raise AssertionError

    rollout = Rollout(Slow, TOKENIZER, Plain(), limits=Limits(), max_context=4096)
    specs = [EpisodeSpec(task=None, seed=n, episode_id=f"e{n}") for n in range(3)]
    trajectories = timeless(rollout.run(specs, engine_actor(Stuck(lambda _: []), temperature=1.0)))
    assert [t.stop_reason for t in trajectories] == [StopReason.DEADLINE] * 3
    assert sorted(canceled) == ["e0/0", "e1/0", "e2/0"]


def test_an_environment_s_own_timeout_is_an_error_like_any_other() -> None:
    class Raises(Slow):
        async def step(self, action: str) -> Any:  # type: ignore[override]
            raise TimeoutError("the server is slow")

    (trajectory,) = played(Raises, "go", Limits())
    assert trajectory.stop_reason is StopReason.ENV_ERROR
    assert "the server is slow" in str(trajectory.error)


def test_episodes_of_several_calls_share_the_places() -> None:
    running = most = 0

    class Counted(Slow):
        async def step(self, action: str) -> Any:  # type: ignore[override]
            nonlocal running, most
            running += 1
            most = max(most, running)
            await asyncio.sleep(0.002)
            running -= 1
            return await super().step(action)

    async def main() -> None:
        ids = [*TOKENIZER.encode("go"), TOKENIZER.stop_token_ids[0]]
        rollout = Rollout(Counted, TOKENIZER, Plain(), max_context=4096, concurrency=3)
        actor = engine_actor(ScriptedEngine(lambda _: ids), temperature=1.0)
        calls = [
            rollout.run([EpisodeSpec(task=None, seed=n, episode_id=f"{call}-{n}") for n in range(4)], actor)
            for call in range(3)
        ]
        assert all(t.success for ts in await asyncio.gather(*calls) for t in ts)

    timeless(main())
    assert most == 3


@pytest.mark.parametrize("num", [1000])
def test_a_thousand_sleeping_episodes_run_in_one_process(num: int) -> None:
    class Sleeping(Slow):
        async def step(self, action: str) -> Any:  # type: ignore[override]
            await asyncio.sleep(0.1)
            return await super().step(action)

    ids = [*TOKENIZER.encode("go"), TOKENIZER.stop_token_ids[0]]
    rollout = Rollout(Sleeping, TOKENIZER, Plain(), max_context=4096, concurrency=num)
    specs = [EpisodeSpec(task=None, seed=n, episode_id=f"e{n}") for n in range(num)]
    trajectories = timeless(rollout.run(specs, engine_actor(ScriptedEngine(lambda _: ids), temperature=1.0)))
    assert sum(t.success for t in trajectories) == num


def test_a_process_that_is_stuck_is_gone_when_its_episode_is_void() -> None:
    ids = [*TOKENIZER.encode("busy"), TOKENIZER.stop_token_ids[0]]
    factory = EnvFactory(f"{ODD}:Trouble")
    limits = Limits(step_seconds=1.0, max_attempts=1)
    rollout = Rollout(factory, TOKENIZER, Plain(), limits=limits, max_context=4096, where="processes")

    async def main() -> list[Trajectory]:
        spec = EpisodeSpec(task=None, seed=0, episode_id="e")
        played = await rollout.run([spec], engine_actor(ScriptedEngine(lambda _: ids), temperature=1.0))
        await until(lambda: not grandchildren())
        await rollout.close()
        return played

    (trajectory,) = asyncio.run(main())
    assert trajectory.stop_reason is StopReason.ENV_ERROR
    assert "step took longer than 1 s" in str(trajectory.error)


def grandchildren() -> list[str]:
    """Processes of environments: their parent, the nursery, is a child of this process."""
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # it ended meanwhile
            parents[stat.parent.name] = stat.read_text().rpartition(")")[2].split()[1]
    return [pid for pid, parent in parents.items() if parents.get(parent) == str(os.getpid())]
