"""The same task across updates and runs, and two runs compared task by task."""

from __future__ import annotations

from typing import Any

from agentgym.archive import Criteria
from agentgym.errors import UserError
from agentgym.viewer.episodes import card_told
from agentgym.viewer.sources import Sources

__all__ = ["compare", "task"]

_EPISODES = 400
"""Of one task and run that are told."""


def task(sources: Sources, *, task: str, env: str = "") -> dict[str, Any]:
    """All episodes of ``task`` in all runs, in the order of writing."""
    found = []
    for place, source in enumerate(sources):
        with source.asking() as archive:
            wanted = Criteria.of({"task": task, "env": env})
            cards = archive.browse(wanted, limit=_EPISODES)
            found.append({"run": place, "total": archive.tally(wanted), "rows": [card_told(card) for card in cards]})
    return {"task": task, "runs": found}


def compare(sources: Sources, *, first: int = 0, second: int = 1) -> list[dict[str, Any]]:
    """By how much run ``second`` succeeds more often than ``first`` on the test tasks of both, as ``agentgym compare``
    says it, and each of those tasks with the success of either."""
    from agentgym.launch.comparing import compare as compared
    from agentgym.launch.comparing import successes

    if len(sources) < 2:
        raise UserError("one run is open, and two are compared; type: agentgym view RUN_A RUN_B")
    paths = [sources.at(place).path for place in (first, second)]
    seen = [successes(path) for path in paths]
    told = []
    for each in compared(paths[:1], paths[1:]):
        was, now = (found[each.how] for found in seen)
        tasks: list[dict[str, Any]] = [
            {"task": name, "first": was[name], "second": now[name], "difference": now[name] - was[name]}
            for name in sorted(was.keys() & now.keys(), key=str)
        ]
        told.append({**each.model_dump(mode="json"), "by_task": sorted(tasks, key=lambda row: row["difference"])})
    return told
