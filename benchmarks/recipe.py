"""How to split a budget between demonstrations and reinforcement: the Practitioner's Guide's experiment, in small.

    python benchmarks/recipe.py [--budget N] [--seeds 0] [--trainer grpo] [--output DIR] [--json FILE]

A demonstration costs as much as ten of the policy's own episodes (arXiv 2510.01132, §5.2). Each split of the same
budget trains a policy from nothing on four blocks (``--recipe.*`` of ``agentgym train``) and is measured on held-out
tasks of the same level and, as it is, on the next level, which it has never seen.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import json
import multiprocessing
import tempfile
from pathlib import Path
from typing import Any

from agentgym.launch import evaluate, train

ENVIRONMENT, LEVEL, HARDER = "blocksworld", "b4", "b5"
DEMONSTRATION_COST = 10
PASSES = 5
SHARES = (0.0, 0.25, 0.5, 0.75, 0.9, 1.0)
"""Of the budget, spent on demonstrations."""
EPISODES = 300


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--budget", type=int, default=16_000, help="in episodes of the policy")
    parser.add_argument("--shares", type=float, nargs="+", default=list(SHARES))
    parser.add_argument("--trainer", default="grpo")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--processes", type=int, default=2, help="runs at a time, one thread each")
    parser.add_argument("--output", type=Path, help="where the run directories go")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    output = arguments.output or Path(tempfile.mkdtemp(prefix="agentgym-recipe-"))
    figures: dict[str, Any] = {}
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(arguments.processes, mp_context=context) as pool:
        jobs = {
            pool.submit(spend, output, arguments.trainer, arguments.budget, share, seed): (share, seed)
            for seed in arguments.seeds
            for share in arguments.shares
        }
        for job in concurrent.futures.as_completed(jobs):
            tell(figures, *jobs[job], job.result())
            if arguments.json:
                arguments.json.write_text(json.dumps(figures, indent=2) + "\n")


def spend(output: Path, trainer: str, budget: int, share: float, seed: int) -> dict[str, Any]:
    """Train with ``share`` of the budget in demonstrations; returns what came of it."""
    demonstrations = round(share * budget / DEMONSTRATION_COST)
    run = train(
        {
            "env": {"id": ENVIRONMENT, "level": LEVEL},
            "trainer": trainer,
            "seed": seed,
            "recipe": {
                "budget": budget,
                "demonstrations": demonstrations,
                "demonstration_cost": DEMONSTRATION_COST,
                "passes": PASSES,
            },
            "eval": {"episodes": EPISODES, "validation_episodes": 100, "every": 10},
            "output": output / f"{seed}-{share:g}",
        }
    )
    report = json.loads((run / "report.json").read_text())
    harder, _ = evaluate(
        {"env": {"id": ENVIRONMENT, "level": HARDER}}, str(run), episodes=EPISODES, temperature=1.0, seed=seed
    )
    return {
        "demonstrations": demonstrations,
        "updates": report["stages"]["train"]["updates"],
        "same": report["eval"]["after"]["success"],
        "harder": harder.success,
        "seconds": report["wall_seconds"],
    }


def tell(figures: dict[str, Any], share: float, seed: int, seen: dict[str, Any]) -> None:
    """Print a split's outcome and note its figures."""
    print(
        f"seed {seed}  {share:4.0%} in {seen['demonstrations']:5} demonstrations, {seen['updates']:4} updates: "
        f"{LEVEL} {seen['same']:.3f}, {HARDER} {seen['harder']:.3f}  ({seen['seconds']:.0f} s)",
        flush=True,
    )
    for what, key, unit in (
        ("demonstrations", "demonstrations", "episodes"),
        ("updates", "updates", "updates"),
        (LEVEL, "same", "success"),
        (HARDER, "harder", "success"),
    ):
        name = f"seed_{seed}_share_{share:g}_{what}"
        figures[name] = {"value": round(seen[key], 4), "target": None, "unit": unit}


if __name__ == "__main__":
    main()
