"""What a search adds to the greedy policy, and a reward model that guides it (AgentRM, arXiv 2502.18407).

In each environment a policy imitates an expert until it sometimes succeeds. On the same test tasks then: the policy
greedily and sampled, MCTS that is told what the environment pays (an upper bound where nobody is told that), and, with
a reward model trained on what the policy played on train tasks, the best of five episodes and a beam of three by three.
With ``--strong`` the reward model of the small policy guides a larger one too (weak to strong).

Success of the line that each chooses, with what it is over greedy as the mean difference over tasks (95 % interval),
and the tokens that were sampled and read for a task.

    python benchmarks/claims/over_greedy.py [--env ID] [--seeds 0 1 2] [--tasks N] [--strong] [--output DIR] [--json F]
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy import stats

import agentgym

ENVIRONMENTS: dict[str, dict[str, Any]] = {
    "blocksworld": {"level": "b3"},
    "booking": {"level": "b1"},
    "textworld": {"level": "w2-o3-q2"},
    "countdown": {"level": "n3"},
    "bfcl": {"fold_case": True},
}
UNTIL = 0.25
"""Success at which the warm start ends: room is left."""
LARGER = {"width": 192, "layers": 3}
UPDATES = 80
"""Of the reward model."""

Searches = dict[str, dict[str, Any]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--env", choices=ENVIRONMENTS, default="blocksworld")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--tasks", type=int, default=100)
    parser.add_argument("--no-model", action="store_true", help="the search that sees the reward alone")
    parser.add_argument("--strong", action="store_true", help="guide a larger policy too")
    parser.add_argument("--output", type=Path, help="where the run directories go")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    torch.set_num_threads(1)
    output = given.output or Path(tempfile.mkdtemp(prefix="agentgym-over-greedy-"))
    env = {"id": given.env, **ENVIRONMENTS[given.env]}
    figures: dict[str, Any] = {}
    found: dict[str, list[dict[Any, float]]] = {}
    for seed in given.seeds:
        policies = {"": policy(env, output / f"{given.env}-{seed}", seed)}
        if given.strong:
            policies["larger, "] = policy(env, output / f"{given.env}-{seed}-larger", seed, model=LARGER)
        searches = told() if given.no_model else {**told(), **guided(reward_model(env, policies[""], seed))}
        for whose, run in policies.items():
            for name, own in searches.items():
                found.setdefault(f"{whose}{name}", []).append(played(env, run, own, given.tasks, f"{whose}{name}"))
    for name, seen in found.items():
        baseline = found[f"{name.rpartition(', ')[0]}{', ' if ', ' in name else ''}greedy"]
        figures |= compared(f"{given.env}: {name}", seen, baseline)
    if given.json:
        given.json.write_text(json.dumps(figures, indent=2) + "\n")


def policy(env: Mapping[str, Any], run: Path, seed: int, model: Mapping[str, Any] | None = None) -> Path:
    """A run that is a warm start and nothing else."""
    settings: dict[str, Any] = {"env": dict(env), "warm_start": {"until": UNTIL}, "updates": 0, "threads": 1}
    settings |= {"eval": {"episodes": 1}, "seed": seed, "output": run} | ({"model": dict(model)} if model else {})
    if not (run / "report.json").exists():
        agentgym.train(settings)
    return run


def reward_model(env: Mapping[str, Any], run: Path, seed: int) -> Path:
    """Trained on what the policy played on train tasks."""
    there, model = run.with_name(f"{run.name}-played"), run.with_name(f"{run.name}-reward-model")
    if not there.exists():
        agentgym.record({"env": dict(env), "threads": 1}, str(run), output=there, seed=seed + 7, episodes=150)
    if not (model / "report.json").exists():
        trainer = {"id": "reward-model", "data": str(there), "learning_rate": 1e-3}
        settings = {"env": dict(env), "model": str(run), "trainer": trainer, "updates": UPDATES, "threads": 1}
        agentgym.train({**settings, "warm_start": {"enabled": False}, "eval": {"episodes": 1}, "output": model})
    return model


def told() -> Searches:
    """Without a critic."""
    return {"greedy": {}, "sampled": {}, "mcts of 16 that sees the reward": {"id": "mcts", "simulations": 16}}


def guided(model: Path) -> Searches:
    """By a reward model, which nobody tells the reward."""
    critic = {"id": "model", "model": str(model)}
    return {
        "best of 5 by the model": {"id": "best-of-n", "episodes": 5, "critic": critic},
        "beam of 3 x 3 by the model": {"id": "beam", "width": 3, "proposals": 3, "critic": critic},
    }


def played(env: Mapping[str, Any], run: Path, search: Mapping[str, Any], tasks: int, name: str) -> dict[Any, float]:
    """Success of what is chosen, by task."""
    settings: dict[str, Any] = {"env": dict(env), "threads": 1} | ({"search": dict(search)} if search else {})
    temperature = 0.0 if name.endswith("greedy") else 1.0
    score, lines = agentgym.evaluate(settings, str(run), episodes=tasks, temperature=temperature)
    print(f"{run.name}: {name}: {score.success:.3f}", flush=True)
    return {line.task: float(line.success) for line in lines}


def compared(name: str, seen: Sequence[Mapping[Any, float]], greedy: Sequence[Mapping[Any, float]]) -> dict[str, Any]:
    """Print the success and what it is over greedy; returns the figures."""
    success = statistics.fmean(value for one in seen for value in one.values())
    over = np.array(
        [value - other[task] for one, other in zip(seen, greedy, strict=True) for task, value in one.items()]
    )
    low, high = stats.bootstrap((over,), np.mean, rng=0).confidence_interval if over.any() else (0.0, 0.0)
    each = ", ".join(f"{statistics.fmean(one.values()):.2f}" for one in seen)
    print(f"{name:<45} {success:.3f} ({each}); over greedy {over.mean():+.3f} [{low:+.3f}, {high:+.3f}]", flush=True)
    figure = {"target": None, "unit": "success"}
    return {
        name: {"value": round(success, 4), **figure},
        f"{name}, over greedy": {"value": round(float(over.mean()), 4), "target": 0.0, "unit": "success"},
        f"{name}, over greedy, least": {"value": round(float(low), 4), **figure},
    }


if __name__ == "__main__":
    main()
