"""Lines of metrics.jsonl, made by hand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from agentgym.alarms import AlarmSettings

__all__ = ["BOUNDS", "entropies", "groups", "looks", "mismatches", "replies", "rewards", "train"]

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
