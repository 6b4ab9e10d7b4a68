"""What is told of rewards and observations, and where it is remarked upon."""

from __future__ import annotations

from typing import Any

import pytest

from agentgym import doctor
from agentgym.types import Observation
from tests.unit.doctor.kit import Alone, Loses, Result, Sound, Tasked


class Paying(Sound):
    """Pays these, turn by turn; whoever says anything but the expert's word is paid ``otherwise``."""

    pays: tuple[float, ...] = (0.25, 0.5)
    otherwise: tuple[float, ...] | None = None

    def step(self, action: str) -> Result:
        self.said.append(action)
        pays = self.pays if self.otherwise is None or action == "anything" else self.otherwise
        return "seen", pays[len(self.said) - 1], len(self.said) == len(pays), False, {}


def paying(*pays: float, otherwise: tuple[float, ...] | None = None) -> type[Sound]:
    return type("Paying", (Paying,), {"pays": pays, "otherwise": otherwise})


@pytest.mark.parametrize(
    ("env", "told"),
    [
        (paying(0.25, 0.5), "rewards from 0 to 0.5, sums of an episode from 0.75 to 0.75 in 20 episodes"),
        (paying(-0.25, -0.5), "rewards from -0.5 to 0, sums of an episode from -0.75 to -0.75 in 20 episodes"),
        (paying(3.0, -2.5), "rewards from -2.5 to 3, sums of an episode from 0.5 to 0.5 in 20 episodes"),
        (
            paying(0.5, otherwise=(-0.25, -0.5)),
            "rewards from -0.5 to 0.5, sums of an episode from -0.75 to 0.5 in 20 episodes",
        ),
        (paying(1000.0, -1000.0), "rewards from -1e+03 to 1e+03, sums of an episode from 0 to 0 in 20 episodes"),
    ],
)
def test_the_range_of_rewards_and_of_sums(env: type[Sound], told: str) -> None:
    found = doctor.gives_sane_rewards(env, 600.0)
    assert found == told
    assert not isinstance(found, doctor.Remark)


@pytest.mark.parametrize(
    ("env", "told"),
    [
        (paying(0.5, 0.5), ""),
        (paying(-0.5, -0.5), ""),
        (paying(0.5, 0.75), ": sums outside -1 to 1; is that meant?"),
        (paying(-0.5, -0.75), ": sums outside -1 to 1; is that meant?"),
        (paying(0.5, otherwise=(-0.5, -0.75)), ": sums outside -1 to 1; is that meant?"),
        (paying(1000.5, -1000.0), ": rewards above 1000 drown everything else in a batch; scale them"),
        (paying(1000.0, -1000.5), ": rewards above 1000 drown everything else in a batch; scale them"),
    ],
)
def test_large_rewards_and_sums_are_remarked_on(env: type[Sound], told: str) -> None:
    found = doctor.gives_sane_rewards(env, 600.0)
    assert found.partition("20 episodes")[2] == told
    assert isinstance(found, doctor.Remark) == bool(told)


def test_slow_environments_are_measured_in_two_episodes() -> None:
    assert "in 2 episodes" in doctor.gives_sane_rewards(paying(0.5), -1.0)
    assert doctor.shows_sane_observations(paying(0.5), -1.0).endswith(", 4 observations")
    assert doctor.wins_at_random(Loses, -1.0) == "random actions win 0 of 3 episodes of test tasks"


class Growing(Sound):
    """Each observation is longer than the one before."""

    sizes: tuple[int, ...] = (8, 16, 64)

    def reset(self, **_: Any) -> Any:
        self.said = []
        return "x" * 4, {}

    def step(self, action: str) -> Result:
        self.said.append(action)
        return "x" * self.sizes[len(self.said) - 1], 0.0, len(self.said) == len(self.sizes), False, {}


class Deaf(Sound):
    """Says the same whatever is said; neither lists actions nor has an expert."""

    def reset(self, **_: Any) -> Any:
        return "say", {}

    def step(self, action: str) -> Result:
        return "no such thing", 0.0, False, False, {}

    def expert(self) -> None:
        return None


def test_where_actions_are_guessed_it_is_told_what_came_of_them() -> None:
    found = doctor.plays_what_counts(Deaf, 600.0)
    assert isinstance(found, doctor.Remark)
    assert "no expert(), and 1 observations were all that came of them" in found
    listed = type("L", (Deaf,), {"reset": lambda self, **_: (Observation("say", admissible=["a"]), {})})
    shown = type("S", (Deaf,), {"expert": lambda self: lambda observation: "a"})
    for env in (listed, shown):
        assert doctor.plays_what_counts(env, 600.0) == "actions are listed, or there is an expert()"


def test_sizes_of_observations_are_told_from_the_first_on() -> None:
    found = doctor.shows_sane_observations(Growing, 600.0)
    assert found == "12 characters in the median, 64 at most, 80 observations"
    assert not isinstance(found, doctor.Remark)
    assert doctor.shows_sane_observations(type("G", (Growing, Alone), {}), 600.0) == found


def test_an_observation_of_more_than_a_hundred_thousand_characters_is_remarked_on() -> None:
    at = doctor.shows_sane_observations(type("G", (Growing,), {"sizes": (100_000,)}), 600.0)
    above = doctor.shows_sane_observations(type("G", (Growing,), {"sizes": (100_001,)}), 600.0)
    assert not isinstance(at, doctor.Remark)
    assert isinstance(above, doctor.Remark)
    assert above.endswith(": more than 100000 characters fit few models' contexts; cut them")


class Lottery(Tasked):
    """Whoever plays wins test tasks of even numbers."""

    def step(self, action: str) -> Result:
        self.said.append(action)
        won = self.task.startswith("test") and int(self.task.split()[1]) % 2 == 0
        return "?", 0.0, True, False, {"success": won and action != "anything"}


def test_how_often_chance_wins_on_test_tasks_is_a_remark() -> None:
    found = doctor.wins_at_random(Lottery, 600.0, 20)
    assert found == "random actions win 10 of 20 episodes of test tasks"
    assert isinstance(found, doctor.Remark)
    assert doctor.wins_at_random(Sound, 600.0) == (
        "random actions win 50 of 50 episodes of test tasks: there is nothing to learn"
    )
    assert isinstance(doctor.wins_at_random(Sound, 600.0), doctor.Remark)


def test_an_expert_that_has_nothing_more_to_say_ends_the_measuring() -> None:
    class Silent(Growing):
        def expert(self) -> Any:
            return lambda _: "anything" if len(self.said) < 2 else None

    assert doctor.shows_sane_observations(Silent, 600.0, 2).endswith("64 at most, 7 observations")
