"""The diagnosis as a whole: each check finds what it is there to find, and what is broken in one point fails there."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from functools import partial

import pytest

from agentgym import doctor
from tests.unit.doctor import kit

ONE: list[tuple[type[kit.Sound], doctor.Check, str]] = [
    (kit.OtherSpace, doctor.passes_gymnasium, "not within the observation space"),
    (kit.Overlaps, doctor.has_disjoint_splits, 'tasks("train") and tasks("validation") share [0, 1, 2, 3, 4]'),
    (kit.OverlapsInOne, doctor.has_disjoint_splits, 'tasks("validation") and tasks("test") share [9]'),
    (kit.OddTasks, doctor.has_disjoint_splits, "a task id is a number or text, found ('train', 0)"),
    (kit.LeaksWhenLeft, doctor.forgets_former_episodes, "after an episode that was left at turn 1, turn 3 differs"),
    (kit.LeaksWhenLeftLate, doctor.forgets_former_episodes, "after an episode that was left at turn 3, turn 0 differs"),
    (kit.OneAtATime, doctor.keeps_instances_apart, "beside another instance, which was closed before the end, turn 1"),
    (kit.StopsOthers, doctor.keeps_instances_apart, "beside another instance, which was closed before the end, turn 4"),
    (kit.KnowsItsThread, doctor.repeats_in_threads, "threads, turn 0 differs"),
    (kit.SharesState, doctor.comes_back_to_snapshots, "after restoring turn 0 of (0, 100) on the same instance"),
    (kit.ForgetsState, doctor.comes_back_to_snapshots, "after restoring turn 0 of (0, 100) on the same instance"),
    (kit.KeepsStateAtHome, doctor.comes_back_to_snapshots, "(0, 100) on another instance"),
    (kit.RestoresElsewhereOnly, doctor.comes_back_to_snapshots, "(0, 100) on the same instance"),
    (
        kit.RestoresNothingLate,
        doctor.comes_back_to_snapshots,
        "after restoring turn 0 of (0, 100) on the same instance",
    ),
    (kit.Loses, doctor.wins_as_expert, "the expert lost 20 of 20: (task, seed) [(1001000, 100), (1001050, 101)"),
    (kit.LosesHalf, doctor.wins_as_expert, "the expert lost 10 of 20: (task, seed) [('test 1', 101), ('test 3', 103)"),
    (kit.WinsInTrainingOnly, doctor.wins_as_expert, "the expert lost 20 of 20: (task, seed) [('test 0', 100)"),
    (kit.Fragile, doctor.stands_strange_actions, "[[[' made step raise JSONDecodeError: Expecting value"),
    (kit.FragileLate, doctor.stands_strange_actions, "[[[' made step raise JSONDecodeError: Expecting value"),
    (kit.Leaks, doctor.stands_strange_actions, "aaaaa', turn 0 differs"),
    (kit.LeaksTheRandom, doctor.stands_random_actions, "after random actions, turn 0 differs"),
    (kit.Obedient, doctor.stands_random_actions, "/canary' was run: it wrote a file"),
    (kit.ObedientLater, doctor.stands_random_actions, "EnvError: one of the actions was run: it wrote a file"),
    (kit.Unwary, doctor.stands_random_actions, "made step raise TypeError: list indices must be"),
    (kit.Credulous, doctor.refuses_forged_rewards, "after 0 turns of (0, 100) brought success"),
    (kit.CredulousLate, doctor.refuses_forged_rewards, "after 2 turns of (500000, 102) brought success"),
    (kit.Generous, doctor.refuses_forged_rewards, "brought the reward 0.6, an invalid one 0.0"),
    (kit.Forgiving, doctor.refuses_forged_rewards, "brought the reward -0.0, an invalid one -0.1"),
    (kit.KeepsFiles, doctor.leaves_nothing_behind, "instances, all closed, left behind 20 open files"),
    (kit.KeepsFilesWhenLeft, doctor.leaves_nothing_behind, "instances, all closed, left behind 10 open files"),
    (kit.KeepsThreads, doctor.leaves_nothing_behind, "instances, all closed, left behind 20 threads"),
    (kit.KeepsProcesses, doctor.leaves_nothing_behind, "instances, all closed, left behind 20 processes"),
    (kit.KeepsTemporaryFiles, doctor.leaves_nothing_behind, "instances, all closed, left behind 20 temporary files"),
]
"""What breaks one promise, the check that says so, and what it says."""

COMPARING = {
    "repeats_by_seed",
    "forgets_former_episodes",
    "keeps_instances_apart",
    "repeats_in_threads",
    "comes_back_to_snapshots",
    "stands_strange_actions",
    "stands_random_actions",
}
"""Checks that play an episode again."""

SEVERAL: list[tuple[type[kit.Sound], set[str], str]] = [
    (kit.GlobalRandom, {"passes_gymnasium", *COMPARING}, "turn 1 differs"),
    (kit.SharesAcrossInstances, {"passes_gymnasium", *COMPARING}, "turn 1 differs"),
    (kit.RandomRewards, {"passes_gymnasium", "refuses_forged_rewards", *COMPARING}, "turn 1 differs"),
    (kit.Remembers, COMPARING - {"keeps_instances_apart"}, "on an instance that played before, turn 0 differs"),
    (
        kit.NoTestTasks,
        {"has_disjoint_splits", "wins_as_expert", "wins_at_random", "refuses_enumerations"},
        'tasks("test") is empty',
    ),
]
"""What breaks more than one, which checks say so, and what one of them says."""

RACING = {kit.OneAtATime, kit.StopsOthers}
"""Threads may or may not get into each other's way with these."""


