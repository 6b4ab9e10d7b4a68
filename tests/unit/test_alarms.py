"""Every rule by a history that fires it and by one that just does not."""

from __future__ import annotations

import re
import statistics
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from agentgym.alarms import RULES, Alarm, AlarmSettings, Watch, alarms_of, played, ranges
from agentgym.launch.settings import TrainSettings
from agentgym.registry import plugins
from agentgym.types import Role, Sample, StopReason, Trajectory, Turn

BOUNDS = AlarmSettings(window=3, mismatch=1e-3, forward_kl=0.5)


def train(**series: Sequence[float]) -> list[dict[str, Any]]:
    """Lines of updates 1, 2, ... with the values of each metric in turn."""
    (num,) = {len(values) for values in series.values()}
    return [
        {"stage": "train", "update": i + 1, **{name: values[i] for name, values in series.items()}} for i in range(num)
    ]


def looks(**series: Sequence[float]) -> list[dict[str, Any]]:
    """Lines of looks at the validation tasks, after updates 0, 10, ..."""
    lines = train(**series)
    return [{**line, "stage": "validation", "update": 10 * i} for i, line in enumerate(lines)]


def entropies(*values: float, success: float = 0.2) -> list[dict[str, Any]]:
    return train(sampled_entropy=values, success=[success] * len(values))


def groups(*values: float, success: float, reward: Sequence[float] = ()) -> list[dict[str, Any]]:
    num = len(values)
    return train(informative_groups=values, success=[success] * num, reward=reward or [0.3] * num)


def replies(*values: float) -> list[dict[str, Any]]:
    """Two turns an episode, so a reply has half of the tokens."""
    return train(reply_tokens=[2 * value for value in values], turns=[2.0] * len(values))


def mismatches(*values: float, staleness: float = 0.0) -> list[dict[str, Any]]:
    return train(mismatch=values, staleness=[staleness] * len(values))


def rewards(*values: float, errors: Sequence[float], success: Sequence[float] = ()) -> list[dict[str, Any]]:
    success = success or [0.1] * len(values)
    low, high = [max(0.0, each - 0.1) for each in success], [each + 0.1 for each in success]
    return looks(reward=values, reward_error=errors, success=success, success_low=low, success_high=high)


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
    assert alarm.metric == next(rule.metric for rule in RULES if rule.name == name)


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


def test_an_alarm_begins_once_and_ends_once() -> None:
    watch = Watch(BOUNDS)
    told = [
        [(alarm.name, alarm.until) for alarm in watch.see(line)]
        for line in train(clip_fraction=[0.9, 0.9, 0.9, 0.9, 0.0, 0.0, 0.9, 0.9])
    ]
    name = "clipped_too_often"  # means of three from the third on: 0.9, 0.9, 0.6, 0.3, 0.3, 0.6
    assert told == [[], [], [(name, None)], [], [], [(name, 6)], [], [(name, None)]]
    assert [(alarm.update, alarm.until) for alarm in watch.alarms] == [(3, 6), (8, None)]


def test_updates_without_the_metric_are_passed_over() -> None:
    history = train(clip_fraction=[0.9, 0.9, 0.9])
    gaps = [{"stage": "train", "update": 9, "success": 0.0}]
    (alarm,) = alarms_of([history[0], *gaps, history[1], *gaps, *gaps, history[2], *gaps], BOUNDS)
    assert (alarm.update, alarm.until) == (3, None)


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


def test_what_is_known_of_episodes() -> None:
    def sample(logprobs: list[float], mask: list[bool]) -> Sample:
        num = len(logprobs)
        return Sample(
            token_ids=[1] * num, loss_mask=mask, logprobs=logprobs, turn_index=[0] * num, policy_versions=[3] * num
        )

    def episode(*samples: Sample, role: Role = "policy", stop: StopReason = StopReason.TERMINATED) -> Trajectory:
        return Trajectory(
            env="toy",
            task=0,
            seed=0,
            episode_id="0",
            role=role,
            turns=[Turn(observation="", reply="")],
            samples=list(samples),
            stop_reason=stop,
        )

    said = episode(sample([0.0, -0.5], [False, True]), sample([-1.0, -3.0], [True, True]))
    void = episode(sample([-9.0], [True]), stop=StopReason.ENV_ERROR)
    shown = episode(sample([0.0, 0.0], [True, True]), role="expert")
    # (0.5 + 1 + 3) / 3
    assert played([said, void, shown]) == {"episodes": 2.0, "shaping_failures": 0.0, "sampled_entropy": 1.5}
    assert played([shown, void]) == {"episodes": 1.0, "shaping_failures": 0.0}
    unshaped = shown.model_copy(update={"shaping_error": "no answer"})
    assert played([shown, unshaped]) == {"episodes": 2.0, "shaping_failures": 1.0}


def test_old_samples_may_disagree() -> None:
    assert alarms_of(mismatches(0.5, 0.5, 0.5, staleness=1.0), BOUNDS) == []


