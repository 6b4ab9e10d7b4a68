"""What a run has measured, as a workload: its latencies, its turns, what it took to learn."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np
from scipy.optimize import nnls

from agentgym import sealed
from agentgym.errors import DataError
from agentgym.layout import LATENCIES
from agentgym.rollout.latencies import Latencies, Load
from agentgym.run import Run
from agentgym.simulation import Constant, Counted, Plan, Speed, Workload

__all__ = ["Steps", "fitted", "measured"]

Steps: TypeAlias = Literal["wait", "compute"]
"""What an environment does in a step: wait for something elsewhere, or keep the process busy that plays."""

_FIRST = 2
"""Updates that are slower than those after them."""


def measured(directory: Path, *, steps: Steps | None = None, overhead: float, publish: float) -> tuple[Plan, Workload]:
    """The plan that a run went by, and the workload that it had.

    ``steps`` are as its environments' host says where it is not given: in the event loop they compute. Seconds of
    ``overhead`` and ``publish`` are not measured in a run. Raises DataError for a run without what is needed.
    """
    run = Run.open(directory)
    config, latencies = run.config, _latencies(directory)
    trainer, rollout = config.get("trainer", {}), config.get("rollout", {})
    if not {"groups", "group_size"} <= trainer.keys():
        raise DataError(
            f'{directory} was trained by "{trainer.get("id")}", which plays no groups; simulate a run of grpo, rloo or '
            "another trainer with --trainer.groups"
        )
    per_update = trainer["groups"] * trainer["group_size"]
    learned = [line["learn_seconds"] for line in run.metrics() if line["stage"] == "train"]
    turns = Counter(float(card.num_turns) for card in run.episodes.query(stage="train") if card.num_turns)
    if not turns or not learned:
        raise DataError(f"{directory} has no episodes of training; it needs --updates and --archive.keep above 0")
    step = Counted(latencies.counted("step"))
    computes = (steps or ("compute" if rollout.get("hosts") == "loop" else "wait")) == "compute"
    workload = Workload(
        turns=Counted(turns),
        reply_tokens=Counted(latencies.counted("tokens")),
        reset=Constant(0.0) if computes else Counted(latencies.counted("reset")),
        step=Constant(0.0) if computes else step,
        speed=fitted(latencies.loads.values()),
        learn=statistics.fmean(learned[_FIRST:] or learned) / per_update,
        overhead=overhead + (step.mean if computes else 0.0),
        publish=publish,
    )
    staleness = 0 if config.get("mode", "sync") == "sync" else int(config["max_staleness"])
    plan = Plan(
        actors=rollout["concurrency"],
        groups=trainer["groups"],
        group_size=trainer["group_size"],
        max_staleness=staleness,
        in_order=config.get("mode") != "fully-async",
        updates=2 * staleness + 12,
    )
    return plan, workload


def _latencies(directory: Path) -> Latencies:
    file = directory / LATENCIES
    if not file.is_file():
        raise DataError(
            f"{directory} has no {LATENCIES}, which a run writes at the end of its training; end it: "
            f"agentgym train --resume {directory}, or simulate one of this version"
        )
    latencies = Latencies()
    try:
        latencies.load_state(sealed.read_json(file))
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise DataError(f"{file} is not what a run writes: {type(error).__name__}: {error}; put it back") from error
    if not latencies.loads or not latencies.counts["step"]:
        raise DataError(f"{file} has no replies of a policy, or no steps; simulate a run with --updates above 0")
    return latencies


def fitted(loads: Iterable[Load]) -> Speed:
    """Seconds a token as a line over how many are sampled at once, by least squares of what it is off by in proportion.

    Seen at one number alone, all of it is held to grow with the number: that promises no engine more than was seen.

    >>> speed = fitted([Load(10, 100, 2.0, 10), Load(10, 100, 5.0, 40)])  # 20 ms of one, 50 ms of four
    >>> round(speed.alone, 6), round(speed.each, 6)
    (0.01, 0.01)
    """
    found = [load for load in loads if load.tokens]
    together = np.array([load.together / load.replies for load in found])
    seconds = np.array([load.seconds / load.tokens for load in found])
    if len(found) == 1:
        return Speed(0.0, float(seconds[0] / together[0]))
    weights = np.sqrt([load.replies for load in found]) / seconds
    (alone, each), _ = nnls(np.stack([weights, weights * together], 1), weights * seconds)
    return Speed(float(alone), float(each))
