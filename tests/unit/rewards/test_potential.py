"""Potentials: by hand, and that they change no optimum."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import agentgym
from agentgym.errors import ConfigError, UserError
from agentgym.launch.resolving import resolve
from agentgym.launch.settings import TrainSettings
from agentgym.manual import page
from agentgym.rewards.potential import Potential
from agentgym.types import Sample, StopReason, Trajectory, Turn
from tests import kit

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
    cut.samples = [kit.sample([[7], [7]])]
    assert Potential("progress", continues=True)(cut) == [0.5, -0.5]  # the learner saw nothing to go on from
    goes_on = [*cut.samples[0].loss_mask[:-1], False]
    cut.samples = [Sample(**{**dict(cut.samples[0]), "loss_mask": goes_on})]
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


# -- a function in a file ----------------------------------------------------------------------------------

PHI = """
def phi(seen):
    assert not (seen.success or seen.truncated or seen.samples or seen.stop_reason != "terminated")
    return len(seen.turns) + 0.25 * len(seen.final_observation) + seen.channels.get("start", 0)

def nothing(seen):
    return None

def endless(seen):
    return float("nan")

def broken(seen):
    return 1 / 0

async def later(seen):
    return 1.0

NUMBER = 3
"""


def told(file: Path, name: str, trajectory: Trajectory) -> list[float]:
    return Potential(file=f"{file}:{name}")(trajectory)


def played() -> Trajectory:
    return kit.episode(
        1.0, 0.0, 1.0, channels={"start": 2.0}, final_observation="over", samples=[kit.sample([[7]])], success=True
    )


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / f"phis_{tmp_path.name}.py"
    path.write_text(PHI)
    return path


def test_a_function_gives_the_potential_of_an_episode_as_far_as_it_has_come(file: Path) -> None:
    """It sees 6 letters in each of three turns ("seen 0", ...), and 4 at the end, which counts 0 unless it goes on."""
    assert told(file, "phi", played()) == [1.0, 1.0, -5.5]
    goes_on = Potential(file=f"{file}:phi", gamma=0.5, continues=True)
    cut = played()
    cut.truncated, cut.samples = True, []
    # Φ is 3.5, 4.5, 5.5 and 6.0
    assert goes_on(cut) == [2.25 - 3.5, 2.75 - 4.5, 3.0 - 5.5]
    assert told(file, "phi", kit.episode()) == []


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("nothing", r'reward "potential": .*:nothing gave None after 0 turns, expected a finite number'),
        ("endless", "endless gave nan after 0 turns"),
        ("later", "later gave <coroutine"),
        ("broken", r"broken raised ZeroDivisionError: .*\(.*phis_.*\.py:13\)"),
    ],
)
def test_a_function_that_gives_no_number_is_told(file: Path, name: str, says: str) -> None:
    with pytest.raises(UserError, match=says):
        told(file, name, played())


def test_a_function_that_is_not_there_is_told(file: Path) -> None:
    with pytest.raises(UserError, match=r'has no "ph"\. Did you mean "phi"'):
        told(file, "ph", played())
    with pytest.raises(UserError, match=r'has no "NUMBER"\. It has: phi, nothing, endless, broken, later'):
        told(file, "NUMBER", played())
    with pytest.raises(UserError, match="no such file"):
        told(file.with_name("gone.py"), "phi", played())
    build = agentgym.plugins("rewards").build
    for options in ({}, {"channel": "a", "file": f"{file}:phi"}):
        with pytest.raises(UserError, match=r"(neither|both) channel and file"):
            build("potential", options)
    with pytest.raises(UserError, match=r"rewards\.potential\.file"):
        build("potential", {"file": str(file)})


# -- tokens ------------------------------------------------------------------------------------------------


def test_where_tokens_are_discounted_a_long_reply_pays_back_what_it_waited() -> None:
    """Φ is 0.25, 0.5 and 0; the replies have 1 and 3 tokens, γ is 0.5: 0.25 - 0.25, and 0 - 4 * 0.5."""
    seen = episode(0.25, 0.5, 1.0)
    seen.samples = [kit.sample([[7], [7, 7, 7]])]
    assert Potential("progress", gamma=0.5, per="token")(seen) == [0.0, -2.0]
    seen.samples = []
    assert Potential("progress", gamma=0.5, per="token")(seen) == [0.0, -0.5]


def test_what_no_float_holds_is_refused_where_it_would_be_added() -> None:
    seen = episode(1.0, 1.0)
    seen.samples = [kit.sample([[7] * 2000])]
    assert Potential("progress", gamma=0.5, per="token")(seen) == [-math.inf]
    assert Potential("progress", gamma=0.5, per="token")(episode(0.0, 1.0)) == [0.0]


# -- the learner's discount --------------------------------------------------------------------------------


def settings(trainer: dict[str, Any], **options: Any) -> TrainSettings:
    return resolve({"env": kit.BELL, "trainer": trainer, "rewards": {"potential": {"channel": "progress", **options}}})


@pytest.mark.parametrize(
    ("trainer", "options"),
    [
        ({"id": "grpo"}, {}),
        ({"id": "grpo", "anchor_weight": 1.0, "anchor_discount": 1.0}, {}),
        ({"id": "ppo"}, {}),
        ({"id": "ppo"}, {"per": "token"}),
        ({"id": "ppo", "gamma": 0.9}, {"gamma": 0.9, "per": "token"}),
        ({"id": "ppo", "bootstrap": True}, {"continues": True}),
    ],
)
def test_a_learner_that_adds_up_likewise_takes_it(trainer: dict[str, Any], options: dict[str, Any]) -> None:
    assert settings(trainer, **options).rewards["potential"].weight == 1.0


@pytest.mark.parametrize(
    ("trainer", "options", "says"),
    [
        ({"id": "grpo"}, {"gamma": 0.9}, "by 0.9 for each turn, and the trainer grpo by 1 for each turn; type: "
         r"--rewards\.potential\.gamma 1 --rewards\.potential\.per turn"),
        ({"id": "ppo", "gamma": 0.9}, {}, r"the trainer ppo by 0.9 for each token; type: .*gamma 0.9 .*per token"),
        ({"id": "ppo", "gamma": 0.9}, {"gamma": 0.9}, r"by 0.9 for each turn, and the trainer ppo by 0.9 for each tok"),
        ({"id": "ppo"}, {"continues": True}, r"cut ends; type: --rewards\.potential\.continues false"),
        ({"id": "ppo", "bootstrap": True}, {}, r"goes on by an estimate; type: --rewards\.potential\.continues true"),
        ({"id": "grpo", "preset": "gigpo"}, {}, "in more than one way.*anchor_discount 1"),
        ({"id": "grpo", "set_size": 4}, {}, "in more than one way"),
    ],
)  # fmt: skip
def test_one_that_adds_up_otherwise_is_refused(trainer: dict[str, Any], options: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError, match=rf"rewards\.potential would change what is optimal: .*{says}"):
        settings(trainer, **options)


def test_no_reward_but_an_invariant_one_minds_the_discount() -> None:
    given = {"env": kit.BELL, "trainer": {"id": "ppo", "gamma": 0.9}, "rewards": {"turn-cost": 1.0, "success": 1.0}}
    assert resolve(given).rewards.keys() == {"turn-cost", "success"}
