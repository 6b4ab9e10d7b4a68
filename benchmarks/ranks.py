"""What ranks bring to the learner: tokens a second of two over one, and what each holds, spread or whole.

The same rows and model in each way, in turns: one process with one thread and with two, and two ranks with one thread
each, whose weights, gradients and optimizer's state are spread over them or whole on each. The first update of each,
which is slower, is left out. Ranks need as many cores as there are, or their figures say nothing.

    python benchmarks/ranks.py [--updates N] [--rounds N] [--width N] [--layers N] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import distributed

from agentgym.learn.batch import Microbatch
from agentgym.learn.forward import Predictions
from agentgym.learn.learner import Learner
from agentgym.learn.objectives.estimator import Metrics
from agentgym.weights import part
from tests.kit import row, tiny_model

ROWS = [row(96 + number % 64, number) for number in range(64)]


class Way(NamedTuple):
    """How it is computed."""

    ranks: int
    threads: int
    shards: bool


WAYS = {
    "1 rank, 1 thread": Way(1, 1, False),
    "1 rank, 2 threads": Way(1, 2, False),
    "2 ranks, spread": Way(2, 1, True),
    "2 ranks, whole": Way(2, 1, False),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--updates", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--width", type=int, default=512)
    parser.add_argument("--layers", type=int, default=8)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--way", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.way is not None:
        print(json.dumps(of_rank(WAYS[arguments.way], arguments)))
        return
    found: dict[str, list[dict[str, float]]] = {name: [] for name in WAYS}
    for _ in range(arguments.rounds):
        for name in WAYS:
            found[name].append(of_way(name, sys.argv[1:]))
            print(f"{name:<18} {found[name][-1]['speed']:.0f} tokens/s", flush=True)
    figures = told(
        {name: {key: statistics.median(r[key] for r in rounds) for key in rounds[0]} for name, rounds in found.items()}
    )
    for name, figure in figures.items():
        print(f"{name:<44} {figure['value']} {figure['unit']}")
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n")


def told(of: dict[str, dict[str, float]]) -> dict[str, dict[str, Any]]:
    """The table."""
    base, spread = of["1 rank, 1 thread"], of["2 ranks, spread"]
    figures: dict[str, tuple[float, str | None, str]] = {
        f"{name}: tokens learned from": (each["speed"], None, "tokens/s") for name, each in of.items()
    }
    figures["2 ranks, spread / 1 rank, 1 thread"] = (spread["speed"] / base["speed"], None, "ratio")
    figures["2 ranks, spread / 1 rank, 2 threads"] = (spread["speed"] / of["1 rank, 2 threads"]["speed"], None, "ratio")
    figures["2 ranks, whole / 1 rank, 1 thread"] = (of["2 ranks, whole"]["speed"] / base["speed"], None, "ratio")
    figures["weights, gradients, optimizer of 1 rank"] = (base["held"] / 2**20, None, "MiB")
    figures["of each of 2 ranks, spread / of 1 rank"] = (spread["held"] / base["held"], "<= 0.55", "ratio")
    return {
        name: {"value": round(value, 3), "target": target, "unit": unit}
        for name, (value, target, unit) in figures.items()
    }


def of_way(name: str, arguments: list[str]) -> dict[str, float]:
    """What its first rank measures."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        where = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(bound.getsockname()[1])}
    command = [sys.executable, __file__, *arguments, "--way", name]
    started = [
        subprocess.Popen(
            command,
            env={**os.environ, **where, "RANK": str(rank), "WORLD_SIZE": str(WAYS[name].ranks)},
            stdout=subprocess.PIPE,
        )
        for rank in range(WAYS[name].ranks)
    ]
    first = started[0].communicate()[0]
    assert not any(process.wait() for process in started), f"{name}: a rank has failed"
    found: dict[str, float] = json.loads(first.splitlines()[-1])
    return found


def of_rank(way: Way, arguments: argparse.Namespace) -> dict[str, float]:
    """Tokens that are learned from in a second, and bytes of weights, gradients and the optimizer's state."""
    torch.set_num_threads(way.threads)
    if way.ranks > 1:
        distributed.init_process_group("gloo")
    shape = {"hidden_size": arguments.width, "intermediate_size": 3 * arguments.width, "vocab_size": 4096}
    module = tiny_model(**shape, num_hidden_layers=arguments.layers, num_attention_heads=8, initializer_range=0.02)
    learner = Learner(module, learning_rate=1e-5, max_microbatch_tokens=2048, shards=way.shards)
    seconds = []
    for _ in range(arguments.updates + 1):
        began = time.perf_counter()
        learner.update(ROWS, objective)
        seconds.append(time.perf_counter() - began)
    held = 2 * sum(part(parameter).nbytes for parameter in learner.parameters)  # gradients are as large
    held += sum(part(each).nbytes for state in learner.optimizer.state.values() for each in state.values())
    if way.ranks > 1:
        distributed.destroy_process_group()
    tokens = sum(each.num_needed for each in ROWS)
    return {"speed": tokens / statistics.mean(seconds[1:]), "held": held}


def objective(predictions: Predictions, batch: Microbatch) -> tuple[torch.Tensor, Metrics]:
    """REINFORCE."""
    return -batch.advantages_N * predictions.logprobs_N, {}


if __name__ == "__main__":
    main()
