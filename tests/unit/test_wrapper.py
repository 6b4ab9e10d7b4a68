"""Environments around environments: what is changed, what is forwarded, and Gymnasium's own wrappers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium import wrappers

import agentgym
from agentgym.env import Expert
from agentgym.errors import ConfigError, EnvError, SnapshotError, UserError
from agentgym.protocols.plain import Plain
from agentgym.registry import EnvFactory
from agentgym.rollout import EpisodeSpec, Limits, Rollout, engine_actor
from agentgym.types import Observation, StopReason, Trajectory
from agentgym.visit import Player
from agentgym.wrapper import adopted
from tests.unit.hosts.kit import EVERYWHERE
from tests.unit.test_rollout import TOKENIZER, script
from tests.unit.wrapped import AsyncSteps, Steps, limited

WRAPPED = Path(__file__).with_name("wrapped.py")


class Loud(agentgym.Wrapper):
    """Shouts, is told in capitals, and pays half."""

    def observation(self, seen: Observation) -> str:
        return seen.upper()

    def action(self, said: str) -> str:
        return said.lower()

    def reward(self, paid: float) -> float:
        return paid / 2


class Kept(agentgym.Wrapper):
    """Keeps a number from turn to turn, and says so for snapshots."""

    def reset(self, **given: Any) -> Any:
        self.turns = 0
        return super().reset(**given)

    def step(self, action: str) -> Any:
        self.turns += 1
        return super().step(action)

    def observation(self, seen: Observation) -> str:
        return f"{self.turns}: {seen}"

    def get_state(self) -> Any:
        inner = super().get_state()
        return inner and (inner, self.turns)

    def set_state(self, state: Any) -> Any:
        inner, self.turns = state
        return super().set_state(inner)


class Everything(agentgym.Env):
    """Has something in each place of the contract."""

    metadata = {"render_modes": ["ansi"], "made": "here"}  # noqa: RUF012
    kind, extra, corpus_episodes = "game", "some-extra", 3
    instructions, max_turns = "Do it.", 4
    closed = False

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
        self.count = 0
        self.instructions = f"Do {(options or {}).get('task')}."
        return Observation("begin", admissible=["go"]), {"options": options}

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        self.count += 1
        return Observation(f"{action} {self.count}", admissible=["go"]), 0.5, self.count == 4, False, {}

    def tasks(self, split: str) -> list[str]:
        return [f"{split} task"]

    def expert(self) -> Expert:
        return lambda seen: f"saw {seen}"

    def get_state(self) -> int:
        return self.count

    def set_state(self, state: int) -> None:
        self.count = state

    def render(self) -> str:
        return f"rendered {self.count}"

    def close(self) -> None:
        self.closed = True


# -- a wrapper of ours ----------------------------------------------------------------------------------------


def test_what_is_seen_done_and_paid_is_changed_and_success_is_the_wrapped_environments() -> None:
    env = Loud(Steps())
    observation, _ = env.reset(seed=1)
    assert observation == Steps().reset(seed=1)[0].upper()
    assert type(observation) is Observation
    last = env.step("END")
    assert last[0].startswith("END ")
    assert last[1:4] == (0.5, True, False)
    assert last[4] == {"channels": {"count": 1.0}, "success": True}


def test_a_reward_that_was_raised_is_no_success() -> None:
    class Generous(agentgym.Wrapper):
        def reward(self, paid: float) -> float:
            return paid + 5

    env = Generous(wrappers.TimeLimit(Steps(), 1))
    env.reset(seed=1)
    assert env.step("go")[1:] == (5.0, False, True, {"channels": {"count": 1.0}, "success": False})


def test_the_contract_is_forwarded() -> None:
    inner = Everything()
    env = Loud(Kept(inner))
    assert (env.unwrapped, env.env.env) == (inner, inner)  # type: ignore[attr-defined]
    env.reset(seed=3, options={"task": "x"})
    for name in ("kind", "extra", "corpus_episodes", "max_turns", "instructions", "has_own_tasks", "seed", "is_async"):
        assert getattr(env, name) == getattr(inner, name), name
    assert (env.instructions, env.seed) == ("Do x.", 3)
    assert env.metadata is inner.metadata
    assert env.action_space is inner.action_space
    assert env.observation_space is inner.observation_space
    assert env.tasks("test") == ["test task"]
    assert env.name == "Everything"
    assert env.render() == "rendered 0"
    expert = env.expert()
    assert expert is not None
    assert expert(Observation("WHAT THE WRAPPER SHOWS")) == "saw begin"
    env.close()
    assert inner.closed


def test_a_wrapper_may_have_the_say_itself() -> None:
    class Short(agentgym.Wrapper):
        instructions = "Hurry."

        def __init__(self, env: agentgym.Env) -> None:
            super().__init__(env)
            self.max_turns = 2

        def tasks(self, split: str) -> list[str]:
            return ["mine"]

    env = Short(Steps())
    assert (env.instructions, env.max_turns, env.has_own_tasks, env.tasks("train")) == ("Hurry.", 2, True, ["mine"])
    assert (Wrapped := agentgym.Wrapper(env)).max_turns == 2
    assert Wrapped.has_own_tasks


def test_what_a_wrapper_draws_changes_nothing_within() -> None:
    class Noisy(agentgym.Wrapper):
        def observation(self, seen: Observation) -> str:
            return f"{seen} {self.np_random.integers(10**6)}"

    env, bare = Noisy(Noisy(Steps())), Steps()
    seen = [env.reset(seed=5)[0], env.step("go")[0], env.reset(seed=5)[0]]
    plain = [bare.reset(seed=5)[0], bare.step("go")[0], bare.reset(seed=5)[0]]
    words = [text.split() for text in seen]
    assert [" ".join(found[:2]) for found in words] == plain
    assert seen[0] == seen[2] != seen[1]
    assert len({words[0][1], words[0][2], words[0][3]}) == 3  # three streams, not one three times


@pytest.mark.parametrize(
    ("make", "is_native"),
    [
        (lambda: Loud(Everything()), True),
        (lambda: Kept(Everything()), True),
        (lambda: Loud(Kept(Everything())), True),
        (lambda: Kept(Loud(Steps())), False),
        (lambda: Kept(Loud(Copies())), True),
        (lambda: adopted(limited(5)), False),
    ],
)
def test_moments_are_come_back_to_on_the_same_and_on_another_instance(
    make: Callable[[], agentgym.Env], is_native: bool
) -> None:
    env, other = make(), make()
    env.reset(seed=7)
    env.step("one")
    moment = env.snapshot()
    assert (moment.state is not None) == is_native
    expected = [env.step("two"), env.step("three")]
    for who in (env, other):
        who.restore(moment)
        assert [who.step("two"), who.step("three")] == expected


def test_a_wrapper_that_overrides_step_is_replayed_unless_it_says_what_it_keeps() -> None:
    class Forgetful(Kept):
        get_state = agentgym.Wrapper.get_state

    env = Forgetful(Everything())
    env.reset(seed=1)
    assert env.get_state() is None
    with pytest.raises(SnapshotError, match="call reset"):
        Forgetful(Everything()).snapshot()


@pytest.mark.parametrize("name", ["reset", "step"])
def test_whichever_is_overridden_may_keep_something(name: str) -> None:
    kind = type(
        "Keeps", (agentgym.Wrapper,), {name: lambda self, *a, **k: getattr(agentgym.Wrapper, name)(self, *a, **k)}
    )
    env, plain = kind(Everything()), Loud(Everything())
    for each in (env, plain):
        each.reset(seed=1)
    assert env.snapshot().rung == "replay"
    assert plain.snapshot().rung == "native"


def test_what_is_inside_is_closed_behind_gymnasiums_wrappers_and_after_a_preload() -> None:
    made = [Everything()]
    adopted(wrappers.TimeLimit(made[0], 3)).close()

    class Loads(agentgym.Wrapper):
        def __init__(self) -> None:
            made.append(Everything())
            super().__init__(made[-1])

    Loads.preload()
    assert [env.closed for env in made] == [True, True]


class Copies(Steps):
    restored_by = "copy"


class OneWay(Steps):
    restored_by = "none"


def test_the_way_back_is_the_wrapped_environment_s() -> None:
    class Forgetful(Kept):
        get_state = agentgym.Wrapper.get_state

    for kind in (Loud, Forgetful):
        env: agentgym.Env = kind(OneWay())
        env.reset(seed=1)
        assert env.restored_by == "none"
        with pytest.raises(SnapshotError, match="there is no way back"):
            env.snapshot()
        env = kind(Copies())
        env.reset(seed=1)
        assert env.snapshot().rung == ("copy" if kind is Loud else "replay")
    assert Loud.restored_by == "replay"


def test_around_an_environment_that_is_copied() -> None:
    class Copiable(Steps):
        restored_by = "copy"

    env = Kept(Loud(Copiable()))
    env.reset(seed=1)
    env.step("one")
    moment, expected = env.snapshot(), env.step("two")
    env.step("three")
    env.restore(moment)
    assert env.step("two") == expected


def test_around_an_async_environment_it_is_awaited() -> None:
    env = Loud(AsyncSteps())
    assert env.is_async

    async def play() -> None:
        assert env.reset(seed=1)[0].startswith("BEGIN")
        last = await env.step("END")
        assert (last.reward, last.info["success"]) == (0.5, True)
        with pytest.raises(EnvError, match="episode that is over"):
            await env.step("go")

    asyncio.run(play())


def test_what_a_hook_returns_passes_the_boundary() -> None:
    class Broken(agentgym.Wrapper):
        def observation(self, seen: Observation) -> Any:
            return 7

    with pytest.raises(EnvError, match="Broken: an observation is text, found int 7"):
        Broken(Steps()).reset(seed=1)


def test_settings_are_those_of_its_constructor(tmp_path: Path) -> None:
    file = tmp_path / "quiet.py"
    file.write_text(
        "import agentgym\n@agentgym.register\nclass Quiet(agentgym.Wrapper):\n"
        "    def __init__(self, level: str = 'b3'):\n"
        "        super().__init__(agentgym.make('blocksworld', level=level))\n"
        "    def observation(self, seen): return seen.lower()\n"
    )
    env = agentgym.make(str(file), level="b4")
    assert (env.name, env.unwrapped.num_blocks) == ("quiet", 4)
    with pytest.raises(ConfigError, match=r'unknown key "env\.size"'):
        agentgym.make(str(file), size=3)


# -- Gymnasium's ----------------------------------------------------------------------------------------------


def rollout_of(make_env: Callable[[], Any], where: Any) -> list[Trajectory]:
    async def go() -> list[Trajectory]:
        rollout = Rollout(make_env, TOKENIZER, Plain(), limits=Limits(), max_context=4096, concurrency=2, where=where)
        specs = [EpisodeSpec(task=n, seed=0, episode_id=f"e{n}") for n in range(4)]
        try:
            return await rollout.run(specs, engine_actor(script("go", "look", "end"), temperature=1.0))
        finally:
            await rollout.close()

    return asyncio.run(go())


@EVERYWHERE
@pytest.mark.parametrize("max_turns", [2, 5])
def test_gymnasiums_wrappers_are_played_through(where: str, max_turns: int) -> None:
    episodes = rollout_of(EnvFactory(f"{WRAPPED}:limited", {"max_turns": max_turns}), where)
    is_cut = max_turns == 2
    assert {t.stop_reason for t in episodes} == {StopReason.TRUNCATED if is_cut else StopReason.TERMINATED}
    assert [[turn.action for turn in t.turns] for t in episodes] == [["go", "look", "end"][: 2 if is_cut else 3]] * 4
    assert {(t.reward, t.success) for t in episodes} == {(0.0, False) if is_cut else (0.5, True)}
    first = [Steps().reset(options={"task": task})[0] for task in range(4)]
    assert [t.turns[0].observation for t in episodes] == first  # tasks are seeds, also behind wrappers
    assert [[turn.channels for turn in t.turns] for t in episodes] == [
        [{"count": float(n + 1)} for n in range(len(t.turns))] for t in episodes
    ]


@pytest.mark.parametrize("where", ["loop", "threads"])
def test_what_gymnasium_makes_is_played(where: str) -> None:
    episodes = rollout_of(lambda: gymnasium.make("agentgym/blocksworld-v0", level="b3", max_episode_steps=2), where)
    assert {(t.env, t.stop_reason, len(t.turns)) for t in episodes} == {("blocksworld", StopReason.TRUNCATED, 2)}
    with Player(gymnasium.make("agentgym/blocksworld-v0", level="b3")) as player:  # type: ignore[arg-type]
        player.reset(task=3, seed=0)
        while player.goes_on:
            player.step(player.expert() or "")
        assert player.now.success


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: wrappers.Autoreset(Steps()), "Gymnasium's Autoreset cannot be played through: a step would begin"),
        (
            lambda: wrappers.TimeLimit(wrappers.NormalizeReward(Steps()), 3),
            r"NormalizeReward.* reward\(\) of an agentg",
        ),
        (lambda: wrappers.TimeLimit(AsyncSteps(), 3), 'cannot await the async environment "AsyncSteps"'),
        (lambda: gymnasium.make("CartPole-v1"), r"TimeLimit .*CartPole.*--env gymnasium:ID"),
        (lambda: gymnasium.vector.SyncVectorEnv([Steps]), r"SyncVectorEnv.*expected one environment"),
        (lambda: None, r"found NoneType None, expected an agentgym\.Env"),
    ],
)
def test_what_cannot_be_played_is_refused_with_what_to_use(make: Callable[[], Any], told: str) -> None:
    with pytest.raises(UserError, match=told):
        adopted(make())
    with pytest.raises(UserError, match=told):
        rollout_of(make, "loop")


@EVERYWHERE
def test_a_refusal_is_told_wherever_environments_run(where: str) -> None:
    with pytest.raises(UserError, match="Autoreset cannot be played through"):
        rollout_of(EnvFactory(f"{WRAPPED}:autoreset"), where)


def test_an_observation_that_a_wrapper_makes_no_text_of_is_told() -> None:
    env = adopted(wrappers.TransformObservation(Steps(), lambda seen: np.zeros(2), None))
    with pytest.raises(EnvError, match="an observation is text, found ndarray"):
        env.reset(seed=1)