@pytest.mark.parametrize(("metric", "field"), [("mismatch", "mismatch"), ("forward_kl", "forward_kl")])
def test_without_a_bound_there_is_no_alarm(metric: str, field: str) -> None:
    history = mismatches(9, 9, 9) + looks(forward_kl=[9.0], forward_kl_error=[0.0])
    names = [alarm.metric for alarm in alarms_of(history, BOUNDS.model_copy(update={field: None}))]
    assert names == [name for name in ("mismatch", "forward_kl") if name != metric]


def test_without_a_limit_replies_are_never_cut() -> None:
    assert alarms_of(replies(18, 18, 19), BOUNDS) == []


def test_the_kl_at_its_beginning_does_not_run_away() -> None:
    assert alarms_of(train(reference_kl=[1e-6, 1e-6, 1e-6, 0.09, 0.09, 0.09]), BOUNDS) == []


def test_one_outlier_of_the_gradient_is_no_explosion() -> None:
    assert alarms_of(train(grad_norm=[0.3] * 12 + [40.0] + [0.3] * 12), BOUNDS) == []


def test_all_of_a_collapse_at_once() -> None:
    history = train(
        sampled_entropy=[1.0, 0.01, 0.01, 0.01],
        reward=[0.3, 0.0, 0.0, 0.0],
        success=[0.3, 0.0, 0.0, 0.0],
        informative_groups=[0.5, 0.0, 0.0, 0.0],
    )
    assert [alarm.name for alarm in alarms_of(history, BOUNDS)] == ["entropy_collapse", "policy_is_lost"]


def test_an_alarm_reads_as_a_sentence() -> None:
    alarm = Alarm(name="refused_update", metric="refused", update=7, value=1.0, threshold=0.0, advice="look")
    assert str(alarm) == "update 7: refused update: refused 1, bound 0; look"


def test_names_to_ignore_are_checked() -> None:
    with pytest.raises(ValidationError, match=r'no alarm "forgeting"\. Did you mean .?forgetting'):
        AlarmSettings(ignore=["forgeting"])


def test_advice_names_settings_that_exist() -> None:
    known = set(TrainSettings.model_fields)
    for name, field in TrainSettings.model_fields.items():
        known |= {f"{name}.{inner}" for inner in getattr(field.annotation, "model_fields", ())}
    for id in plugins("trainers").ids():
        factory: Any = plugins("trainers").get(id)
        known |= {f"trainer.{inner}" for inner in factory.Settings.model_fields}
    named = {key for rule in RULES for key in re.findall(r"--([a-z_.]+[a-z])", rule.advice)}
    assert "trainer.learning_rate" in named
    assert named <= known


def test_ranges_by_hand() -> None:
    history = [
        {"stage": "warm_start", "update": 1, "entropy": 9.0},
        *train(entropy=[0.5, 0.7, 0.1, 0.2], loss=[1.0, 1.0, 1.0, 1.0]),
        {"stage": "alarm", "update": 4, "entropy_collapse": 1.0},
        *looks(success=[0.1, 0.3]),
    ]
    assert ranges(history) == {
        "train": {"entropy": {"first": 0.5, "last": 0.2, "min": 0.1, "max": 0.7}},
        "validation": {"success": {"first": 0.1, "last": 0.3, "min": 0.1, "max": 0.3}},
    }


# -- a second implementation: every prefix looked at anew ----------------------------------------------

SLOW: dict[str, Callable[[list[float]], bool]] = {
    "clip_fraction": lambda seen: len(seen) >= 3 and sum(seen[-3:]) / 3 > 0.3,
    "truncated": lambda seen: len(seen) >= 4 and sum(seen[-3:]) / 3 - seen[0] > 0.25,
    "grad_norm": lambda seen: (
        len(seen) >= 6 and sorted(seen[-3:])[1] > 5 * statistics.median(seen[max(0, len(seen) - 15) : -3])
    ),
}
SHARES = st.lists(st.sampled_from([0.0, 0.125, 0.5, 1.0]), min_size=1, max_size=24)


@pytest.mark.parametrize("metric", SLOW)
@given(values=SHARES)
@settings(max_examples=60, deadline=None)
def test_against_a_slow_reference(metric: str, values: list[float]) -> None:
    on = [SLOW[metric](values[: end + 1]) for end in range(len(values))]
    begins = [i + 1 for i in range(len(on)) if on[i] and not (i and on[i - 1])]
    ends = [i + 1 for i in range(1, len(on)) if on[i - 1] and not on[i]]
    found = alarms_of(train(**{metric: values}), BOUNDS)
    assert [alarm.update for alarm in found] == begins
    assert [alarm.until for alarm in found if alarm.until is not None] == ends


@given(values=SHARES, cut=st.integers(0, 24))
@settings(max_examples=60, deadline=None)
def test_a_watch_that_begins_again_from_the_history_goes_on_alike(values: list[float], cut: int) -> None:
    history = train(clip_fraction=values, truncated=values, grad_norm=values)
    whole, resumed = Watch(BOUNDS), Watch(BOUNDS)
    for line in history[:cut]:
        whole.see(line)
        resumed.see(dict(line))
    assert [whole.see(line) for line in history[cut:]] == [resumed.see(line) for line in history[cut:]]
    assert whole.alarms == resumed.alarms == alarms_of(history, BOUNDS)
