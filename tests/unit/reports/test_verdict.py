"""What a referee would say of a run, and what to try next."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from agentgym.reports import verdict, what_next

ROSE, FELL, CHANCE = [0.01, 0.3], [-0.3, -0.01], [-0.1, 0.2]


def a_report(sampled: list[float] = ROSE, greedy: list[float] = ROSE, **more: Any) -> dict[str, Any]:
    gains = {"sampled": {"success": 0.1, "ci95": sampled}, "greedy": {"success": -0.05, "ci95": greedy}}
    return {
        "eval": {"before": {"success": 0.25, "reward": 0.5}, "after": {"success": 0.25, "reward": 0.5}},
        "gain": gains,
        **more,
    }


@pytest.mark.parametrize(
    ("sampled", "greedy", "said"),
    [
        (ROSE, ROSE, "Training made the policy better: sampled and greedy success rose."),
        (
            ROSE,
            CHANCE,
            "Sampled success rose and greedy success did not: it errs less when it samples, and knows no more.",
        ),
        (CHANCE, ROSE, "Greedy success rose, the other is not shown to have."),
        (CHANCE, CHANCE, "Nothing is shown to have been learned: neither success nor reward rose."),
        (CHANCE, FELL, "Training made the policy worse: greedy success fell."),
        (FELL, FELL, "Training made the policy worse: sampled and greedy success fell."),
        (ROSE, FELL, "Training made the policy worse: greedy success fell. Its sampled success rose."),
        ([0.0, 0.2], [0.0, 0.2], "Nothing is shown to have been learned: neither success nor reward rose."),
        ([-0.2, 0.0], [-0.2, 0.0], "Nothing is shown to have been learned: neither success nor reward rose."),
    ],
)
def test_sampled_and_greedy_success_are_judged_apart(sampled: list[float], greedy: list[float], said: str) -> None:
    assert verdict(a_report(sampled, greedy)) == [said]


def test_a_reward_that_rose_alone_is_said() -> None:
    report = a_report(CHANCE, CHANCE)
    report["eval"]["after"]["reward"] = 0.75
    assert verdict(report) == ["Success is not shown to have risen; the reward went from 0.500 to 0.750."]


def test_the_expert_that_was_imitated_is_what_counts_too() -> None:
    over = {"sampled": {"success": 0.1, "ci95": ROSE}, "greedy": {"success": -0.05, "ci95": CHANCE}}
    assert verdict(a_report(teacher={"success": 0.3}, gain_over_teacher=over))[1:] == [
        "The expert that it imitated succeeds in 0.300: against it, the policy succeeds sampled in 0.100 more "
        "(+0.010 to +0.300), greedy in 0.050 less (-0.100 to +0.200), which may be chance."
    ]


def test_where_nothing_was_compared_nothing_is_said() -> None:
    assert verdict({"eval": {}}) == []


def advice(
    report: dict[str, Any] | None = None,
    entropies: tuple[float, ...] = (1.0, 0.5),
    looks: tuple[float, ...] = (0.2, 0.3),
) -> list[str]:
    updates = [{"stage": "train", "update": at, "sampled_entropy": each} for at, each in enumerate(entropies, 1)]
    seen = [{"stage": "validation", "success": each} for each in looks]
    return what_next({"env": {"id": "webshop"}}, report or a_report(), [*updates, *seen], Path("runs/mine"))


def test_a_run_that_shows_nothing_to_change_gets_no_advice() -> None:
    assert advice(a_report(best_update=1, ledger={"trained": 21, "rejected: equal rewards": 79})) == []


def test_a_policy_far_behind_its_expert_imitates_for_longer() -> None:
    for ahead, num in ((0.2, 0), (0.5, 1)):
        report = a_report(best_update=1, teacher={"success": 0.25 + ahead})
        config = {"env": {"id": "webshop"}, "warm_start": {"enabled": True, "until": 0.15}}
        told = what_next(config, report, [], Path("runs/mine"))
        assert len(told) == num
        assert all("0.50 more: imitate it for longer (--warm_start.until, now 0.15)" in each for each in told)


def test_where_nothing_ever_succeeds_what_would_help_is_told() -> None:
    nothing = {"success": 0.0, "reward": 0.1}
    report = {**a_report(best_update=1), "eval": {"before": nothing, "after": nothing}}
    [told] = advice(report)
    assert told.startswith("Nothing ever succeeded")
    assert advice({**report, "teacher": {"success": 0.1}}) == []


def test_a_policy_that_was_still_getting_better_goes_on() -> None:
    (told,) = advice(a_report(best_update=2))
    assert "agentgym train --env webshop --model runs/mine --output NEW" in told
    assert advice(a_report(best_update=2), looks=(0.3, 0.3)) == []
    assert advice(a_report(best_update=2), looks=(0.3,)) == []
    assert advice(a_report(best_update=0), entropies=()) == []


def test_groups_of_equal_rewards_are_counted() -> None:
    (told,) = advice(a_report(ledger={"trained": 20, "rejected: equal rewards": 80, "problem": "lost"}))
    assert told.startswith("In 80 of 100 groups all rewards were equal")


def test_a_reward_without_success_is_told() -> None:
    report = a_report()
    report["eval"]["after"]["reward"] = 0.75
    assert advice(report) == ["The reward rose and success did not: let success count for more (--rewards.success)"]
    report["eval"]["after"]["success"] = 0.5
    assert advice(report) == []


def test_a_policy_that_hardly_varies_is_told() -> None:
    (told,) = advice(entropies=(1.0, 0.25))
    assert told.startswith("The policy hardly varies any more (entropy 1.000, at the end 0.250)")


def test_actions_without_effect_are_told() -> None:
    report = a_report()
    report["eval"]["after"]["invalid_turns"] = 0.5
    (told,) = advice(report)
    assert told.startswith("50% of its actions have no effect")
