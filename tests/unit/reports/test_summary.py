"""The page that a person reads of a finished run, by numbers made by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from agentgym.reports import summary_page, told_gain

CONFIG = {"env": {"id": "webshop"}, "trainer": {"id": "grpo"}, "model": {"id": "nano"}, "seed": 3}
LOOKS: list[dict[str, Any]] = [
    {"stage": "validation", "update": 0, "forward_kl": -0.0001, "forward_kl_error": 0.0},
    {"stage": "train", "update": 5, "forward_kl": 7.0, "forward_kl_error": 0.0},
    {"stage": "validation", "update": 10, "forward_kl": 0.25, "forward_kl_error": 0.01},
    {"stage": "validation", "update": 20, "forward_kl": 9.5, "forward_kl_error": 0.02},
    {"stage": "validation", "update": 30, "success": 0.5},
]
ALARM: dict[str, Any] = {
    "name": "entropy_collapse",
    "metric": "sampled_entropy",
    "update": 7,
    "value": 0.0123456,
    "threshold": 0.05,
    "advice": "stop here",
    "until": None,
}


def score(success: float, low: float, high: float, **more: Any) -> dict[str, Any]:
    return {"success": success, "ci95": [low, high], "reward": 2 * success, "episodes": 50, **more}


BEFORE = score(0.25, 0.125, 0.375, greedy=score(0.375, 0.25, 0.5), episodes=40)
AFTER = score(0.75, 0.5, 0.875, greedy=score(0.625, 0.375, 0.75))


def told(after: dict[str, Any] = AFTER, metrics: list[dict[str, Any]] = LOOKS, **more: Any) -> str:
    report = {
        "eval": {"before": BEFORE, "after": after},
        "gain": {
            "sampled": {"success": 0.5, "ci95": [0.25, 0.625], "tasks": 50},
            "greedy": {"success": 0.25, "ci95": [0.0, 0.375], "tasks": 50},
        },
        "stages": {"warm_start": {"updates": 8, "seconds": 1.5}, "train": {"updates": 20, "seconds": 3.5}},
        "num_parameters": 1234567,
        "best_update": 10,
        "alarms": [],
        **more,
    }
    return summary_page(CONFIG, report, metrics, Path("runs/mine"))


def test_the_whole_page() -> None:
    page = told(alarms=[ALARM, {**ALARM, "name": "refused_update", "update": 8, "until": 9, "advice": "go on"}])
    assert (
        page
        == """# webshop: grpo, seed 3

Model: nano, 1,234,567 parameters.
Warm start: 8 updates, 1.5 s.
Training: 20 updates, 3.5 s.
Kept: the policy after update 10, the best on the validation tasks.

| test success | before | after |
|---|---|---|
| sampled | 0.250 (0.125 to 0.375) | 0.750 (0.500 to 0.875) |
| greedy | 0.375 (0.250 to 0.500) | 0.625 (0.375 to 0.750) |

95 % intervals over 50 tasks. Reward, sampled: 0.500 before, 1.500 after.
Success on the same 50 tasks with the same seeds, compared task by task: sampled, it rose by 0.500 (0.250 to 0.625); \
greedy, it changed by +0.250 (+0.000 to +0.375), which may be chance.

KL(base ‖ policy), the distance from where training began, in nats a token: kept 0.250 ± 0.010, last 9.500 ± 0.020.

## Verdict

Sampled success rose and greedy success did not: it errs less when it samples, and knows no more.

## Alarms

- entropy collapse, update 7 to the end: sampled_entropy 0.01235, bound 0.05. Stop here.
- refused update, update 8 to 9: sampled_entropy 0.01235, bound 0.05. Go on.

## To look at

- `curves.png`: success, reward, entropy, groups; dotted lines are alarms.
- `agentgym export runs/mine -o episodes.jsonl`: the episodes of training and measuring, one a line.
- `tensorboard --logdir runs/mine`: all numbers of `metrics.jsonl`.
- `agentgym play webshop --model runs/mine`: the policy at play.

## Words

