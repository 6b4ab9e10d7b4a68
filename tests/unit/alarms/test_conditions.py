"""Every condition by a history that fires it, by one that just does not, and at exactly its bound."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from agentgym.alarms import RULES, AlarmSettings, alarms_of
from tests.unit.alarms.lines import BOUNDS, entropies, groups, looks, mismatches, replies, rewards, train

# name: (a history that fires it, update, value, bound; one that just does not)
CASES: dict[str, tuple[list[dict[str, Any]], int, float, float, list[dict[str, Any]]]] = {
    # a tenth of 1.0; the mean of the last three is (0.1 + 0.1 + 0.09) / 3 = 0.0967
    "entropy_collapse": (entropies(1.0, 0.1, 0.1, 0.09), 4, 0.29 / 3, 0.1, entropies(1.0, 0.1, 0.1, 0.101)),
    # (0.1 + 0.1 + 0.13) / 3 = 0.11
    "steps_too_large": (train(old_kl=[0.1, 0.1, 0.13]), 3, 0.11, 0.1, train(old_kl=[0.25, 0.0, 0.0, 0.25, 0.0])),
    "far_from_reference": (
        train(reference_kl=[1.0, 1.0, 1.3]), 3, 1.1, 1.0, train(reference_kl=[0.99, 0.99, 0.99]),
    ),
    # 0.31 > 3 * 0.1 between two windows of three; a tenth of the bound is 0.1
    "kl_runs_away": (
        train(reference_kl=[0.1, 0.1, 0.1, 0.31, 0.31, 0.31]), 6, 0.31, 0.3,
        train(reference_kl=[0.1, 0.1, 0.1, 0.29, 0.29, 0.29]),
    ),
    "clipped_too_often": (
        train(clip_fraction=[0.0, 0.3, 0.3, 0.33]), 4, 0.31, 0.3, train(clip_fraction=[0.3, 0.3, 0.3]),
    ),
    "tasks_too_easy": (
        groups(0.5, 0.1, 0.0, 0.05, success=0.5), 4, 0.05, 0.1, groups(0.1, 0.1, 0.2, 0.1, 0.1, success=0.9),
    ),
    "tasks_too_hard": (
        groups(0.5, 0.1, 0.0, 0.05, success=0.49), 4, 0.05, 0.1, groups(0.1, 0.1, 0.2, 0.1, 0.1, success=0.1),
    ),
    # the reward has fallen from 0.3 to (0.2 + 0.2 + 0.49) / 3 = 0.297
    "policy_is_lost": (
        groups(0.5, 0.1, 0.0, 0.05, success=0.1, reward=[0.3, 0.2, 0.2, 0.49]), 4, 0.05, 0.1,
        groups(0.5, 0.0, 0.11, 0.0, success=0.1, reward=[0.3, 0.2, 0.2, 0.2]),
    ),
    # of the 20 tokens that a reply may have, (18 + 18 + 19) / 3 / 20 = 0.9167
    "replies_are_cut": (replies(18, 18, 19), 3, 55 / 60, 0.9, replies(17.9, 17.9, 17.9)),
    "replies_explode": (replies(5, 15, 15, 15.3), 4, 15.1, 15, replies(5, 15, 15, 15)),
    "replies_shrink": (replies(15, 5, 5, 4.7), 4, 4.9, 5, replies(15, 5, 5, 5)),
    "truncated_more_often": (
        train(truncated=[0.25, 0.5, 0.5, 0.53]), 4, 0.51, 0.5, train(truncated=[0.25] + [0.5] * 4),
    ),
    "invalid_more_often": (train(invalid=[0.0, 0.25, 0.25, 0.28]), 4, 0.26, 0.25, train(invalid=[0.0] + [0.25] * 4)),
    # medians: of the last three 1.6, of the three before 0.3
    "gradient_explodes": (
        train(grad_norm=[0.2, 0.3, 0.4, 1.6, 0.1, 2.9]), 6, 1.6, 1.5, train(grad_norm=[0.2, 0.3, 0.4, 1.4, 0.1, 99.0]),
    ),
    # in all of three updates hardly a weight; of one whose learning rate is 0 nothing is expected
    "weights_did_not_move": (
        train(moved=[1.0, 0.004, 0.0, 0.002], learning_rate=[1e-6] * 4), 4, 0.002, 0.01,
        train(moved=[0.0, 0.0, 0.02, 0.0, 0.0], learning_rate=[1e-6] * 5),
    ),
    "refused_update": (
        [{"stage": "train", "update": 1, "refused": 1.0}], 1, 1.0, 0.0, [{"stage": "train", "update": 1}],
    ),
    "sampler_disagrees": (
        mismatches(1e-3, 1e-3, 1.3e-3), 3, 1.1e-3, 1e-3, mismatches(9.9e-4, 9.9e-4, 9.9e-4),
    ),
    "engine_is_stale": (
        train(engine_gap=[1e-6, 1e-5, 2e-3]), 3, 2e-3, 1e-3, train(engine_gap=[1e-6, 1e-5, 1e-3]),
    ),
    "samples_too_old": (train(staleness=[8, 8, 11]), 3, 9, 8, train(staleness=[8, 8, 8])),
    # 3 of 30, 0 of 20, 2 of 20: (0.1 + 0 + 0.1) / 3 = 0.0667
    "void_episodes": (
        train(void=[3, 0, 2], episodes=[27, 20, 18]), 3, 0.2 / 3, 0.05, train(void=[1, 1, 1], episodes=[20, 20, 20]),
    ),
    "judges_fail": (
        train(shaping_failures=[3, 0, 2], episodes=[30, 20, 20]), 3, 0.2 / 3, 0.05,
        train(shaping_failures=[1, 1, 1], episodes=[21, 21, 21]),
    ),
    "success_collapse": (
        looks(success=[0.2, 0.6, 0.3], success_low=[0.1, 0.5, 0.2], success_high=[0.3, 0.7, 0.49]), 20, 0.3, 0.5,
        looks(success=[0.2, 0.6, 0.3], success_low=[0.1, 0.5, 0.2], success_high=[0.3, 0.7, 0.5]),
    ),
    # 0.5 + 1.96 * 0.05 = 0.598 < 0.8 - 1.96 * 0.1 = 0.604
    "reward_collapse": (
        rewards(0.2, 0.8, 0.5, errors=[0.1, 0.1, 0.05]), 20, 0.5, 0.604,
        rewards(0.2, 0.8, 0.51, errors=[0.1, 0.1, 0.05]),
    ),
    # 0.71 - 2 * 0.1 > 0.5, 0.69 - 2 * 0.1 is not
    "forgetting": (
        looks(forward_kl=[0.0, 0.71], forward_kl_error=[0.0, 0.1]), 10, 0.71, 0.5,
        looks(forward_kl=[0.0, 0.69], forward_kl_error=[0.0, 0.1]),
    ),
}  # fmt: skip


def test_every_rule_has_a_case() -> None:
    assert list(CASES) == [rule.name for rule in RULES]


@pytest.mark.parametrize("name", CASES)
def test_a_history_that_fires(name: str) -> None:
    history, update, value, bound, _ = CASES[name]
    (alarm,) = alarms_of(history, BOUNDS, max_reply_tokens=20)
    assert (alarm.name, alarm.update, alarm.until) == (name, update, None)
    assert alarm.value == pytest.approx(value)
    assert alarm.threshold == pytest.approx(bound)


@pytest.mark.parametrize("name", CASES)
def test_a_history_that_just_does_not(name: str) -> None:
    assert alarms_of(CASES[name][4], BOUNDS, max_reply_tokens=20) == []


@pytest.mark.parametrize("name", CASES)
def test_an_ignored_alarm_does_not_go_off(name: str) -> None:
    ignoring = BOUNDS.model_copy(update={"ignore": [name]})
    assert alarms_of(CASES[name][0], ignoring, max_reply_tokens=20) == []


@pytest.mark.parametrize("name", CASES)
def test_less_than_the_history_is_not_enough(name: str) -> None:
    assert alarms_of(CASES[name][0][:-1], BOUNDS, max_reply_tokens=20) == []


@pytest.mark.parametrize("name", CASES)
def test_other_stages_are_not_watched(name: str) -> None:
    other = [{**line, "stage": "warm_start"} for line in CASES[name][0]]
    assert alarms_of(other, BOUNDS, max_reply_tokens=20) == []


def test_a_policy_that_solves_its_tasks_may_be_certain() -> None:
    assert alarms_of(entropies(1.0, 0.0, 0.0, 0.0, success=0.8), BOUNDS) == []
    assert [alarm.name for alarm in alarms_of(entropies(1.0, 0.0, 0.0, 0.0, success=0.79), BOUNDS)] == [
        "entropy_collapse"
    ]


@pytest.mark.parametrize(
    ("first", "rewards", "name"),
    [
        (0.5, [0.3, 0.29, 0.29, 0.29], "policy_is_lost"),
        (0.5, [0.3, 0.3, 0.3, 0.3], "tasks_too_hard"),  # not worse than it was
        (0.1, [0.3, 0.1, 0.1, 0.1], "tasks_too_hard"),  # groups were alike from the beginning
    ],
)
def test_what_is_lost_is_told_from_what_never_was(first: float, rewards: list[float], name: str) -> None:
    (alarm,) = alarms_of(groups(first, 0.0, 0.0, 0.0, success=0.0, reward=rewards), BOUNDS)
    assert alarm.name == name


def test_success_that_has_collapsed_speaks_for_the_reward_too() -> None:
    history = rewards(0.8, 0.1, errors=[0.01, 0.01], success=[0.8, 0.1])
    assert [alarm.name for alarm in alarms_of(history, BOUNDS)] == ["success_collapse"]


def test_old_samples_may_disagree() -> None:
    assert alarms_of(mismatches(0.5, 0.5, 0.5, staleness=1.0), BOUNDS) == []


@pytest.mark.parametrize(("metric", "field"), [("mismatch", "mismatch"), ("forward_kl", "forward_kl")])
def test_without_a_bound_there_is_no_alarm(metric: str, field: str) -> None:
    history = mismatches(9, 9, 9) + looks(forward_kl=[9.0], forward_kl_error=[0.0])
    names = [alarm.metric for alarm in alarms_of(history, BOUNDS.model_copy(update={field: None}))]
    assert names == [name for name in ("mismatch", "forward_kl") if name != metric]


def test_an_engine_is_not_stale_where_nothing_says_how_much_may_differ() -> None:
    assert alarms_of(train(engine_gap=[9.0]), BOUNDS.model_copy(update={"mismatch": None})) == []


def test_without_a_limit_replies_are_never_cut() -> None:
    assert alarms_of(replies(18, 18, 19), BOUNDS) == []


def test_the_kl_at_its_beginning_does_not_run_away() -> None:
    assert alarms_of(train(reference_kl=[1e-6, 1e-6, 1e-6, 0.09, 0.09, 0.09]), BOUNDS) == []


def test_one_outlier_of_the_gradient_is_no_explosion() -> None:
    assert alarms_of(train(grad_norm=[0.3] * 12 + [40.0] + [0.3] * 12), BOUNDS) == []


# -- at exactly a bound ------------------------------------------------------------------------------------

# Numbers that are exact in binary, so that a window's mean is what it is meant to be.
EXACT = AlarmSettings(
    window=2,
    entropy=0.125,
    solved=0.75,
    old_kl=0.0625,
    reference_kl=1.0,
    kl_growth=4,
    clip_fraction=0.375,
    informative_groups=0.25,
    reply_fill=0.5,
    reply_growth=2,
    rise=0.25,
    grad_norm=4,
    moved=2**-6,
    mismatch=2**-10,
    staleness=8,
    forward_kl=0.5,
    void=0.125,
    unshaped=0.25,
)

# name: (a history with a value in it, the value at which the bound is met, one just beyond)
EDGES: dict[str, tuple[Callable[[float], list[dict[str, Any]]], float, float]] = {
    "entropy_collapse": (lambda v: entropies(1.0, v, v), 0.125, 0.124),
    "steps_too_large": (lambda v: train(old_kl=[v, v]), 0.0625, 0.063),
    "far_from_reference": (lambda v: train(reference_kl=[v, v]), 1.0, 1.01),
    "kl_runs_away": (lambda v: train(reference_kl=[0.0625, 0.0625, v, v]), 0.25, 0.26),
    "clipped_too_often": (lambda v: train(clip_fraction=[v, v]), 0.375, 0.38),
    "replies_are_cut": (lambda v: replies(v, v), 10, 10.1),
    "replies_explode": (lambda v: replies(4, v, v), 8, 8.1),
    "replies_shrink": (lambda v: replies(4, v, v), 2, 1.9),
    "truncated_more_often": (lambda v: train(truncated=[0.25, v, v]), 0.5, 0.51),
    "invalid_more_often": (lambda v: train(invalid=[0.25, v, v]), 0.5, 0.51),
    "gradient_explodes": (lambda v: train(grad_norm=[1.0, 1.0, v, v]), 4.0, 4.1),
    "weights_did_not_move": (lambda v: train(moved=[v, v], learning_rate=[1e-6] * 2), 2**-6, 2**-7),
    "sampler_disagrees": (lambda v: mismatches(v, v), 2**-10, 2**-10 + 2**-20),
    "engine_is_stale": (lambda v: train(engine_gap=[v]), 2**-10, 2**-10 + 2**-20),
    "samples_too_old": (lambda v: train(staleness=[v, v]), 8, 8.1),
    "void_episodes": (lambda v: train(void=[v, v], episodes=[7.0, 7.0]), 1.0, 1.1),
    "judges_fail": (lambda v: train(shaping_failures=[v, v], episodes=[8.0, 8.0]), 2.0, 2.1),
    "success_collapse": (
        lambda v: looks(success=[0.75, 0.25], success_low=[0.5, 0.0], success_high=[1.0, v]), 0.5, 0.49,
    ),
    # 1.96 * 0.25 = 0.49 above what is measured now, against 1 for certain
    "reward_collapse": (lambda v: rewards(1.0, v, errors=[0.0, 0.25]), 0.51, 0.5),
    "forgetting": (lambda v: looks(forward_kl=[v], forward_kl_error=[0.125]), 0.75, 0.76),
}  # fmt: skip


@pytest.mark.parametrize("name", EDGES)
def test_a_bound_that_is_met_is_kept(name: str) -> None:
    history, at, beyond = EDGES[name]
    assert alarms_of(history(at), EXACT, max_reply_tokens=20) == []
    assert [alarm.name for alarm in alarms_of(history(beyond), EXACT, max_reply_tokens=20)] == [name]


def test_weights_may_stand_still_where_the_learning_rate_is_zero() -> None:
    assert alarms_of(train(moved=[0.0] * 3, learning_rate=[0.0] * 3), EXACT) == []
    (alarm,) = alarms_of(train(moved=[0.0] * 3, learning_rate=[1e-6, 1e-6, 0.0]), EXACT)
    assert (alarm.name, alarm.update, alarm.until) == ("weights_did_not_move", 2, 3)


@pytest.mark.parametrize(("success", "name"), [(0.5, "tasks_too_easy"), (0.4, "policy_is_lost")])
def test_groups_are_alike_from_the_bound_on_in_every_update(success: float, name: str) -> None:
    fallen = [0.5, 0.25, 0.25]
    assert alarms_of(groups(0.5, 0.25, 0.26, success=success, reward=fallen), EXACT) == []
    assert alarms_of(groups(0.5, 0.26, 0.0, success=success, reward=fallen), EXACT) == []
    (alarm,) = alarms_of(groups(0.5, 0.25, 0.25, success=success, reward=fallen), EXACT)
    assert (alarm.name, alarm.update, alarm.value, alarm.threshold) == (name, 3, 0.25, 0.25)


def test_groups_at_the_bound_in_the_first_update_were_alike_already() -> None:
    (alarm,) = alarms_of(groups(0.25, 0.25, 0.25, success=0.0, reward=[0.5, 0.25, 0.25]), EXACT)
    assert (alarm.name, alarm.update) == ("tasks_too_hard", 2)


def test_a_policy_may_be_certain_from_exactly_the_success_at_which_tasks_are_solved() -> None:
    assert alarms_of(entropies(1.0, 0.0, 0.0, success=0.75), EXACT) == []
    assert [alarm.name for alarm in alarms_of(entropies(1.0, 0.0, 0.0, success=0.74), EXACT)] == ["entropy_collapse"]


def test_the_kl_runs_away_from_a_tenth_of_its_bound_on() -> None:
    """However much it grows below."""
    settings = EXACT.model_copy(update={"reference_kl": 10.0})  # a tenth is 1
    assert alarms_of(train(reference_kl=[0.25, 0.25, 1.0, 1.0]), settings) == []
    (alarm,) = alarms_of(train(reference_kl=[0.25, 0.25, 1.5, 1.5]), settings)
    assert (alarm.name, alarm.value, alarm.threshold) == ("kl_runs_away", 1.5, 1.0)


def test_the_gradient_is_compared_with_the_four_windows_before_only() -> None:
    """Eight updates before the last two: those before them, however large, are forgotten."""
    five = [1.0, 1.0, 1.0, 1.0, 1.0]
    (alarm,) = alarms_of(train(grad_norm=[9.0, 9.0, 9.0, 9.0, 9.0, *five, 5.0, 5.0]), EXACT)
    assert (alarm.update, alarm.value, alarm.threshold) == (12, 5.0, 4.0)
    # of four and four the median is (1 + 9) / 2
    assert alarms_of(train(grad_norm=[9.0, 9.0, 9.0, 9.0, *five[1:], 5.0, 5.0]), EXACT) == []


def test_the_gradient_is_watched_once_there_are_two_windows() -> None:
    assert alarms_of(train(grad_norm=[1.0, 9.0, 9.0]), EXACT) == []


def test_the_best_look_is_the_one_with_the_most_success() -> None:
    """Not the first, and not the one with the highest interval."""
    seen = {"success": [0.5, 0.75, 0.25], "success_low": [0.45, 0.5, 0.0], "success_high": [1.0, 0.9, 0.48]}
    (alarm,) = alarms_of(looks(**seen), EXACT)
    assert (alarm.update, alarm.value, alarm.threshold) == (20, 0.25, 0.5)
    assert alarms_of(looks(**{**seen, "success_high": [1.0, 0.9, 0.5]}), EXACT) == []


def test_the_best_reward_is_not_that_of_the_best_success() -> None:
    history = rewards(0.25, 1.0, 0.5, errors=[0.0, 0.0, 0.0], success=[0.3, 0.2, 0.3])
    (alarm,) = alarms_of(history, EXACT)
    assert (alarm.name, alarm.update, alarm.value, alarm.threshold) == ("reward_collapse", 20, 0.5, 1.0)


def test_only_updates_with_fresh_samples_can_disagree_and_a_window_of_them_has_to() -> None:
    assert alarms_of(train(mismatch=[1.0, 1.0, 1.0], staleness=[0.0, 0.5, 0.0]), EXACT) == []
    (alarm,) = alarms_of(train(mismatch=[1.0, 1.0, 1.0, 1.0], staleness=[0.5, 0.5, 0.0, 0.0]), EXACT)
    assert (alarm.name, alarm.update) == ("sampler_disagrees", 4)


@pytest.mark.parametrize("gone", ["success", "reward", "turns", "episodes", "staleness", "success_low", "success_high"])
def test_lines_without_a_metric_that_a_rule_needs_are_passed_over(gone: str) -> None:
    for name, (history, *_) in CASES.items():
        if gone in history[0]:
            without = [{key: line[key] for key in line if key != gone} for line in history]
            assert name not in {alarm.name for alarm in alarms_of(without, BOUNDS, max_reply_tokens=20)}


def test_all_lines_of_a_run_may_be_seen_by_one_watch() -> None:
    """Rules of training do not see looks, and the other way around."""
    both = [*train(success=[0.9, 0.1], reward=[0.9, 0.1]), *looks(clip_fraction=[0.9, 0.9, 0.9])]
    assert alarms_of(both, EXACT) == []
