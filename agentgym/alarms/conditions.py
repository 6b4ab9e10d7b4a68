"""What is watched: conditions on the lines of metrics.jsonl, each of which says what is wrong or that nothing is.

A condition looks at the lines that have the metrics it watches, one after the other, oldest first.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, NamedTuple, TypeAlias

from agentgym.alarms.bounds import Bounds

__all__ = [
    "Bound",
    "Breach",
    "Condition",
    "Line",
    "above",
    "disagrees",
    "engine_is_stale",
    "entropy_collapsed",
    "equal_groups",
    "forgets",
    "gradient_explodes",
    "kl_runs_away",
    "refused",
    "replies_explode",
    "replies_shrink",
    "reward_collapsed",
    "risen",
    "stands_still",
    "success_collapsed",
]

Line: TypeAlias = Mapping[str, Any]
"""One line of metrics.jsonl: "stage", "update" and numbers by name."""


class Breach(NamedTuple):
    """What is wrong."""

    value: float
    bound: float


Condition: TypeAlias = Callable[[Sequence[Line], Bounds], Breach | None]
Bound: TypeAlias = Callable[[Bounds], float | None]


def above(metric: str, bound_of: Bound) -> Condition:
    """The mean over a window is above a bound."""

    def condition(lines: Sequence[Line], settings: Bounds) -> Breach | None:
        recent, bound = _recent(lines, metric, settings), bound_of(settings)
        if not recent or bound is None or not statistics.fmean(recent) > bound:
            return None
        return Breach(statistics.fmean(recent), bound)

    return condition


def risen(metric: str) -> Condition:
    """A share has risen since the first update."""

    def condition(lines: Sequence[Line], settings: Bounds) -> Breach | None:
        seen = _since_first(lines, metric, settings)
        if seen is None or not seen[1] > seen[0] + settings.rise:
            return None
        return Breach(seen[1], seen[0] + settings.rise)

    return condition


def equal_groups(cause: Literal["solved", "lost", "hard"]) -> Condition:
    """Hardly a group is informative in any update of a window, for that cause.

    Solved: the episodes succeed. Lost: groups were informative in the first update, and the reward has fallen since.
    """

    def condition(lines: Sequence[Line], settings: Bounds) -> Breach | None:
        recent = _recent(lines, "informative_groups", settings)
        if not recent or max(recent) > settings.informative_groups or _cause(lines, settings) != cause:
            return None
        return Breach(statistics.fmean(recent), settings.informative_groups)

    return condition


def _cause(lines: Sequence[Line], settings: Bounds) -> str:
    if statistics.fmean(_recent(lines, "success", settings)) >= 0.5:
        return "solved"
    was_informative = lines[0]["informative_groups"] > settings.informative_groups
    has_fallen = statistics.fmean(_recent(lines, "reward", settings)) < lines[0]["reward"]
    return "lost" if was_informative and has_fallen else "hard"


def entropy_collapsed(lines: Sequence[Line], settings: Bounds) -> Breach | None:
    seen = _since_first(lines, "sampled_entropy", settings)
    if seen is None or not seen[1] < seen[0] * settings.entropy:
        return None
    is_solved = statistics.fmean(_recent(lines, "success", settings)) >= settings.solved
    return None if is_solved else Breach(seen[1], seen[0] * settings.entropy)


def kl_runs_away(lines: Sequence[Line], settings: Bounds) -> Breach | None:
    recent = _recent(lines, "reference_kl", settings)
    before = _recent(lines[: -settings.window], "reference_kl", settings)
    if not (recent and before):
        return None
    bound = max(settings.kl_growth * statistics.fmean(before), 0.1 * settings.reference_kl)
    return Breach(statistics.fmean(recent), bound) if statistics.fmean(recent) > bound else None


def gradient_explodes(lines: Sequence[Line], settings: Bounds) -> Breach | None:
    """The median of a window against that of the four windows before it; one outlier is what clipping is for."""
    recent = _recent(lines, "grad_norm", settings)
    before = [line["grad_norm"] for line in lines[-5 * settings.window : -settings.window]]
    if len(before) < settings.window:
        return None
    bound = settings.grad_norm * statistics.median(before)
    return Breach(statistics.median(recent), bound) if statistics.median(recent) > bound else None


def stands_still(lines: Sequence[Line], settings: Bounds) -> Breach | None:
    """In every update of a window; one whose learning rate is 0, as at the end of a schedule, is to change nothing."""
    recent = _recent([line for line in lines if line["learning_rate"] > 0], "moved", settings)
    if not recent or lines[-1]["learning_rate"] == 0 or max(recent) >= settings.moved:
        return None
    return Breach(statistics.fmean(recent), settings.moved)


def replies_explode(lines: Sequence[Line], settings: Bounds) -> Breach | None:
    seen = _since_first(lines, "tokens_per_reply", settings)
    if seen is None or not seen[1] > seen[0] * settings.reply_growth:
        return None
    return Breach(seen[1], seen[0] * settings.reply_growth)


def replies_shrink(lines: Sequence[Line], settings: Bounds) -> Breach | None:
    seen = _since_first(lines, "tokens_per_reply", settings)
    if seen is None or not seen[1] < seen[0] / settings.reply_growth:
        return None
    return Breach(seen[1], seen[0] / settings.reply_growth)


def disagrees(lines: Sequence[Line], settings: Bounds) -> Breach | None:
    """Only in updates whose tokens were all sampled by the weights that are trained: others differ on purpose."""
    fresh = [line for line in lines[-settings.window :] if line["staleness"] == 0]
    return above("mismatch", lambda settings: settings.mismatch)(fresh, settings)


def engine_is_stale(lines: Sequence[Line], settings: Bounds) -> Breach | None:
    """At once: weights that are behind do not catch up by themselves."""
    gap, bound = lines[-1]["engine_gap"], settings.mismatch
    return Breach(gap, bound) if bound is not None and gap > bound else None


def refused(lines: Sequence[Line], settings: Bounds) -> Breach | None:
    refused = lines[-1]["refused"]
    return Breach(refused, 0.0) if refused else None


def success_collapsed(lines: Sequence[Line], settings: Bounds) -> Breach | None:
    """The interval of the last look lies below that of the best one.

    A mere fall below the best look would not do: the best of many looks is a lucky one.
    """
    best, now = max(lines, key=lambda line: line["success"]), lines[-1]
    return Breach(now["success"], best["success_low"]) if now["success_high"] < best["success_low"] else None


def reward_collapsed(lines: Sequence[Line], settings: Bounds) -> Breach | None:
    """The same for the mean reward, where success does not say it already."""
    best, now = max(lines, key=lambda line: line["reward"]), lines[-1]
    highest, bound = now["reward"] + 1.96 * now["reward_error"], best["reward"] - 1.96 * best["reward_error"]
    if not highest < bound or success_collapsed(lines, settings) is not None:
        return None
    return Breach(now["reward"], bound)


def forgets(lines: Sequence[Line], settings: Bounds) -> Breach | None:
    surely = lines[-1]["forward_kl"] - 2 * lines[-1]["forward_kl_error"]
    if settings.forward_kl is None or not surely > settings.forward_kl:
        return None
    return Breach(lines[-1]["forward_kl"], settings.forward_kl)


# -- windows -------------------------------------------------------------------------------------------


def _recent(lines: Sequence[Line], metric: str, settings: Bounds) -> list[float]:
    """The metric in the last window; empty when there are fewer lines."""
    num = settings.window
    return [line[metric] for line in lines[-num:]] if len(lines) >= num else []


def _since_first(lines: Sequence[Line], metric: str, settings: Bounds) -> tuple[float, float] | None:
    """The metric in the first update, when the stage's own policy played, and its mean over the last window."""
    recent = _recent(lines[1:], metric, settings)
    return (lines[0][metric], statistics.fmean(recent)) if recent else None
