"""Gymnasium in text: drawings and numbers by hand, plans against known optima, success rules, maps, refusals."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces
from gymnasium.envs.classic_control import CartPoleEnv
from gymnasium.utils import EzPickle

import agentgym
from agentgym.environments.gymnasium import Gymnasium
from agentgym.environments.gymnasium.planner import best_actions
from agentgym.errors import ConfigError, UserError
from agentgym.types import Observation


def test_the_default_is_a_lake_without_slipping() -> None:
    env = agentgym.make("gymnasium")
    observation, _ = env.reset(options={"task": 0})
    assert observation.splitlines()[0].startswith("[S]")
    assert observation.admissible == ("left", "down", "right", "up")
    assert "Actions: left, down, right, up." in env.instructions
    expert, rewards, over = env.expert(), [], False
    while not over:
        observation, reward, over, _, info = env.step(expert(observation))
        rewards.append(reward)
    assert (sum(rewards), info) == (1.0, {"success": True})
    assert 6 <= len(rewards) < 16, "from one corner to the other, no cell twice"


def test_no_map_is_in_two_splits() -> None:
    env = Gymnasium(map_size=3, name="FrozenLake-v1")
    maps = {
        split: {str(env.reset(options={"task": task})[0]) for task in env.tasks(split)[:60]}
        for split in ("train", "validation", "test")
    }
    assert all(len(found) > 3 for found in maps.values())
    assert not maps["train"] & maps["test"]
    assert not maps["train"] & maps["validation"]
    assert not maps["validation"] & maps["test"]


def test_a_hole_by_hand() -> None:
    """The package's 4x4 map: right, then down, ends in a hole."""
    env = agentgym.make("gymnasium:FrozenLake-v1", make='{"is_slippery": false}')
    assert env.reset(seed=0)[0] == "[S]FFF\nFHFH\nFFFH\nHFFG"
    assert env.step("right")[0] == "(Right)\nS[F]FF\nFHFH\nFFFH\nHFFG"
    observation, reward, terminated, truncated, info = env.step(" DOWN ")
    assert observation == "(Down)\nSFFF\nF[H]FH\nFFFH\nHFFG"
    assert (reward, terminated, truncated, info) == (0.0, True, False, {"success": False})


def test_what_is_no_action_changes_nothing() -> None:
    env = Gymnasium()
    observation, _ = env.reset(seed=3)
    invalid = {"invalid_action": "expected one of: left, down, right, up"}
    assert env.step("fly") == (observation, 0.0, False, False, invalid)
    assert env.step("٣") == (observation, 0.0, False, False, invalid)
    assert env.step("0")[0].startswith("(Left)"), "numbers are the package's own names"


@pytest.mark.parametrize(
    ("name", "options", "lowest"),
    [("Taxi-v4", {}, 3.0), ("CliffWalking-v1", {}, -13.0), ("FrozenLake8x8-v1", {"make": {"is_slippery": False}}, 1.0)],
)
def test_the_plan_is_the_best(name: str, options: dict[str, Any], lowest: float) -> None:
    """13 steps along the cliff; a taxi needs at most 18 turns for its 20 points."""
    env = Gymnasium(name=name, **options)
    for seed in range(10):
        observation = Observation.of(env.reset(seed=seed)[0])
        expert, total = env.expert(), 0.0
        assert expert is not None
        for _ in range(env.max_turns):
            seen, reward, over, _, info = env.step(expert(observation))
            observation, total = Observation.of(seen), total + reward
            if over:
                break
        assert info == {"success": True}
        assert total >= lowest
        if name == "CliffWalking-v1":
            assert total == -13


def test_a_plan_weighs_chances() -> None:
    """A sure half against a coin for one that pays 0.9 at best: 0.5 > 0.45; and against 1.2, 0.5 < 0.6."""

    def table(prize: float) -> dict[int, dict[int, list[tuple[float, int, float, bool]]]]:
        return {0: {0: [(1.0, 0, 0.5, True)], 1: [(0.5, 0, prize, True), (0.5, 0, 0.0, True)]}}

    assert best_actions(table(0.9)) == [0]
    assert best_actions(table(1.2)) == [1]


