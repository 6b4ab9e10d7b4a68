"""What the scripts of claims are made of: runs that differ in one thing, from the same warm start, over several seeds.

    python benchmarks/claims/NAME.py [--seeds 0 1 2] [--steps N] [--processes N] [--output DIR] [--json FILE]

For each seed one warm start; from it each arm, until it has taken so many turns of the environment. What is told of an
arm: success on the test tasks, sampled and greedily, of the policy that did best on validation tasks; and how soon, as
the mean of validation success over the turns (the area under the curve). Arms are compared over the same test tasks and
seeds, with 95 % intervals (``agentgym compare``). Runs that are in ``--output`` already are not made anew.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import dataclasses
import inspect
import json
import multiprocessing
import statistics
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from agentgym.config import merged
from agentgym.launch import train
from agentgym.launch.comparing import compare
from agentgym.launch.overlay import curves
from agentgym.launch.resolving import in_full
from agentgym.learn.nano_settings import WISHES
from agentgym.registry import plugins

__all__ = ["Claim"]

Settings: TypeAlias = Mapping[str, Any]
More: TypeAlias = "Callable[[Claim, Path, list[int], int], dict[str, Any]]"
EVALUATION = {"episodes": 200, "every": 5, "validation_episodes": 60}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Claim:
    """Arms in an environment, and which of them is compared with which."""

    name: str
    env: Settings
    """Of the arms, and of what they are measured by."""
    arms: Mapping[str, Settings]
    """What each has and the others have not; "trainer" may be a name."""
    pairs: Sequence[tuple[str, str]]
    """(one, over another)."""
    steps: int
    """Turns of the environment."""
    warm_start: Settings = dataclasses.field(default_factory=lambda: {"until": 0.3})
    begins_in: Settings | None = None
    """Environment of the warm start, where that is another."""

    def main(self, more: More | None = None) -> None:
        """Run it as a script; ``more`` is what is to be measured beside the arms."""
        caller = inspect.stack()[1].frame.f_globals["__doc__"]
        parser = argparse.ArgumentParser(description=caller, formatter_class=argparse.RawDescriptionHelpFormatter)
        parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
        parser.add_argument("--steps", type=int, default=self.steps, help="turns of the environment that an arm takes")
        parser.add_argument("--processes", type=int, default=2, help="runs at a time, one thread each")
        parser.add_argument("--output", type=Path, help="where the run directories go")
        parser.add_argument("--json", type=Path)
        given = parser.parse_args()
        output = given.output or Path(tempfile.mkdtemp(prefix=f"agentgym-{self.name}-"))
        context = multiprocessing.get_context("spawn")
        with concurrent.futures.ProcessPoolExecutor(given.processes, mp_context=context) as pool:
            list(pool.map(self.start, [output] * len(given.seeds), given.seeds))
            jobs = [(output, seed, arm, given.steps) for seed in given.seeds for arm in self.arms]
            list(pool.map(self.run, *zip(*jobs, strict=True)))
        figures = self.told(output, given.seeds)
        if more is not None:
            figures |= more(self, output, given.seeds, given.processes)
        if given.json:
            given.json.write_text(json.dumps(figures, indent=2) + "\n")

    # -- runs ----------------------------------------------------------------------------------------------

    def start(self, output: Path, seed: int) -> Path:
        """The run that is a warm start and nothing else."""
        env = dict(self.begins_in or self.env)
        given = {"env": env, "warm_start": dict(self.warm_start), "updates": 0, "eval": {"episodes": 1}}
        return _made(output / f"{self.name}-{seed}-start", {**given, "seed": seed})

    def run(self, output: Path, seed: int, arm: str, steps: int) -> Path:
        """The run of an arm."""
        own = dict(self.arms[arm])
        trainer = own.pop("trainer", "grpo")
        id, options = (trainer, {}) if isinstance(trainer, str) else (trainer["id"], trainer)
        factory: Any = plugins("trainers").get(id)
        given = {
            "env": dict(self.env),
            "model": str(output / f"{self.name}-{seed}-start" / "warm_start"),
            "trainer": {**factory.nano, **options, "id": id},
            "updates": 10_000,
            "idle_updates": None,
            "max_environment_steps": steps,
            "eval": EVALUATION,
            "seed": seed,
        }
        usual = {name: value for name, value in WISHES.items() if name != "warm_start"}  # which was before
        settings = merged(in_full(usual), in_full(merged(in_full(given), own)))
        return _made(self._at(output, seed, arm), settings)

    def _at(self, output: Path, seed: int, arm: str) -> Path:
        return output / f"{self.name}-{seed}-{arm.replace(' ', '-').replace(',', '')}"

    # -- what came of them ------------------------------------------------------------------------------------

    def told(self, output: Path, seeds: Sequence[int]) -> dict[str, Any]:
        """Print the arms and their comparisons; returns the figures."""
        figures: dict[str, Any] = {}
        runs = {arm: [self._at(output, seed, arm) for seed in seeds] for arm in self.arms}
        for arm, own in runs.items():
            reports = [json.loads((run / "report.json").read_text()) for run in own]
            seen = [report["eval"]["after"] for report in reports]
            before = statistics.fmean(report["eval"]["before"]["success"] for report in reports)
            sampled, greedy = [each["success"] for each in seen], [each["greedy"]["success"] for each in seen]
            areas = [_area(run) for run in own]
            minutes = sum(report["wall_seconds"] for report in reports) / 60
            print(
                f"{arm:<28} before {before:.3f}; sampled {statistics.fmean(sampled):.3f} {_list(sampled)}, greedy "
                f"{statistics.fmean(greedy):.3f}; mean on the way {statistics.fmean(areas):.3f} {_list(areas)}; "
                f"{minutes:.0f} min"
            )
            for what, values in (("sampled", sampled), ("greedy", greedy), ("mean on the way", areas)):
                figures[f"{self.name}: {arm}, {what}"] = _figure(statistics.fmean(values))
        for one, other in self.pairs:
            for found in compare(runs[other], runs[one]):
                low, high = found.ci95
                print(f"{one} over {other}, {found.how}: {found.difference:+.3f} [{low:+.3f}, {high:+.3f}]", flush=True)
                figures[f"{self.name}: {one} over {other}, {found.how}"] = _figure(found.difference)
                figures[f"{self.name}: {one} over {other}, {found.how}, least"] = _figure(low)
        return figures


def _made(run: Path, given: Settings) -> Path:
    if not (run / "report.json").exists():
        train({**given, "output": run})
    return run


def _area(run: Path) -> float:
    """Mean of validation success over the turns of the environment that it took."""
    (curve,) = curves([run], by="steps")
    steps = curve.at[-1] - curve.at[0]
    return float(np.trapezoid(curve.mean, curve.at)) / steps if steps else curve.mean[0]


def _list(values: Sequence[float]) -> str:
    return f"({', '.join(f'{value:.2f}' for value in values)})"


def _figure(value: float) -> dict[str, Any]:
    return {"value": round(value, 4), "target": None, "unit": "success"}
