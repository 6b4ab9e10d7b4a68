"""What a second core brings to the main job: seconds an update, where playing and learning take turns or overlap.

From one warm start, ``agentgym train --env webshop`` in each way, in turns: ``sync`` with one thread and with two, and
``async`` (staleness 1), which plays the next update's episodes while a thread learns from this one's. The first updates
of a run, which are slower, are left out.

    python benchmarks/overlap.py [--updates N] [--rounds N] [--start RUN] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
from pathlib import Path
from typing import Any

from agentgym.launch import train
from agentgym.learn.nano_settings import WISHES
from agentgym.run import Run
from agentgym.trainers.grpo import GRPO

WAYS: dict[str, dict[str, Any]] = {
    "sync, 1 thread": {"mode": "sync", "threads": 1},
    "sync, 2 threads": {"mode": "sync", "threads": 2},
    "async, 1 thread": {"mode": "async", "threads": 1},
}
FIRST = 2


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--updates", type=int, default=12)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--start", type=Path, help="a run of agentgym train --env webshop; none given: a warm start is made"
    )
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    output = Path(tempfile.mkdtemp(prefix="agentgym-overlap-"))
    start = arguments.start or train(
        {"env": "webshop", "updates": 0, "eval": {"episodes": 1}, "output": output / "start"}
    )
    seconds: dict[str, list[float]] = {name: [] for name in WAYS}
    for at in range(arguments.rounds):
        for number, (name, way) in enumerate(WAYS.items()):
            run = output / f"{number}-{at}"
            seconds[name].append(of_update(train(settings(start, run, at, arguments.updates + FIRST, way))))
            print(f"{name:<16} {seconds[name][-1]:.2f} s an update", flush=True)
    medians = {name: statistics.median(each) for name, each in seconds.items()}
    base, *others = WAYS
    figures = {base: {"value": round(medians[base], 2), "target": None, "unit": "s an update"}}
    for name in others:
        figures[f"{base} / {name}"] = {
            "value": round(medians[base] / medians[name], 2),
            "target": None,
            "unit": "ratio",
        }
    for name, figure in figures.items():
        print(f"{name:<34} {figure['value']} {figure['unit']}")
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n")


def settings(start: Path, run: Path, seed: int, updates: int, way: dict[str, Any]) -> dict[str, Any]:
    """Of a run from the policy of ``start``, with what the main job has, looked at only before and after."""
    return {
        "env": "webshop",
        "model": str(start / "warm_start"),
        "trainer": {"id": "grpo", **GRPO.nano},
        **{name: WISHES[name] for name in ("protocol", "rollout", "rewards")},
        "updates": updates,
        "eval": {"episodes": 1, "validation_episodes": 1, "every": 10**6},
        "seed": seed,
        "output": run,
        **way,
    }


def of_update(run: Path) -> float:
    """Seconds between two updates, on the mean."""
    times = [line["time"] for line in Run.open(run).metrics() if line["stage"] == "train"][FIRST - 1 :]
    return float((times[-1] - times[0]) / (len(times) - 1))


if __name__ == "__main__":
    main()