def test_a_taxi_is_told_in_words_and_lists_what_has_an_effect() -> None:
    env = Gymnasium(name="Taxi-v4")
    observation = Observation.of(env.reset(seed=1)[0])
    state = env.world.unwrapped.s
    row, column, passenger, destination = env.world.unwrapped.decode(state)
    stops = "RGYB"
    assert observation.endswith(
        f"taxi at row {row} column {column}; passenger {stops[passenger]}; destination {stops[destination]}"
    )
    mask = env.world.unwrapped.action_mask(state)
    assert observation.admissible == tuple(name for name, allowed in zip(env.names, mask, strict=True) if allowed)
    assert "\x1b" not in observation


def test_it_is_the_bare_environment_underneath() -> None:
    env, bare = Gymnasium(name="CartPole-v1"), gymnasium.make("CartPole-v1")
    env.reset(seed=4)
    bare.reset(seed=4)
    assert env.expert() is None
    rng = np.random.default_rng(0)
    for turn in range(500):
        action = int(rng.integers(2))
        seen, reward, terminated, truncated, _ = bare.step(action)
        found = env.step(("left", "right")[action])
        position, velocity, angle, spin = (f"{value:.3g}" for value in seen.tolist())
        assert found[0] == f"position {position}, velocity {velocity}, angle {angle}, angular velocity {spin}"
        assert found[1:4] == (reward, terminated, truncated)
        if terminated:
            assert found[4] == {"success": False}
            assert turn < 475
            return
    pytest.fail("random actions let the pole fall")


def test_success_is_a_total() -> None:
    env = Gymnasium(name="CartPole-v1", success_at=5)
    env.reset(seed=4)
    for _ in range(50):
        *_, over, _, info = env.step("left")
        if over:
            break
    assert info == {"success": True}


def test_snapshots_of_what_gymnasium_brings_are_copies() -> None:
    env = Gymnasium(name="CartPole-v1")
    env.reset(seed=0)
    env.step("left")
    snapshot = env.snapshot()
    assert snapshot.state is not None
    first = [env.step("right")[0] for _ in range(3)]
    env.restore(snapshot)
    assert [env.step("right")[0] for _ in range(3)] == first
    env.restore(snapshot)
    assert [env.step("right")[0] for _ in range(3)] == first, "a snapshot is not used up"


