"""Agent Q over trajectory-level DPO over rejection-sampling fine-tuning, and what search adds (arXiv 2408.07199).

The shop and the booking desk, 1 for success. From one warm start for equal turns of the environment: imitation of what
succeeded, whole episodes compared, and pairs from trees; then the first policy and the last one with a search in front
of each reply, which is told what the environment pays (as a line's end is in the paper), so that it is an upper bound
of what a judge of ends could choose.

The paper has 28.6 (base), 31.3 (RFT), 40.6 (trajectory DPO), about 41.5 (Agent Q), 48.4 (base with search) and 50.5
(both) on WebShop, and 18.6, 67.2, 71.8, 81.7 and, with search, 95.4 on OpenTable.

    python benchmarks/claims/agent_q.py [--seeds 0 1 2] [--steps N] [--processes N] [--output DIR] [--json FILE]
"""

import argparse
import concurrent.futures
import json
import multiprocessing
import statistics
import sys
from pathlib import Path
from typing import Any

import agentgym
from benchmarks.claims.arms import Claim

SEARCH = {"id": "mcts", "simulations": 16}
TASKS = 100
AGENT_Q = {
    env: Claim(
        name=f"agent-q-{env}",
        env={"id": env, **options},
        arms={
            "rft": {"trainer": {"id": "agent-q", "learns_from": "successes"}},
            "trajectory dpo": {"trainer": {"id": "agent-q", "learns_from": "lines"}},
            "agent q": {"trainer": {"id": "agent-q"}},
        },
        pairs=[("trajectory dpo", "rft"), ("agent q", "trajectory dpo"), ("agent q", "rft")],
        steps=12_000,
        warm_start={"until": 0.25},
    )
    for env, options in {"webshop": {}, "booking": {"level": "b1"}}.items()
}


def searched(run: Path) -> float:
    """Success on test tasks of the policy in ``run`` with a search."""
    env = json.loads((run.parent / "env.json").read_text())
    found, _ = agentgym.evaluate(
        {"env": env, "search": SEARCH, "threads": 1}, str(run), episodes=TASKS, temperature=1.0
    )
    return found.success


def with_search(claim: Claim, output: Path, seeds: list[int], processes: int) -> dict[str, Any]:
    """Print what the first and the last policies come to with a search; returns the figures."""
    (output / "env.json").write_text(json.dumps(dict(claim.env)))
    ends = {"base": "start", "agent q": "agent-q"}
    figures = {}
    with concurrent.futures.ProcessPoolExecutor(processes, mp_context=multiprocessing.get_context("spawn")) as pool:
        for name, end in ends.items():
            runs = [output / f"{claim.name}-{seed}-{end}" for seed in seeds]
            seen = list(pool.map(searched, runs))
            told = ", ".join(f"{value:.2f}" for value in seen)
            print(f"{name} with search: {statistics.fmean(seen):.3f} ({told})", flush=True)
            figures[f"{claim.name}: {name} with search"] = {
                "value": round(statistics.fmean(seen), 4),
                "target": None,
                "unit": "success",
            }
    return figures


if __name__ == "__main__":
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--env", choices=AGENT_Q, default="webshop")
    chosen, rest = parser.parse_known_args()
    sys.argv[1:] = rest
    AGENT_Q[chosen.env].main(more=with_search)
