"""Runs, and their curves."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from typing import Any

from agentgym.alarms import AlarmSettings, alarms_of
from agentgym.viewer.sources import Source, Sources

__all__ = ["curves", "pulse", "report", "runs"]

_NO_METRIC = ("stage", "update", "time")
_LATELY = 120
"""Seconds without a line after which a run that is not finished is no longer said to be going on."""


def runs(sources: Sources) -> list[dict[str, Any]]:
    """What each of the sources is and how far it has come."""
    return [_run(place, source) for place, source in enumerate(sources)]


def pulse(sources: Sources) -> list[list[int]]:
    """Of each source how much it has: the page asks for anything else again when that has changed."""
    return [list(source.size()) for source in sources]


def curves(sources: Sources, *, run: int = 0) -> dict[str, Any]:
    """The numbers of metrics.jsonl: stage → metric → [update, value] in the order of writing, and the alarms."""
    source = sources.at(run)
    lines = source.metrics()
    return {"stages": series(lines), "alarms": alarms(source, lines)}


def report(sources: Sources, *, run: int = 0) -> dict[str, Any]:
    """The outcome of a run, and its settings; ``report`` is null until it is finished."""
    source = sources.at(run)
    return {"config": source.config, "report": source.report()}


def series(lines: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, list[list[float]]]]:
    """By stage and metric; numbers that are none are left out."""
    found: dict[str, dict[str, list[list[float]]]] = {}
    for line in lines:
        stage = found.setdefault(line["stage"], {})
        for name, value in line.items():
            if name not in _NO_METRIC and math.isfinite(value):
                stage.setdefault(name, []).append([line["update"], value])
    return found


def alarms(source: Source, lines: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Those that went off, by the rules of the run."""
    settings = AlarmSettings.model_validate(source.config.get("alarms", {}))
    return [alarm.as_dict() for alarm in alarms_of(lines, settings)]


def _run(place: int, source: Source) -> dict[str, Any]:
    lines, config = source.metrics(), source.config
    with source.asking() as episodes:
        num_episodes = sum(episodes.values("split").values())
    latest = {line["stage"]: line for line in lines}
    seen = latest.get("validation") or latest.get("train") or (lines[-1] if lines else {})
    finished = source.report()
    return {
        "run": place,
        "name": source.name,
        "path": str(source.path),
        "is_run": source.is_run,
        "env": config.get("env", {}).get("id"),
        "trainer": config.get("trainer", {}).get("id"),
        "model": config.get("model", {}).get("id"),
        "seed": config.get("seed"),
        "episodes": num_episodes,
        "stage": lines[-1]["stage"] if lines else None,
        "update": max((line["update"] for line in lines if line["stage"] == "train"), default=None),
        "updates": config.get("updates"),
        "success": seen.get("success"),
        "reward": seen.get("reward"),
        "finished": finished is not None,
        "going_on": finished is None and bool(lines) and time.time() - lines[-1].get("time", 0) < _LATELY,
        "alarms": len(alarms(source, lines)) if lines else 0,
    }
