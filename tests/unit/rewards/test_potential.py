"""Potentials: by hand, and that they change no optimum."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import agentgym
from agentgym.errors import UserError
from agentgym.launch.settings import TrainSettings
from agentgym.manual import page
from agentgym.rewards.potential import Potential
from agentgym.types import StopReason, Trajectory, Turn

NUMBERS = st.floats(-100, 100, allow_nan=False).map(lambda value: round(value, 3))
REPORTS = st.lists(st.none() | NUMBERS, min_size=1, max_size=8)


def episode(first: float | None, *reports: float | None, stop: StopReason = StopReason.TERMINATED) -> Trajectory:
    """Φ at the reset and after each turn; None where it was not reported."""
    return Trajectory(
        env="toy",
        task=0,
        seed=0,
        episode_id="e0",
        channels={} if first is None else {"progress": first},
        turns=[
            Turn(observation="", reply="", action="go", channels={} if report is None else {"progress": report})
            for report in reports
        ],
        stop_reason=stop,
        terminated=stop is StopReason.TERMINATED,
        truncated=stop.is_truncated,
    )


def test_by_hand() -> None:
    # Φ: 0.25 at first, then 0.5, not reported, 0.75, and 0 at the end in place of the 1.0 reported there
    seen = episode(0.25, 0.5, None, 0.75, 1.0)
    assert Potential("progress")(seen) == [0.25, 0.0, 0.25, -0.75]
    # γ = 0.5: 0.25 - 0.25, 0.25 - 0.5, 0.375 - 0.5, 0 - 0.75
    assert Potential("progress", gamma=0.5)(seen) == [0.0, -0.25, -0.125, -0.75]


def test_before_the_first_report_it_is_nothing() -> None:
    assert Potential("progress")(episode(None, None, 0.5, 1.0)) == [0.0, 0.5, -0.5]


def test_one_action_is_enough_to_miss_a_channel() -> None:
    one = episode(None, None, None)
    one.turns[1].action = None
    with pytest.raises(UserError, match="reported: none"):
        Potential("progress")(one)


def test_a_cut_is_an_end_unless_it_is_continued() -> None:
    cut = episode(None, 0.5, 1.0, stop=StopReason.TURN_LIMIT)
    assert Potential("progress")(cut) == [0.5, -0.5]
    assert Potential("progress", continues=True)(cut) == [0.5, 0.5]
    ended = episode(None, 0.5, 1.0)
    assert Potential("progress", continues=True)(ended) == Potential("progress")(ended) == [0.5, -0.5]


@given(st.none() | NUMBERS, REPORTS, st.floats(0.1, 1.0), st.sampled_from(StopReason))
def test_an_episode_sums_up_to_minus_the_potential_it_began_with(
    first: float | None, reports: list[float | None], gamma: float, stop: StopReason
) -> None:
    seen = episode(0.0 if first is None else first, *reports, stop=stop)
    given = Potential("progress", gamma=gamma)(seen)
    discounted = sum(gamma**turn * value for turn, value in enumerate(given))
    assert discounted == pytest.approx(-(first or 0.0), abs=1e-9)


@given(NUMBERS, REPORTS, REPORTS, st.floats(0.1, 1.0), NUMBERS, NUMBERS)
def test_which_of_two_ways_from_the_same_state_is_better_stays(
    first: float, one: list[float | None], other: list[float | None], gamma: float, paid: float, paid_other: float
) -> None:
    """Returns from there on move by the same amount, whichever way is gone."""
    potential = Potential("progress", gamma=gamma)
    returns = []
    for reports, reward in ((one, paid), (other, paid_other)):
        shaping = potential(episode(first, *reports))
        plain = gamma ** (len(reports) - 1) * reward
        returns.append((plain, plain + sum(gamma**turn * value for turn, value in enumerate(shaping))))
    (plain, with_shaping), (plain_other, with_shaping_other) = returns
    assert with_shaping - with_shaping_other == pytest.approx(plain - plain_other, abs=1e-9)


def test_a_channel_that_is_not_reported_is_told_with_those_that_are() -> None:
    with pytest.raises(
        UserError, match=r'episode toy reports no info\["channels"\]\["way"\]; reported: progress; .*potential\.channel'
    ):
        Potential("way")(episode(0.0, 0.5))
    unread = episode(0.0, None)
    unread.turns[0].action = None
    with pytest.raises(UserError, match="reported: progress"):  # as in the first episode, which is tried out
        Potential("way")(unread)
    with pytest.raises(UserError, match="reported: none"):
        Potential("way")(episode(None, None))


def test_an_episode_in_which_nothing_was_done_has_no_channels_to_miss() -> None:
    unread = episode(None, None)
    unread.turns[0].action = None
    assert Potential("progress")(unread) == [0.0]
    assert Potential("progress")(episode(None)) == []


def test_help_says_which_rewards_are_invariant() -> None:
    shown = page(TrainSettings, {"rewards": {"potential": 1, "turn-cost": 1, "success": 1}})
    assert "With --rewards.potential, which is policy-invariant" in shown
    assert "With --rewards.turn-cost, which changes what is optimal" in shown
    assert "With --rewards.success, which changes what is optimal" in shown
    assert "--rewards.potential.channel" in shown


@pytest.mark.parametrize(("env", "options"), [("blocksworld", {}), ("webshop", {"shopper": "careful"})])
def test_channels_of_an_environment_are_on_record(env: str, options: dict[str, Any]) -> None:
    made = agentgym.make(env, **options)
    observation, _ = made.reset(seed=0, options={"task": made.tasks("train")[0]})
    expert, info = made.expert(), dict[str, Any]()
    terminated = False
    while not terminated:
        observation, _, terminated, _, info = made.step(expert(observation))
    assert info["success"]
    assert all(type(value) is float for value in info["channels"].values())
    most = {"blocksworld": {"progress": 1.0}, "webshop": {"type_factor": 1.0, "within_price": 1.0}}[env]
    assert most.items() <= info["channels"].items()
