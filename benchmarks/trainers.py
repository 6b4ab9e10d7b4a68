"""Every trainer from the same start, for the same number of environment steps, on two environments.

    python benchmarks/trainers.py [--environments …] [--trainers …] [--seeds 0] [--steps N] [--output DIR] [--json FILE]

For each environment and seed one warm start, by imitation until the sampled policy begins to succeed; from there each
trainer with the settings that ``agentgym train`` gives the nano policy, until it has seen ``--steps`` turns of the
environment (sft and mixed: the expert's turns count like the policy's). The policy is chosen on validation tasks; what
is shown is the sampled policy's success on held-out test tasks. Nothing was tuned here for one trainer alone.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import json
import multiprocessing
import tempfile
from pathlib import Path
from typing import Any

from agentgym.config import merged
from agentgym.launch import train
from agentgym.learn.nano_settings import WISHES
from agentgym.registry import plugins

ENVIRONMENTS: dict[str, dict[str, Any]] = {
    "webshop": {"steps": 25_000, "warm_start": {"until": 0.1}},
    "blocksworld": {"steps": 60_000, "warm_start": {"until": 0.3}},
}
TRAINERS = ("sft", "grpo", "rloo", "ppo", "dpo", "mixed")
EVALUATION = {"episodes": 300, "every": 10, "validation_episodes": 100}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--environments", nargs="+", default=list(ENVIRONMENTS), choices=ENVIRONMENTS)
    parser.add_argument("--trainers", nargs="+", default=list(TRAINERS))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--steps", type=int, help="turns of the environment that a trainer sees")
    parser.add_argument("--processes", type=int, default=2, help="runs at a time, one thread each")
    parser.add_argument("--output", type=Path, help="where the run directories go")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    output = arguments.output or Path(tempfile.mkdtemp(prefix="agentgym-trainers-"))
    starts = [(env, seed) for env in arguments.environments for seed in arguments.seeds]
    figures: dict[str, Any] = {}
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(arguments.processes, mp_context=context) as pool:
        jobs = {pool.submit(start, output, env, seed): (env, seed) for env, seed in starts}
        runs: dict[Any, tuple[str, int, str]] = {}
        for job in concurrent.futures.as_completed(jobs):
            env, seed = jobs[job]
            tell(figures, env, seed, "warm start", job.result())
            steps = arguments.steps or ENVIRONMENTS[env]["steps"]
            for trainer in arguments.trainers:
                runs[pool.submit(go_on, output, env, seed, trainer, steps)] = (env, seed, trainer)
        for job in concurrent.futures.as_completed(runs):
            tell(figures, *runs[job], job.result())
            if arguments.json:
                arguments.json.write_text(json.dumps(figures, indent=2) + "\n")


def start(output: Path, env: str, seed: int) -> dict[str, Any]:
    """The report of a run that is a warm start and nothing else; one that is there already is not made again."""
    run = output / f"{env}-{seed}-start"
    if not (run / "report.json").exists():
        train(
            {
                "env": env,
                "seed": seed,
                "warm_start": ENVIRONMENTS[env]["warm_start"],
                "updates": 0,
                "eval": EVALUATION,
                "output": run,
            }
        )
    return report(run)


def go_on(output: Path, env: str, seed: int, trainer: str, steps: int) -> dict[str, Any]:
    """The report of ``trainer`` from that warm start."""
    factory: Any = plugins("trainers").get(trainer)
    given = {
        "env": env,
        "seed": seed,
        "model": str(output / f"{env}-{seed}-start" / "warm_start"),
        "trainer": {"id": trainer, **factory.nano},
        "updates": 10_000,
        "max_environment_steps": steps,
        "eval": EVALUATION if trainer != "sft" else {**EVALUATION, "every": 100},
        "output": output / f"{env}-{seed}-{trainer}",
    }
    usual = {name: value for name, value in WISHES.items() if name != "warm_start"}  # which was before
    return report(train(merged(usual, given)))


def report(run: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((run / "report.json").read_text())
    return content


def tell(figures: dict[str, Any], env: str, seed: int, trainer: str, seen: dict[str, Any]) -> None:
    """Print a run's outcome and note its figures."""
    result = seen["eval"]["after"]
    updates = seen["stages"].get("train", {}).get("updates", 0)
    print(
        f"{env:12} seed {seed}  {trainer:10} success {result['success']:.3f} {result['ci95']}  "
        f"greedy {result['greedy']['success']:.3f}  {updates} updates, {seen['wall_seconds']:.0f} s",
        flush=True,
    )
    name = f"{env}_{seed}_{trainer.replace(' ', '_')}"
    for told, success in ((name, result["success"]), (f"{name}_greedy", result["greedy"]["success"])):
        figures[told] = {"value": round(success, 4), "target": None, "unit": "success"}


if __name__ == "__main__":
    main()
