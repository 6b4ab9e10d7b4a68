"""Finished runs compared: the same test tasks, once by the runs of one side and once by those of the other.

A run is its episodes of the stage "after", or any archive of episodes, as ``agentgym eval --trajectories`` writes.
With one run a side the interval is Newcombe's of paired shares (``intervals``). With several, as of several seeds, runs
and tasks are both samples of those that there might have been: both are drawn anew, with replacement, and the interval
is of the differences found (a bootstrap at two levels). Where the runs of both sides have the same seeds, a seed's two
runs are drawn together. Of two or three runs such an interval is too narrow: they show little of how runs differ.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel

from agentgym import store
from agentgym.archive import Card
from agentgym.errors import UserError
from agentgym.launch.intervals import Limits, paired, rounded
from agentgym.launch.overlay import differing
from agentgym.run import read_config
from agentgym.types import TaskId

__all__ = ["Comparison", "Side", "compare", "comparison_table", "successes"]

HOWS = ("sampled", "greedy")
_RESAMPLES = 10_000

Successes: TypeAlias = dict[TaskId | None, float]
"""Task → share of its episodes that succeed."""


class Side(BaseModel):
    """The runs of one side."""

    runs: list[str]
    success: list[float]
    """Of each run, on the tasks that all runs of both sides played."""


class Comparison(BaseModel):
    """By how much the second side succeeds more often than the first."""

    how: str
    """"sampled" or "greedy"; "all" for episodes that no run measured itself by."""
    tasks: int
    """That every run of both sides played."""
    first: Side
    second: Side
    difference: float
    """Mean success of the second, less that of the first."""
    ci95: tuple[float, float]
    """Its 95 % interval."""
    by_seed: bool
    """The same seeds are on both sides: runs are compared seed by seed."""
    differences: list[str]
    """Settings that are not the same in all runs, and what they are."""


def compare(first: Sequence[Path], second: Sequence[Path]) -> list[Comparison]:
    """Sampled and greedily, as far as all runs have both.

    Raises UserError where the runs have no task in common, and DataError for what holds no episodes.
    """
    seen = {run: successes(run) for run in {*first, *second}}
    hows = [how for how in (*HOWS, "all") if all(how in found for found in seen.values())]
    if not hows:
        told = "; ".join(f"{run}: {', '.join(found) or 'nothing'}" for run, found in seen.items())
        raise UserError(
            f"there is nothing to compare: found {told}; expected runs that are finished, or archives of "
            "agentgym eval --trajectories DIR, the same sort on both sides"
        )
    return [_compared(how, first, second, {run: found[how] for run, found in seen.items()}) for how in hows]


def successes(run: Path) -> dict[str, Successes]:
    """How → success of each test task; "sampled" and "greedy" for a run, "all" for other episodes."""
    is_run = (run / "config.json").is_file()
    with contextlib.closing(store.opened(run)) as found:
        cards = list(found.query(**({"stage": "after"} if is_run else {})))
    episodes: dict[str, dict[TaskId | None, list[Card]]] = {}
    for card in cards:
        how = card.group_id.partition("-")[0] if is_run else "all"
        if not card.stop_reason.is_void:
            episodes.setdefault(how, {}).setdefault(card.task, []).append(card)
    return {
        how: {task: sum(card.success for card in own) / len(own) for task, own in tasks.items()}
        for how, tasks in episodes.items()
    }


def _compared(how: str, first: Sequence[Path], second: Sequence[Path], seen: Mapping[Path, Successes]) -> Comparison:
    common = set.intersection(*(set(found) for found in seen.values()))
    if not common:
        raise UserError(
            f"the runs have no task in common ({how}): {', '.join(map(str, seen))}; "
            "compare runs of one environment, with the same --eval.episodes and --env.<option>"
        )
    tasks = sorted(common, key=str)
    if by_seed := _are_paired(_seeds(first), _seeds(second)):
        first, second = (sorted(runs, key=lambda run: read_config(run)["seed"]) for runs in (first, second))
    was, now = (np.array([[seen[run][task] for task in tasks] for run in runs]) for runs in (first, second))
    is_plain = len(first) == len(second) == 1 and {*was.flat, *now.flat} <= {0.0, 1.0}
    low, high = paired(was[0], now[0]) if is_plain else _bootstrapped(was, now, by_seed=by_seed)
    return Comparison(
        how=how,
        tasks=len(tasks),
        first=Side(runs=[*map(str, first)], success=was.mean(1).round(4).tolist()),
        second=Side(runs=[*map(str, second)], success=now.mean(1).round(4).tolist()),
        difference=round(float(now.mean() - was.mean()), 4),
        ci95=rounded(low, high),
        by_seed=by_seed,
        differences=_differences([*first, *second]),
    )


def _bootstrapped(was: NDArray[np.float64], now: NDArray[np.float64], *, by_seed: bool) -> Limits:
    """The middle 95 % of the differences of means over runs and tasks, both drawn anew; rows are runs."""
    rng = np.random.default_rng(0)
    old = _drawn(rng, len(was))
    new = old if by_seed else _drawn(rng, len(now))
    differences = ((new @ now - old @ was) * _drawn(rng, was.shape[1])).sum(1)
    low, high = np.quantile(differences, np.array([0.025, 0.975]))
    return np.asarray(low), np.asarray(high)


def _drawn(rng: np.random.Generator, num: int) -> NDArray[np.float64]:
    """For each resample the share that each of ``num`` has in it."""
    return rng.multinomial(num, np.full(num, 1 / num), size=_RESAMPLES) / num


def _seeds(runs: Sequence[Path]) -> list[int | None]:
    """Of each run, where it is one."""
    return [int(read_config(run)["seed"]) if (run / "config.json").is_file() else None for run in runs]


def _are_paired(first: Sequence[int | None], second: Sequence[int | None]) -> bool:
    """Whether each of several seeds is on either side, once."""
    seeds = {*first} - {None}
    return len(first) == len(second) == len(seeds) > 1 and {*second} == seeds


def _differences(runs: Sequence[Path]) -> list[str]:
    known = [run for run in runs if (run / "config.json").is_file()]
    told = zip(known, differing([read_config(run) for run in known]), strict=True)
    return [f"{run}: {name}" for run, name in told if name]


def comparison_table(found: Sequence[Comparison]) -> Any:
    """For a terminal."""
    from rich.table import Table

    table = Table("", "first", "second", "second over first", "95 %", "tasks", title=_title(found[0]))
    for each in found:
        spread = [" ".join(f"{value:.3f}" for value in side.success) for side in (each.first, each.second)]
        interval = f"[{each.ci95[0]:+.3f}, {each.ci95[1]:+.3f}]"
        table.add_row(each.how, *spread, f"{each.difference:+.3f}", interval, str(each.tasks))
    return table


def _title(found: Comparison) -> str:
    names = [" ".join(Path(run).name for run in side.runs) for side in (found.first, found.second)]
    together = ", seed by seed" if found.by_seed else ""
    return f"{names[0]}  and  {names[1]}{together}"
