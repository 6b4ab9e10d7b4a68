"""Playing episodes for the checks: how far, by whom, and when two are the same."""

from __future__ import annotations

import random
from typing import Any

import pytest

import agentgym
from agentgym import doctor
from agentgym.doctor.playing import cases_of, episode_of, expect_same, moment_of, paced, play, random_action
from agentgym.errors import EnvError
from agentgym.types import Observation, StepResult
from tests.unit.doctor.kit import Result, Sound, Start, Tasked, written_down


class Endless(Sound):
    """Goes on as long as anybody plays."""

    max_turns = 70

    def step(self, action: str) -> Result:
        self.said.append(action)
        return "on", 0.0, False, False, {}


class Cut(Sound):
    """Is cut off at its second turn."""

    def step(self, action: str) -> Result:
        self.said.append(action)
        return "on", 0.0, False, len(self.said) == 2, {}


def test_an_episode_begins_with_the_reset_and_ends_with_the_environment() -> None:
    first, *turns = episode_of(Sound, (7, 100))
    assert first == ("", doctor.Moment("start 944", None, 0.0, False, False, None))
    assert [moment.terminated for _, moment in turns] == [False, False, False, True]
    assert [moment.reward for _, moment in turns] == [0.5] * 4
    assert [moment.truncated for _, moment in episode_of(Cut, (7, 100))] == [False, False, True]


def test_an_episode_that_does_not_end_is_played_as_far_as_a_rollout_would_and_compared_up_to_sixty_turns() -> None:
    with doctor.Player(Endless()) as player:
        assert len(list(doctor.play_at_random(player, None, 0))) == 1 + 70
        assert len(list(doctor.play_at_random(player, None, 0, max_turns=3))) == 1 + 3
        assert len(list(play(player, (None, 0)))) == 1 + 60
        player.env.max_turns = 5
        assert len(list(play(player, (None, 0)))) == 1 + 5


def test_random_play_is_a_function_of_the_seed() -> None:
    def played(seed: int) -> list[tuple[str, doctor.Moment]]:
        with doctor.Player(Sound()) as player:
            return list(doctor.play_at_random(player, None, seed))

    assert played(1) == played(1) != played(2)
    assert len(played(1)) == 5


class Listing(Sound):
    """Lists the actions that it takes."""

    listed: tuple[str, ...] | None = ("go north", "go south", "search[<query>]")

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Start:
        self.said = []
        return Observation("red mug", admissible=self.listed), {}

    def step(self, action: str) -> Result:
        _, *rest = super().step(action)
        return Observation("red mug", admissible=self.listed), *rest  # type: ignore[return-value]


def test_actions_are_those_that_are_listed_and_change_with_the_seed() -> None:
    with doctor.Player(Listing()) as player:
        runs = [[action for action, _ in doctor.play_at_random(player, None, seed)][1:] for seed in range(20)]
    assert {action for run in runs for action in run if "search" not in action} == {"go north", "go south"}
    assert len({tuple(run) for run in runs}) > 10


def test_blanks_are_filled_with_one_to_three_words_that_are_seen() -> None:
    env, rng = Listing(), random.Random(0)
    seen = Observation("red mug", admissible=["search[<query>] in <where>"])
    filled = [random_action(env, seen, rng) for _ in range(200)]
    assert {len(action.split("]")[0].removeprefix("search[").split()) for action in filled} == {1, 2, 3}
    assert {word for action in filled for word in action.replace("[", " ").replace("]", " ").split()} == {
        "search",
        "in",
        "red",
        "mug",
    }
    assert random_action(env, Observation("…", admissible=["say <word>"]), rng).split()[:2] == ["say", "a"]


@pytest.mark.parametrize("admissible", [None, ()])
def test_where_nothing_is_listed_actions_are_those_of_the_space(admissible: tuple[str, ...] | None) -> None:
    env = Listing()
    env.action_space = agentgym.spaces.TextSpace(["only this"])
    assert random_action(env, Observation("red mug", admissible=admissible), random.Random(0)) == "only this"