class _Parrot(gymnasium.Env[Any, Any]):
    """Says back what it hears, with a count."""

    action_space = spaces.Text(8, charset="abc ")
    observation_space = spaces.Dict({"count": spaces.Discrete(10), "heard": spaces.Text(8, min_length=0)})

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        self.count = 0
        return {"count": 0, "heard": ""}, {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        self.count += 1
        return {"count": self.count, "heard": action}, 0.5, self.count == 2, False, {}


class _Painter(_Parrot):
    observation_space = spaces.Box(0, 255, (84, 84, 3))  # type: ignore[assignment]


gymnasium.register("agentgym-test/Parrot-v0", entry_point=lambda **_: _Parrot())
gymnasium.register("agentgym-test/Painter-v0", entry_point=lambda **_: _Painter())


def test_text_goes_in_and_dicts_come_out() -> None:
    env = Gymnasium(name="agentgym-test/Parrot-v0", max_turns=7)
    assert env.max_turns == 7
    assert env.reset(seed=0)[0] == "count: 0; heard: "
    assert "invalid_action" in env.step("xyz")[4]
    assert env.step("abc")[0] == "count: 1; heard: abc"
    snapshot = env.snapshot()
    assert snapshot.state is None, "restored by replay"
    assert env.step("a b") == ("count: 2; heard: a b", 0.5, True, False, {"success": True})
    env.restore(snapshot)
    assert env.step("a b")[0] == "count: 2; heard: a b"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"name": "CartPol-v1"}, 'name is "CartPol-v1".*Did you mean "CartPole-v1"'),
        ({"name": "Pendulum-v1"}, r"Pendulum-v1 has actions in Box.*expected Discrete or Text"),
        ({"name": "agentgym-test/Painter-v0"}, r"\(84, 84, 3\) numbers in a Box"),
        ({"name": "agentgym/blocksworld-v0"}, "environment of agentgym"),
        ({"name": "CartPole-v1", "make": {"slope": 1}}, "CartPole-v1 cannot be made with .*slope"),
        ({"name": "CartPole-v1", "make": "{slope"}, "which is no JSON"),
        ({"name": "CartPole-v1", "make": "[1]"}, "expected keyword arguments"),
        ({"name": "CartPole-v1", "map_size": 4}, "map_size is 4 for CartPole-v1"),
        ({"map_size": 2}, "env.map_size: .*greater than or equal to 3, found 2"),
        ({"name": "nothing_here:X-v0"}, '"nothing_here" cannot be imported: No module .*on PYTHONPATH'),
        ({"name": "gymnasium:CartPol-v1"}, 'Gymnasium does not know: .*Did you mean "CartPole-v1"'),
    ],
)
def test_what_cannot_be_played_says_why(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        agentgym.make("gymnasium", **options)


def test_a_missing_package_is_named() -> None:
    if importlib.util.find_spec("Box2D") is not None:
        pytest.skip("the package that LunarLander needs is installed")
    with pytest.raises(UserError, match="LunarLander-v3 needs a package that is not installed"):
        Gymnasium(name="LunarLander-v3")


@pytest.mark.parametrize("name", ["phys2d/CartPole-v1", "phys2d/Pendulum-v0", "tabular/Blackjack-v0"])
def test_a_family_whose_package_is_missing_says_what_to_type(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jax", None)
    for module in [one for one in sys.modules if one.startswith(("gymnasium.envs.phys2d", "gymnasium.envs.tabular"))]:
        monkeypatch.delitem(sys.modules, module)
    with pytest.raises(UserError, match=rf"{name} needs a package .*jax.*; type: pip install 'gymnasium\[jax\]'"):
        agentgym.make(f"gymnasium:{name}")


def test_what_the_maker_fails_to_import_is_told() -> None:
    with pytest.raises(UserError, match=r"GymV21Environment-v0 needs a package .*shimmy\[gym-v21\]"):
        agentgym.make("gymnasium:GymV21Environment-v0")


def test_a_package_that_registers_is_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "registers_coins.py").write_text(
        "import gymnasium\n"
        "class Coin(gymnasium.Env):\n"
        "    action_space = observation_space = gymnasium.spaces.Discrete(2)\n"
        "    def reset(self, *, seed=None, options=None):\n"
        "        return 0, {}\n"
        "    def step(self, action):\n"
        "        return 1, float(action), True, False, {}\n"
        "for number in (0, 3):\n"
        "    gymnasium.register(f'coins/Coin-v{number}', entry_point=Coin, max_episode_steps=5 + number)\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    env = agentgym.make("gymnasium:registers_coins:coins/Coin-v0")
    assert (env.instructions, env.max_turns) == ("Play Coin. Actions: 0, 1.", 5)
    assert agentgym.make("gymnasium:registers_coins:coins/Coin").max_turns == 8, "the newest version"
    assert agentgym.make("gymnasium:coins/Coin-v0").max_turns == 5, "it is imported now"
    with pytest.raises(ConfigError, match=r"registers_coins:coins/Coin-v1.*does not know"):
        agentgym.make("gymnasium:registers_coins:coins/Coin-v1")


@pytest.mark.parametrize(
    ("name", "make", "decides"),
    [
        ("FrozenLake-v1", {}, True),
        ("FrozenLake-v1", {"is_slippery": False}, False),
        ("CliffWalkingSlippery-v1", {}, True),
        ("Taxi-v4", {}, False),
        ("CartPole-v1", {}, False),
    ],
)
def test_a_table_says_whether_chance_decides(name: str, make: dict[str, Any], decides: bool) -> None:
    assert Gymnasium(name=name, make=make).expert_may_lose is decides


class _Remade(CartPoleEnv, EzPickle):
    """Of which a copy is made anew, as of simulations that are written in C."""

    def __init__(self, **_: Any) -> None:
        EzPickle.__init__(self)
        super().__init__()


_Remade.__module__ = "gymnasium.envs.remade"
gymnasium.register("agentgym-test/Remade-v0", entry_point=lambda **_: _Remade())


def test_what_a_copy_loses_is_restored_by_replay() -> None:
    env = Gymnasium(name="agentgym-test/Remade-v0")
    env.reset(seed=0)
    env.step("0")
    moment = env.snapshot()
    assert moment.rung == "replay"
    after = env.step("1")
    env.restore(moment)
    assert env.step("1") == after
