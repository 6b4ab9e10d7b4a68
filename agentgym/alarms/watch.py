"""What went wrong in a run, and when: the rules of ``alarms`` evaluated line by line.

Whether an alarm is on is a pure function of the lines of metrics.jsonl, so nothing is stored for it: a resumed run
reads them again and goes on as if it had not been interrupted. Only the trainer's updates and the looks at the
validation tasks are watched; a warm start has its own rule for when to stop.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Any

import numpy as np

from agentgym.alarms.conditions import Line
from agentgym.alarms.rules import RULES, Rule
from agentgym.alarms.settings import AlarmSettings
from agentgym.types import Trajectory

__all__ = ["Alarm", "Watch", "alarms_of", "played", "ranges"]

_WATCHED: dict[str, tuple[str, ...]] = {
    "train": (
        "success",
        "reward",
        "sampled_entropy",
        "entropy",
        "grad_norm",
        "moved",
        "clip_fraction",
        "old_kl",
        "reference_kl",
        "mismatch",
        "informative_groups",
        "group_deviation",
        "turns",
        "reply_tokens",
        "truncated",
        "invalid",
        "void",
        "shaping_failures",
        "staleness",
    ),
    "validation": ("success", "reward", "forward_kl"),
}


@dataclasses.dataclass(slots=True, kw_only=True)
class Alarm:
    """An alarm that went off."""

    name: str
    metric: str
    update: int
    """Update after which it began."""
    value: float
    """The metric then, as the rule saw it: mostly the mean of a window."""
    threshold: float
    """The bound that it passed."""
    advice: str
    until: int | None = None
    """Update after which it no longer held; None while it does."""

    def as_dict(self) -> dict[str, Any]:
        """As it stands in report.json."""
        return dataclasses.asdict(self)

    def __str__(self) -> str:
        name = self.name.replace("_", " ")
        return (
            f"update {self.update}: {name}: {self.metric} {self.value:.4g}, bound {self.threshold:.4g}; {self.advice}"
        )


class Watch:
    """Evaluates the rules line by line. ``max_reply_tokens`` is the limit of a reply, if there is one."""

    def __init__(self, settings: AlarmSettings, *, max_reply_tokens: int | None = None) -> None:
        self.settings, self.max_reply_tokens = settings, max_reply_tokens
        self.alarms: list[Alarm] = []
        """All that went off, in order."""
        self._rules = [rule for rule in RULES if rule.name not in settings.ignore]
        self._lines: dict[str, list[Line]] = {rule.name: [] for rule in self._rules}
        self._on: dict[str, Alarm] = {}

    def see(self, line: Line) -> list[Alarm]:
        """Take in the next line; returns the alarms that begin (``until`` is None) or end with it."""
        line = {**line, **_derived(line, self.max_reply_tokens)}
        watching = [rule for rule in self._rules if rule.stage == line["stage"] and _has(line, rule)]
        return [alarm for rule in watching if (alarm := self._evaluate(rule, line)) is not None]

    def _evaluate(self, rule: Rule, line: Line) -> Alarm | None:
        self._lines[rule.name].append(line)
        breach = rule.condition(self._lines[rule.name], self.settings)
        running = self._on.get(rule.name)
        if breach is None and running is not None:
            running.until = line["update"]
            return self._on.pop(rule.name)
        if breach is None or running is not None:
            return None
        alarm = Alarm(
            name=rule.name,
            metric=rule.metric,
            update=line["update"],
            value=breach.value,
            threshold=breach.bound,
            advice=rule.advice,
        )
        self.alarms.append(alarm)
        self._on[rule.name] = alarm
        return alarm


def alarms_of(
    history: Iterable[Line], settings: AlarmSettings | None = None, *, max_reply_tokens: int | None = None
) -> list[Alarm]:
    """The alarms of a whole history, in the order in which they began."""
    watch = Watch(settings or AlarmSettings(), max_reply_tokens=max_reply_tokens)
    for line in history:
        watch.see(line)
    return watch.alarms


def ranges(history: Iterable[Line]) -> dict[str, dict[str, dict[str, float]]]:
    """First, last, least and greatest value of each watched metric, by stage."""
    values: dict[str, dict[str, list[float]]] = {stage: {} for stage in _WATCHED}
    for line in history:
        for name in _WATCHED.get(line["stage"], ()):
            if name in line:
                values[line["stage"]].setdefault(name, []).append(line[name])
    return {
        stage: {
            name: {"first": seen[0], "last": seen[-1], "min": min(seen), "max": max(seen)}
            for name, seen in of_stage.items()
        }
        for stage, of_stage in values.items()
    }


def played(trajectories: Iterable[Trajectory]) -> dict[str, float]:
    """What the rules want to know of an update's episodes even when nothing was learned from them.

    "episodes": those that count. "shaping_failures": those of them that a reward could not be told of.
    "sampled_entropy": minus the mean log-probability of the tokens that the policy said itself, which is the entropy in
    expectation; left out where there are none, as with an expert's episodes.
    """
    counted = [trajectory for trajectory in trajectories if not trajectory.stop_reason.is_void]
    said = [sample.logprobs[episode.sampled(sample)] for episode in counted for sample in episode.samples]
    logprobs = np.concatenate([*said, np.zeros(0, np.float32)])
    failures = sum(episode.shaping_error is not None for episode in counted)
    values = {"episodes": float(len(counted)), "shaping_failures": float(failures)}
    return values | {"sampled_entropy": -float(logprobs.mean(dtype=np.float64))} if len(logprobs) else values


# -- what a line says beside what is logged ----------------------------------------------------------


def _has(line: Line, rule: Rule) -> bool:
    return all(name in line for name in (rule.metric, *rule.needs))


def _derived(line: Line, max_reply_tokens: int | None) -> dict[str, float]:
    values = {"refused": line.get("refused", 0.0)}
    if line.get("turns", 0) > 0 and "reply_tokens" in line:
        values["tokens_per_reply"] = line["reply_tokens"] / line["turns"]
        if max_reply_tokens is not None:
            values["reply_fill"] = values["tokens_per_reply"] / max_reply_tokens
    if "episodes" in line and "void" in line:
        values["void_share"] = line["void"] / max(1.0, line["episodes"] + line["void"])
    if "episodes" in line and "shaping_failures" in line:
        values["unshaped_share"] = line["shaping_failures"] / max(1.0, line["episodes"])
    return values