def test_a_moment_holds_all_that_is_compared() -> None:
    seen = Observation("here", admissible=["go"])
    found = moment_of(StepResult(seen, 0.5, True, False, {"success": True, "other": 1}))
    assert type(found.observation) is str
    assert tuple(found) == ("here", ("go",), 0.5, True, False, True)
    assert moment_of(StepResult(seen, -1.0, False, True, {})) == ("here", ("go",), -1.0, False, True, None)


def test_cases_are_spread_over_a_split_with_seeds_of_their_own() -> None:
    assert cases_of(Sound, 4) == [(0, 100), (250_000, 101), (500_000, 102), (750_000, 103)]
    assert cases_of(Tasked, 3, "test") == [("test 0", 100), ("test 6", 101), ("test 13", 102)]
    assert cases_of(Tasked, 25)[-1] == ("train 19", 124)


def test_the_environment_that_was_asked_for_its_tasks_is_closed() -> None:
    env, log = written_down()
    cases_of(env, 4)
    episode_of(env, (7, 100))
    assert log == ["1 closes", "2 begins 7", *["2 steps"] * 4, "2 closes"]


def test_time_that_is_used_up_leaves_at_least_so_many() -> None:
    assert list(paced("abcde", -1.0)) == ["a"]
    assert list(paced("abcde", -1.0, least=3)) == ["a", "b", "c"]
    assert list(paced("abcde", 600.0, least=3)) == ["a", "b", "c", "d", "e"]


def test_time_runs_from_the_first_to_the_last(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(100, 200))
    monkeypatch.setattr("time.perf_counter", lambda: next(clock))
    assert list(paced("abcdefgh", 3.0)) == ["a", "b", "c", "d"]  # asked at 101, 102 and 103; 104 is late


def won(env: type[Sound], *, by_expert: bool, case: doctor.playing.Case = (7, 100)) -> bool:
    with doctor.Player(env()) as player:
        return doctor.success_of(player, case, by_expert=by_expert)


class Told(Sound):
    """Won by whoever says the word four times."""

    def step(self, action: str) -> Result:
        self.said.append(action)
        return "?", 0.0, len(self.said) == 4, False, {"success": set(self.said) == {"anything"}}


class Patient(Endless):
    """Is won by who goes on to the last turn that a rollout would play."""

    max_turns = 5

    def step(self, action: str) -> Result:
        self.said.append(action)
        return "?", 0.5, len(self.said) == 5, False, {}


def test_who_succeeds_is_the_expert_or_chance() -> None:
    assert won(Told, by_expert=True)
    assert not won(Told, by_expert=False)
    assert won(Patient, by_expert=True)
    assert won(Patient, by_expert=False)
    assert not won(Endless, by_expert=True)


def test_chance_is_a_function_of_the_seed_and_changes_with_it() -> None:
    heard: list[str] = []

    class Hears(Sound):
        def step(self, action: str) -> Result:
            heard.append(action)
            return super().step(action)

    for seed in (100, 100, 101):
        won(Hears, by_expert=False, case=(7, seed))
    assert heard[:4] == heard[4:8] != heard[8:]
    heard.clear()
    for seed in (100, 100, 101):
        won(type("Lists", (Hears, Listing), {}), by_expert=False, case=(7, seed))
    assert heard[:4] == heard[4:8] != heard[8:]


def test_the_first_turn_that_differs_is_told_with_both() -> None:
    expect_same(["a", "b"], ["a", "b"], "when")
    with pytest.raises(EnvError, match=r"^when it rains, turn 1 differs:\n  found    'x'\n  expected 'b'$"):
        expect_same(["a", "x", "y"], ["a", "b", "c"], "when it rains")
    with pytest.raises(EnvError, match=r"turn 1 differs:\n  found    None\n  expected 'b'$"):
        expect_same(["a"], ["a", "b"], "when")
    with pytest.raises(EnvError, match=r"turn 1 differs:\n  found    'b'\n  expected None$"):
        expect_same(["a", "b"], ["a"], "when")
    with pytest.raises(EnvError) as told:
        expect_same(["a" * 1000], ["b" * 1000], "when")
    assert len(str(told.value)) < 700