- reward: the environment's own, summed over an episode; what `--rewards` add for training is not in it.
- void: an episode whose environment broke, also when it was tried anew, or that took too long; it is counted as void \
and as nothing else.
- fate, in `ledger.jsonl`: what became of a task of training. It was trained, or rejected for the reason that is \
given: with equal rewards, a group of episodes has nothing to tell apart.
"""
    )


def test_the_verdict_is_followed_by_what_to_try() -> None:
    ledger = {"trained": 1, "rejected: equal rewards": 4}
    assert "\nTo try next:\n\n- In 4 of 5 groups all rewards were equal" in told(ledger=ledger)
    assert "Verdict" not in told(gain={})


def test_the_expert_that_was_imitated_stands_beside_the_policy() -> None:
    page = told(teacher=score(0.5, 0.25, 0.625))
    assert "\n| test success | before | after | expert that was imitated |\n|---|---|---|---|\n" in page
    assert "| sampled | 0.250 (0.125 to 0.375) | 0.750 (0.500 to 0.875) | 0.500 (0.250 to 0.625) |\n" in page


def test_it_is_said_why_the_warm_start_ended() -> None:
    stages = {"warm_start": {"updates": 8, "seconds": 1.5, "ended": "enough"}, "train": {"updates": 1, "seconds": 1}}
    assert "\nWarm start: 8 updates, 1.5 s; enough.\n" in told(stages=stages)


def test_how_episodes_ended_and_what_became_of_the_tasks_is_said_where_it_is_known() -> None:
    after = {**AFTER, "unread_turns": 0.125, "invalid_turns": 0.5, "stop_reasons": {"terminated": 3, "env_error": 1}}
    page = told(after=after, ledger={"trained": 5, "rejected: void": 2})
    assert (
        "\nSampled, after: 12.5% of the replies could not be read, 50.0% of the actions had no effect; "
        "ended: terminated 3, env_error 1.\n"
    ) in page
    assert "Sampled, before:" not in page
    assert "\nTasks of training: 5 trained, 2 rejected: void.\n" in page
    assert "Tasks of training" not in told(ledger={"problem": "lost"})


@pytest.mark.parametrize(
    ("change", "low", "high", "said"),
    [
        (0.25, 0.001, 0.5, "rose by 0.250 (0.001 to 0.500)"),
        (0.25, 0.0, 0.5, "changed by +0.250 (+0.000 to +0.500), which may be chance"),
        (-0.25, -0.5, -0.001, "fell by 0.250 (0.001 to 0.500)"),
        (-0.25, -0.5, 0.0, "changed by -0.250 (-0.500 to +0.000), which may be chance"),
        (0.0, -0.1, 0.1, "changed by +0.000 (-0.100 to +0.100), which may be chance"),
    ],
)
def test_a_gain_rose_or_fell_where_its_interval_says_so(change: float, low: float, high: float, said: str) -> None:
    assert told_gain({"success": change, "ci95": [low, high], "tasks": 50}) == said


def test_a_report_without_gains_says_nothing_of_them() -> None:
    assert "task by task" not in told(gain={})


NO_GAIN = "No look at the validation tasks was better than the first: training changed nothing that is kept."


@pytest.mark.parametrize(
    ("best", "updates", "said"),
    [
        (0, 20, [NO_GAIN]),
        (0, 0, ["Kept: the policy after update 0, the best on the validation tasks."]),
        (20, 20, ["Kept: the policy after update 20, the best on the validation tasks."]),
        (None, 20, []),
    ],
)
def test_what_is_kept(best: int | None, updates: int, said: list[str]) -> None:
    page = told(best_update=best, stages={"train": {"updates": updates, "seconds": 2.0}})
    head = page.partition("| test success")[0].splitlines()
    assert head[2:] == ["Model: nano, 1,234,567 parameters.", f"Training: {updates} updates, 2.0 s.", *said, ""]


@pytest.mark.parametrize(
    ("metrics", "best", "said"),
    [
        (LOOKS[:1], 0, "kept 0.000 ± 0.000, last 0.000 ± 0.000."),  # as much as nothing, whatever its sign
        (LOOKS[:1], 10, "last 0.000 ± 0.000."),
        (LOOKS, None, "last 9.500 ± 0.020."),
        ([{"stage": "validation", "update": 0, "forward_kl": 0.5}], 0, "kept 0.500, last 0.500."),
    ],
)
def test_how_far_it_has_moved(metrics: list[dict[str, Any]], best: int | None, said: str) -> None:
    (line,) = (line for line in told(metrics=metrics, best_update=best).splitlines() if line.startswith("KL"))
    assert line.partition("a token: ")[2] == said


def test_without_looks_at_the_divergence_nothing_is_said_of_it() -> None:
    page = told(metrics=[LOOKS[1], LOOKS[4]])
    assert "KL(" not in page
    assert "## Alarms\n\nNone went off.\n" in page
