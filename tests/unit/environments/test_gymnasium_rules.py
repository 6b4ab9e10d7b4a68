"""Totals, limits, names and copies over worlds that are made by hand, and plans against tables by hand."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces

from agentgym.environments.gymnasium import Gymnasium
from agentgym.environments.gymnasium.planner import best_actions
from agentgym.environments.gymnasium.words import action_names, check_observations, told, without_colors
from agentgym.errors import ConfigError
from agentgym.types import Observation


class Scripted(gymnasium.Env[Any, Any]):
    """Pays what ``rewards`` says and is over with the last; the first two of three actions are allowed."""

    action_space = spaces.Discrete(3, start=5)
    observation_space = spaces.Discrete(100)
    made: list[Scripted] = []  # noqa: RUF012

    def __init__(self, rewards: tuple[float, ...] = (1.0,), cut: bool = False, mask: Any = (1, 1, 0)) -> None:
        self.rewards, self.cut, self.mask = rewards, cut, mask
        self.seeds: list[int | None] = []
        self.said: list[Any] = []
        self.is_closed = False
        type(self).made.append(self)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        self.seeds.append(seed)
        self.turn = 0
        return 0, {"action_mask": np.array(self.mask)}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        self.said.append(action)
        self.turn += 1
        over = self.turn == len(self.rewards)
        return self.turn, self.rewards[self.turn - 1], over and not self.cut, over and self.cut, {}

    def close(self) -> None:
        self.is_closed = True


gymnasium.register("agentgym-test/Scripted-v0", entry_point=lambda **given: Scripted(**given))
gymnasium.register("agentgym-test/Short-v0", entry_point=lambda **given: Scripted(**given), max_episode_steps=12)
gymnasium.register("agentgym-test/Known-v0", entry_point=lambda **given: Scripted(**given), reward_threshold=2.0)


def scripted(rewards: tuple[float, ...], name: str = "Scripted", **options: Any) -> Gymnasium:
    make = {"rewards": rewards, **options.pop("make", {})}
    env = Gymnasium(name=f"agentgym-test/{name}-v0", make=make, **options)
    env.reset(seed=3)
    return env


def last(env: Gymnasium, turns: int) -> tuple[Any, ...]:
    for _ in range(turns - 1):
        assert env.step("5")[4] == {}, "nothing is told before the end"
    return env.step("5")[1:]


@pytest.mark.parametrize(
    ("name", "rewards", "success_at", "success"),
    [
        ("Scripted", (0.0,), None, False),
        ("Scripted", (0.25,), None, True),
        ("Scripted", (1.0, -1.0), None, False),
        ("Scripted", (-1.0, 1.5), None, True),
        ("Scripted", (1.0, 1.0), 2.0, True),
        ("Scripted", (1.0, 0.99), 2.0, False),
        ("Scripted", (-1.0,), -1.0, True),
        ("Scripted", (0.0,), 0.0, True),
        ("Known", (1.0, 1.0), None, True),
        ("Known", (1.0, 0.5), None, False),
        ("Known", (1.0, 0.5), 1.0, True),
    ],
)
def test_success_is_the_total_of_the_episode(
    name: str, rewards: tuple[float, ...], success_at: float | None, success: bool
) -> None:
    env = scripted(rewards, name, success_at=success_at)
    assert last(env, len(rewards)) == (rewards[-1], True, False, {"success": success})


def test_the_total_begins_anew_with_every_episode() -> None:
    env = scripted((1.0, 1.0), success_at=3.0)
    for _ in range(3):
        assert last(env, 2)[3] == {"success": False}
        env.reset(seed=3)


def test_what_is_cut_is_cut_and_judged_as_well() -> None:
    assert last(scripted((1.0,), make={"cut": True}), 1) == (1.0, False, True, {"success": True})


def test_names_numbers_and_what_is_allowed() -> None:
    env = scripted((0.0,) * 9)
    world = Scripted.made[-1]
    seen = Observation.of(env.reset(seed=4)[0])
    assert (str(seen), seen.admissible) == ("0", ("5", "6"))
    assert world.seeds[-1] == 4
    assert [env.step(said)[4] for said in ("5", " 7 ")] == [{}, {}]
    assert world.said == [5, 7]
    for said in ("4", "8", "", "5 5", "5" + " " * 100):
        assert env.step(said)[4] == {"invalid_action": "expected one of: 5, 6, 7"}
    assert world.said == [5, 7]
    assert Observation.of(scripted((0.0,), make={"mask": (0, 0, 0)}).reset(seed=0)[0]).admissible == ("5", "6", "7")


def test_turns_are_the_environments_those_that_are_set_or_a_hundred() -> None:
    assert Gymnasium(name="agentgym-test/Scripted-v0").max_turns == 100
    assert Gymnasium(name="agentgym-test/Short-v0").max_turns == 12
    assert Gymnasium(name="agentgym-test/Short-v0", max_turns=3).max_turns == 3


def test_closing_closes_what_was_made() -> None:
    env = scripted((0.0,))
    world = Scripted.made[-1]
    assert not world.is_closed
    env.close()
    assert world.is_closed


def test_an_invalid_action_shows_what_was_seen_last() -> None:
    env = scripted((0.0,) * 3)
    env.step("5")
    assert env.step("fly")[:4] == ("1", 0.0, False, False)


def test_a_task_stands_for_this_lake_on_any_day() -> None:
    env = Gymnasium()
    assert env.reset(options={"task": 0})[0] == "[S]FFF\nHHFF\nFHHF\nHFFG"
    assert env.reset(options={"task": 1_000_000})[0] == "[S]FFF\nFFHH\nFFFF\nFFFG"
    assert env.reset(options={"task": 1_001_000})[0] == "[S]FHF\nFFFF\nFFFF\nFFHG"
    assert len(str(Gymnasium(map_size=6).reset(seed=0)[0]).splitlines()) == 6


def test_a_plan_is_made_for_the_map_of_the_episode() -> None:
    """Where the plan of another map would lead into a hole."""
    env = Gymnasium()
    for task in range(6):
        seen, over, turns = env.reset(options={"task": task})[0], False, 0
        while not over:
            expert = env.expert()
            assert expert is not None
            seen, reward, over, _, _ = env.step(str(expert(Observation.of(seen))))
            turns += 1
        assert (reward, turns) == (1.0, 6)


def test_a_snapshot_holds_the_total_the_map_and_the_last_view() -> None:
    env, other = Gymnasium(name="CartPole-v1", success_at=2), Gymnasium(name="CartPole-v1", success_at=2)
    env.reset(seed=1)
    env.step("left")
    state = env.get_state()
    other.reset(seed=2)
    other.set_state(state)
    assert other.total == 1.0
    assert other.step("nothing")[0] == env.step("nothing")[0]
    assert other.step("left") == env.step("left")
    lake, twin = Gymnasium(), Gymnasium()
    lake.reset(options={"task": 0})
    lake.step("right")
    twin.reset(options={"task": 3})
    twin.set_state(lake.get_state())
    assert twin.step("right")[0] == lake.step("right")[0] == "(Right)\nSF[F]F\nHHFF\nFHHF\nHFFG"


def test_a_plan_prefers_the_shorter_way_and_what_ends_is_worth_nothing_more() -> None:
    end, start = (1.0, 0, 1.0, True), (1.0, 0, 0.0, False)
    assert best_actions({0: {0: [start], 1: [end]}}) == [1]
    way = {
        0: {0: [(1.0, 1, 0.0, False)], 1: [(1.0, 2, 0.0, False)]},
        1: {0: [(1.0, 2, 0.0, False)], 1: [(1.0, 1, 0.0, False)]},
        2: {0: [(1.0, 2, 1.0, True)], 1: [(1.0, 0, 0.0, False)]},
    }
    assert best_actions(way) == [1, 0, 0], "past 1 it takes a turn more"
    treadmill = {0: {0: [(1.0, 0, 0.1, True)], 1: [(1.0, 0, 0.05, False)]}}
    assert best_actions(treadmill) == [1], "0.05 for ever is 5 in all"
    assert best_actions({0: {0: [end], 1: [end]}}) == [0], "of two that are equal the first"


@pytest.mark.parametrize(
    ("space", "value", "words"),
    [
        (spaces.Discrete(4), 3, "3"),
        (spaces.MultiDiscrete([3, 3]), np.array([1, 2]), "1 2"),
        (spaces.MultiBinary(3), np.array([1, 0, 1]), "1 0 1"),
        (spaces.Box(-9, 9, (2,)), np.array([1.23456, -2.0]), "1.23 -2"),
        (spaces.Tuple((spaces.Discrete(3), spaces.Text(5))), (2, "ab"), "2; ab"),
    ],
)
def test_values_in_words(space: Any, value: Any, words: str) -> None:
    assert told(space, value) == words


def test_parts_are_named_where_their_number_is_known() -> None:
    hand = spaces.Tuple((spaces.Discrete(32), spaces.Discrete(11), spaces.Discrete(2)))
    assert told(hand, (14, 10, 0), "Blackjack-v1") == "your sum 14, dealer shows 10, usable ace 0"
    assert told(hand, (14, 10, 0), "Other-v1") == "14; 10; 0"
    assert action_names("Blackjack-v1", spaces.Discrete(2)) == ["stick", "hit"]
    assert action_names("Blackjack-v1", spaces.Discrete(3)) == ["0", "1", "2"], "another game by that name"
    assert without_colors("a\x1b[43mb\x1b[0mc\n") == "a[b]c"


def test_128_numbers_are_told_and_no_more() -> None:
    check_observations(spaces.Box(0, 1, (128,)), "x")
    with pytest.raises(ConfigError, match=r"x shows \(129,\) numbers in a Box.*expected 128 at most"):
        check_observations(spaces.Dict({"a": spaces.Discrete(2), "b": spaces.Box(0, 1, (129,))}), "x")
    with pytest.raises(ConfigError, match="x has observations in"):
        check_observations(spaces.Tuple((spaces.Graph(spaces.Discrete(2), None),)), "x")
