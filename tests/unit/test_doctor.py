"""Each check of the doctor finds what it is there to find."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable
from typing import Any

import pytest

import agentgym
from agentgym import doctor
from agentgym.env import Expert
from agentgym.errors import AgentGymError

Result = tuple[str, float, bool, bool, dict[str, Any]]


class Sound(agentgym.Env):
    """Fulfils the contract; the environments below break it in one point each."""

    max_turns = 4

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
        self.said: list[str] = []
        return f"start {self.np_random.integers(1000)}", {}

    def step(self, action: str) -> Result:
        self.said.append(action)
        return f"{self.np_random.integers(1000)}", 0.5, len(self.said) == 4, False, {}

    def expert(self) -> Expert | None:
        return lambda observation: "anything"


class GlobalRandom(Sound):
    def step(self, action: str) -> Result:
        return f"{random.random()}", 0.0, False, False, {}


class Remembers(Sound):
    resets = 0

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
        self.said, self.resets = [], self.resets + 1
        return f"start {self.resets}", {}


class SharesAcrossInstances(Sound):
    clock = itertools.count()

    def step(self, action: str) -> Result:
        return f"{next(self.clock)}", 0.0, False, False, {}


class SharesState(Sound):
    """``get_state`` hands out the list that later turns append to."""

    def get_state(self) -> list[str]:
        return self.said

    def set_state(self, state: list[str]) -> None:
        self.said = state


class ForgetsState(Sound):
    def get_state(self) -> int:
        return 1

    def set_state(self, state: int) -> None:
        pass


class Overlaps(Sound):
    def tasks(self, split: str) -> range:
        return range(10, 20) if split == "test" else range(11)


class NoTestTasks(Sound):
    def tasks(self, split: str) -> list[str]:
        return [] if split == "test" else [split]


class Loses(Sound):
    def step(self, action: str) -> Result:
        return "lost", 0.0, True, False, {}


class Fragile(Sound):
    def step(self, action: str) -> Result:
        int(action[:4].isascii() and action[:1] == "{" and action)
        return super().step(action)


class Leaks(Sound):
    greeting = "start"

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
        super().reset(seed=seed)
        return self.greeting, {}

    def step(self, action: str) -> Result:
        if len(action) > 50_000:
            self.greeting = action[:5]
        return super().step(action)


class Numbers(Sound):
    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        return 7, {}


def test_a_sound_environment_passes_every_check() -> None:
    findings = doctor.diagnose(Sound)
    assert [finding.name for finding in findings] == [check.__name__ for check in doctor.CHECKS]
    assert [finding for finding in findings if not finding.passed] == []


@pytest.mark.parametrize(
    ("check", "broken", "message"),
    [
        (doctor.repeats_by_seed, GlobalRandom, "turn 1 differs"),
        (doctor.repeats_by_seed, Remembers, "on an instance that played before, turn 0 differs"),
        (doctor.repeats_in_threads, SharesAcrossInstances, "in one of 8 threads"),
        (doctor.comes_back_to_snapshots, SharesState, "after restoring turn"),
        (doctor.comes_back_to_snapshots, ForgetsState, "after restoring turn"),
        (doctor.comes_back_to_snapshots, GlobalRandom, "is not deterministic"),
        (doctor.has_disjoint_splits, Overlaps, r'tasks\("train"\) and tasks\("validation"\) share \[0, 1, 2, 3, 4\]'),
        (doctor.has_disjoint_splits, NoTestTasks, r'tasks\("test"\) is empty'),
        (doctor.wins_as_expert, Loses, "the expert lost 20 of 20"),
        (doctor.stands_strange_actions, Fragile, "made step raise ValueError"),
        (doctor.stands_strange_actions, Leaks, "after the action 'aaaaa"),
        (doctor.passes_gymnasium, Numbers, "an observation is text, found int 7"),
    ],
)
def test_a_check_finds_what_is_broken(
    check: Callable[[doctor.MakeEnv], str], broken: type[agentgym.Env], message: str
) -> None:
    with pytest.raises(AgentGymError, match=message):
        check(broken)


def test_diagnosis_goes_on_after_a_failure() -> None:
    findings = {finding.name: finding for finding in doctor.diagnose(Loses)}
    assert not findings["wins_as_expert"].passed
    assert findings["wins_as_expert"].detail.startswith("EnvError: the expert lost 20 of 20")
    assert findings["stands_strange_actions"].passed


def test_random_play_is_a_function_of_the_seed() -> None:
    def played(seed: int) -> list[tuple[str, doctor.Moment]]:
        with doctor.Player(Sound()) as player:
            return list(doctor.play_at_random(player, None, seed))

    assert played(1) == played(1) != played(2)
    assert len(played(1)) == 5


def test_slots_of_admissible_actions_are_filled_with_words_that_are_seen() -> None:
    class Shop(Sound):
        def reset(self, **_: Any) -> tuple[str, dict[str, Any]]:
            self.said = []
            return agentgym.Observation("red mug", admissible=["search[<query>]"]), {}

    with doctor.Player(Shop()) as player:
        _, (action, _moment) = itertools.islice(doctor.play_at_random(player, None, 0), 2)
    assert set(action.removeprefix("search[").removesuffix("]").split()) <= {"red", "mug"}
    assert "<" not in action