@pytest.fixture(autouse=True)
def _nothing_is_kept() -> Iterator[None]:
    yield
    kit.end_what_was_left()


def failures(env: type[kit.Sound], thorough: doctor.Check | None = None) -> dict[str, str]:
    """What each check that fails says; all but ``thorough`` play as little as they may."""
    found = {}
    for check in doctor.CHECKS:
        run = partial(doctor.leaves_nothing_behind, grace=0.0) if check is doctor.leaves_nothing_behind else check
        try:
            run(env, 600.0 if thorough in (None, check) else 0.0)
        except Exception as error:
            found[check.__name__] = f"{type(error).__name__}: {error}"
    return found


def test_every_check_of_the_package_is_run_and_shown() -> None:
    checks = {
        name
        for name, check in vars(doctor).items()
        if inspect.isfunction(check) and next(iter(inspect.signature(check).parameters), "") == "make_env"
    }
    assert {check.__name__ for check in doctor.CHECKS} == checks - {"diagnose", "keeps_tokens", "shown_prompt"}
    assert len(doctor.CHECKS) == 21


def test_every_check_is_given_the_time_and_the_environment_and_runs_whatever_became_of_the_others() -> None:
    given: list[tuple[object, float]] = []
    said: list[str] = []

    def breaks(make_env: doctor.MakeEnv, seconds: float = 1.0, /) -> str:
        given.append((make_env, seconds))
        raise ZeroDivisionError("broken")

    def remarks(make_env: doctor.MakeEnv, seconds: float = 1.0, /) -> str:
        given.append((make_env, seconds))
        assert said[-1] == "remarks"  # before it runs
        return doctor.Remark("look here")

    def passes(make_env: doctor.MakeEnv, seconds: float = 1.0, /) -> str:
        return "all is well"

    found = doctor.diagnose(kit.Sound, seconds=0.25, more=(breaks, remarks, passes), on_check=said.append)
    assert given == [(kit.Sound, 0.25)] * 2
    assert said == [finding.name for finding in found]
    assert said[-3:] == ["breaks", "remarks", "passes"]
    assert [(finding.status, finding.detail) for finding in found[-3:]] == [
        ("FAIL", f"ZeroDivisionError: broken (tests/unit/doctor/test_doctor.py:{breaks.__code__.co_firstlineno + 2})"),
        ("info", "look here"),
        ("pass", "all is well"),
    ]
    assert type(found[-2].detail) is str


def test_how_long_a_check_took_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [100.0]
    monkeypatch.setattr("time.perf_counter", lambda: clock[0])

    def takes_long(make_env: doctor.MakeEnv, seconds: float = 1.0, /) -> str:
        clock[0] += 1.2345
        return "done"

    monkeypatch.setattr(doctor, "CHECKS", ())
    (finding,) = doctor.diagnose(kit.Sound, more=(takes_long,))
    assert finding.seconds == 1.23


@pytest.mark.parametrize(("env", "check", "words"), ONE, ids=[env.__name__ for env, *_ in ONE])
def test_what_is_broken_in_one_point_fails_there_and_nowhere_else(
    env: type[kit.Sound], check: doctor.Check, words: str
) -> None:
    found = failures(env, check)
    racing = {"repeats_in_threads"} if env in RACING else set()
    assert set(found) - racing == {check.__name__}
    assert words in found[check.__name__]


@pytest.mark.parametrize(("env", "checks", "words"), SEVERAL, ids=[env.__name__ for env, *_ in SEVERAL])
def test_what_breaks_more_fails_wherever_it_shows(env: type[kit.Sound], checks: set[str], words: str) -> None:
    found = failures(env)
    assert set(found) == checks
    assert any(words in told for told in found.values())


@pytest.mark.parametrize(
    ("env", "words"),
    [
        (kit.PaysInfinity, "step gave the reward float inf, expected a finite number"),
        (kit.Numbers, "an observation is text, found int 7"),
    ],
)
def test_what_no_turn_may_be_fails_everywhere_but_where_nothing_is_played(env: type[kit.Sound], words: str) -> None:
    found = failures(env)
    assert {check.__name__ for check in doctor.CHECKS} - {
        "passes_gymnasium",
        "plays_what_counts",
        "refuses_enumerations",
        *found,
    } == {
        "clears_the_browser",
        "has_disjoint_splits",
        "pays_no_cheat",
        "repeats_in_processes",
    }
    assert all(words in told for told in found.values())


@pytest.mark.parametrize("env", [kit.Sound, kit.Tasked, kit.Alone])
def test_a_sound_environment_passes_every_check(env: type[kit.Sound]) -> None:
    findings = doctor.diagnose(env)
    assert [finding.name for finding in findings] == [check.__name__ for check in doctor.CHECKS]
    assert [finding for finding in findings if not finding.passed] == []
