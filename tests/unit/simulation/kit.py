"""Small plans and workloads."""

from __future__ import annotations

from typing import Any

from agentgym.simulation import Constant, Lognormal, Plan, Speed, Workload

__all__ = ["plan", "workload"]


def plan(**changes: Any) -> Plan:
    """Four updates of two groups of two are measured, more where more is played ahead."""
    staleness = changes.get("max_staleness", 0)
    settings = {"actors": 4, "groups": 2, "group_size": 2, "updates": 2 * staleness + 8, **changes}
    return Plan(**settings)


def workload(**changes: Any) -> Workload:
    """An episode is one turn of a second, whose reply takes no time."""
    settings = {
        "turns": Constant(1),
        "reply_tokens": Constant(1),
        "step": Constant(1.0),
        "speed": Speed(0.0, 0.0),
        "learn": 0.25,
        **changes,
    }
    return Workload(**settings)


UNEVEN = {"turns": Constant(3), "step": Lognormal(0.3, 1.0), "speed": Speed(0.01, 0.001), "reply_tokens": Constant(5)}
"""Changes to a workload: the slowest of many episodes takes far longer than they do on the mean."""
