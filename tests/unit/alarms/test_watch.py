"""When an alarm begins and ends, what it says then, and what is known of a run beside what is logged."""

from __future__ import annotations

import statistics
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentgym.alarms import Alarm, Watch, alarms_of, played, ranges
from agentgym.types import Role, Sample, StopReason, Trajectory, Turn
from tests.unit.alarms.lines import BOUNDS, looks, train


def test_an_alarm_begins_once_and_ends_once() -> None:
    watch = Watch(BOUNDS)
    told = [
        [(alarm.name, alarm.until) for alarm in watch.see(line)]
        for line in train(clip_fraction=[0.9, 0.9, 0.9, 0.9, 0.0, 0.0, 0.9, 0.9])
    ]
    name = "clipped_too_often"  # means of three from the third on: 0.9, 0.9, 0.6, 0.3, 0.3, 0.6
    assert told == [[], [], [(name, None)], [], [], [(name, 6)], [], [(name, None)]]
    assert [(alarm.update, alarm.until) for alarm in watch.alarms] == [(3, 6), (8, None)]


def test_each_rule_goes_on_and_off_by_itself() -> None:
    watch = Watch(BOUNDS)
    told = [
        [(alarm.name, alarm.until) for alarm in watch.see(line)]
        for line in train(clip_fraction=[0.9, 0.9, 0.9, 0.0, 0.0], old_kl=[0.0, 0.9, 0.9, 0.9, 0.9])
    ]
    # means of three: clipped 0.9, 0.6, 0.3; old KL 0.6, 0.9, 0.9
    assert told == [[], [], [("steps_too_large", None), ("clipped_too_often", None)], [], [("clipped_too_often", 5)]]
    assert [(alarm.name, alarm.update, alarm.until) for alarm in watch.alarms] == [
        ("steps_too_large", 3, None),
        ("clipped_too_often", 3, 5),
    ]


def test_an_alarm_says_what_its_rule_saw_and_advises() -> None:
    (alarm,) = Watch(BOUNDS).see({"stage": "train", "update": 7, "refused": 2.0})
    assert alarm.as_dict() == {
        "name": "refused_update",
        "metric": "refused",
        "update": 7,
        "value": 2.0,
        "threshold": 0.0,
        "advice": "loss or gradient was not finite and nothing was changed: lower --trainer.learning_rate, and look at "
        "the refused-update file",
        "until": None,
    }


def test_an_alarm_keeps_the_value_with_which_it_began() -> None:
    watch = Watch(BOUNDS)
    for line in train(clip_fraction=[0.5, 0.5, 0.5, 1.0, 1.0]):
        watch.see(line)
    (alarm,) = watch.alarms
    assert (alarm.update, alarm.value, alarm.threshold) == (3, 0.5, 0.3)


def test_a_watch_looks_at_windows_of_five_unless_told_otherwise() -> None:
    history = train(clip_fraction=[0.5] * 6)
    (alarm,) = alarms_of(history)
    assert alarm.update == 5
    assert alarms_of(history[:4]) == []


def test_what_was_seen_is_left_as_it_is() -> None:
    line = {"stage": "train", "update": 1, "turns": 2.0, "reply_tokens": 8.0}
    Watch(BOUNDS).see(line)
    assert line == {"stage": "train", "update": 1, "turns": 2.0, "reply_tokens": 8.0}


def test_updates_without_turns_or_episodes_say_nothing_of_them() -> None:
    lines = train(
        turns=[0.0] * 4, reply_tokens=[0.0] * 4, episodes=[0.0] * 4, void=[0.0] * 4, shaping_failures=[0.0] * 4
    )
    assert alarms_of(lines, BOUNDS, max_reply_tokens=20) == []


def test_where_every_episode_is_void_or_unjudged_that_is_told() -> None:
    lines = train(episodes=[0.0] * 3, void=[4.0] * 3)
    assert [(alarm.name, alarm.value) for alarm in alarms_of(lines, BOUNDS)] == [("void_episodes", 1.0)]
    lines = train(episodes=[4.0] * 3, shaping_failures=[3.0] * 3)
    assert [(alarm.name, alarm.value) for alarm in alarms_of(lines, BOUNDS)] == [("judges_fail", 0.75)]


def test_updates_without_the_metric_are_passed_over() -> None:
    history = train(clip_fraction=[0.9, 0.9, 0.9])
    gaps = [{"stage": "train", "update": 9, "success": 0.0}]
    (alarm,) = alarms_of([history[0], *gaps, history[1], *gaps, *gaps, history[2], *gaps], BOUNDS)
    assert (alarm.update, alarm.until) == (3, None)


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


WATCHED = {
    "train": "success reward sampled_entropy entropy grad_norm clip_fraction old_kl reference_kl mismatch "
    "informative_groups group_deviation turns reply_tokens truncated invalid void shaping_failures staleness",
    "validation": "success reward forward_kl",
}


def test_the_report_has_a_range_of_all_that_explains_a_run() -> None:
    """And of nothing else."""
    names = [*" ".join(WATCHED.values()).split(), "loss", "seconds", "tokens_per_reply"]
    history = [{"stage": stage, "update": 1, **dict.fromkeys(names, 2.0)} for stage in (*WATCHED, "warm_start")]
    assert {stage: list(of_stage) for stage, of_stage in ranges(history).items()} == {
        stage: names.split() for stage, names in WATCHED.items()
    }


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
