"""The curves of several runs together: those that differ in their seed alone are one curve, with its spread."""

from __future__ import annotations

import bisect
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, TypeAlias

from pydantic import BaseModel

from agentgym import sealed
from agentgym.config import flattened
from agentgym.errors import UserError
from agentgym.run import Run

__all__ = ["By", "Curve", "curves", "curves_table", "differing"]

By: TypeAlias = Literal["updates", "steps"]

_OF_THE_SEED = frozenset({"seed", "output", "threads", "keep_checkpoints", "checkpoint_seconds", "watchdog_seconds"})
"""Settings in which the runs of one curve may differ."""
_MAX_DIFFERENCES = 4
"""Settings in a curve's name; what else differs is counted."""


class Curve(BaseModel):
    """Runs that differ in their seed alone."""

    name: str
    """In which settings they differ from the other curves' runs."""
    runs: list[str]
    at: list[float]
    """Updates, or environment steps (a mean over the runs), at which all of the runs have the metric."""
    mean: list[float]
    low: list[float]
    """The lowest of the runs."""
    high: list[float]
    test: list[float]
    """Success on the test tasks of each run that is finished, sampled."""


def curves(
    runs: Sequence[Path], *, metric: str = "success", stage: str = "validation", by: By = "updates"
) -> list[Curve]:
    """A curve for each of the settings found. Raises UserError where a run has not the metric in that stage."""
    opened = [Run.open(run) for run in runs]
    names = differing([run.config for run in opened])
    lines = [_line(run, metric, stage) for run in opened]
    groups: dict[str, list[int]] = {}
    for index, name in enumerate(names):
        groups.setdefault(name, []).append(index)
    return [_curve(name, [opened[i] for i in own], [lines[i] for i in own], by) for name, own in groups.items()]


def differing(configs: Sequence[dict[str, Any]]) -> list[str]:
    """For each of the settings what it has and not all of the others have; equal names are of equal settings.

    What differs between the seeds of one experiment is left out.
    """
    flat = [{key: value for key, value in flattened(config) if key not in _OF_THE_SEED} for config in configs]
    keys = sorted({key for each in flat for key in each if len({other.get(key) for other in flat}) > 1})
    shown = sorted(keys, key=lambda key: (key.count("."), key))[:_MAX_DIFFERENCES]
    told = [", ".join(f"{key} {each[key]}" for key in shown if key in each) for each in flat]
    if len(keys) <= _MAX_DIFFERENCES:
        return told
    kinds = [tuple(each.get(key) for key in keys) for each in flat]
    order = list(dict.fromkeys(kinds))
    more = len(keys) - _MAX_DIFFERENCES
    return [f"{order.index(kind) + 1}: {name} and {more} more" for kind, name in zip(kinds, told, strict=True)]


def _line(run: Run, metric: str, stage: str) -> dict[int, float]:
    """Update → the metric."""
    metrics = run.metrics()
    found = {line["update"]: line[metric] for line in metrics if line["stage"] == stage and metric in line}
    if not found:
        have = sorted({key for line in metrics if line["stage"] == stage for key in line} - {"stage", "update"})
        raise UserError(
            f'{run.directory} has no "{metric}" in the stage "{stage}"; '
            f"found {', '.join(have) or 'nothing of that stage'}; type such as --metric success --stage validation"
        )
    return found


def _curve(name: str, runs: Sequence[Run], lines: Sequence[dict[int, float]], by: By) -> Curve:
    updates = sorted(set.intersection(*(set(line) for line in lines)))
    values = [[line[update] for line in lines] for update in updates]
    at = [float(update) for update in updates]
    if by == "steps":
        steps = [_steps(run, updates) for run in runs]
        at = [statistics.fmean(each) for each in zip(*steps, strict=True)]
    return Curve(
        name=name,
        runs=[str(run.directory) for run in runs],
        at=at,
        mean=[statistics.fmean(each) for each in values],
        low=[min(each) for each in values],
        high=[max(each) for each in values],
        test=[found for run in runs if (found := _test(run)) is not None],
    )


def _steps(run: Run, updates: Sequence[int]) -> list[float]:
    """Environment steps that the trainer had taken after each of ``updates``."""
    taken = [line for line in run.metrics() if line["stage"] == "train" and "environment_steps" in line]
    known, total = [0], [0.0]
    for line in taken:
        known.append(line["update"])
        total.append(total[-1] + line["environment_steps"])
    return [total[bisect.bisect_right(known, update) - 1] for update in updates]


def _test(run: Run) -> float | None:
    file = run.directory / "report.json"
    if not file.is_file():
        return None
    after = sealed.read_json(file).get("eval", {}).get("after")
    return None if after is None else float(after["success"])


def curves_table(found: Sequence[Curve]) -> Any:
    """For a terminal."""
    from rich.table import Table

    table = Table("runs that have", "seeds", "first", "highest", "last", "lowest to highest of the last", "test")
    for each in found:
        ends = f"{each.low[-1]:.3f} to {each.high[-1]:.3f}" if each.at else ""
        row = [f"{value:.3f}" for value in (each.mean[0], max(each.mean), each.mean[-1])] if each.at else [""] * 3
        table.add_row(each.name or "the same settings", str(len(each.runs)), *row, ends, _mean(each.test))
    return table


def _mean(values: Sequence[float]) -> str:
    return f"{statistics.fmean(values):.3f} ({len(values)})" if values else ""
