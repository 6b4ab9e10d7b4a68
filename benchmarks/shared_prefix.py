"""Shared prefixes: time of a train step that computes once what rows begin with alike, against one that does not.

    python benchmarks/shared_prefix.py [--json FILE]

Both sides do one ``Learner.update`` of the same rows: rows to microbatches, forward, loss, backward and the optimizer's
step; their gradients must agree. They take turns (A B B A …), a ratio is that of neighbors, and the figure is the
median of the ratios of the processor's seconds. Were every token to cost the same, the time ratio would be the token
ratio: tokens that are computed by tokens of the rows. Each case is told with both, and with the one divided by the
other. That can be less than 1: what a prefix's attention to itself costs grows with its square. It is more where
suffixes are long: each of their tokens sees the whole prefix either way.

The cases are a group of 8 with one prompt (prefix and suffix in tokens), a tree of three levels in which half of each
turn is trained, and as small a thing as occurs, groups of the nano policy.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from transformers import Qwen3Config, Qwen3ForCausalLM

from agentgym.learn.batch import needed_tokens
from agentgym.learn.learner import Learner, Objective
from agentgym.learn.nano import build_model
from agentgym.learn.nano_settings import NanoConfig
from agentgym.learn.objectives.policy_gradient import reinforce
from agentgym.learn.prefixes import num_distinct
from agentgym.learn.rows import Row
from agentgym.learn.settings import Sharing

ROUNDS = 3
GROUP_SIZE = 8
VOCABULARY = 8192
GROUPS = {"2k/16": (2048, 16), "2k/128": (2048, 128), "1k/512": (1024, 512)}
TREE = ((512, 1), (256, 3), (128, 3))
"""Tokens of a branch, and how many of them begin where one of the level before ends."""
TARGET = "<= 1.25"

Rows = dict[str, dict[str, float | str]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="write the figures there as well")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    rows: Rows = {}
    for title, make_module, made in cases():
        measured = measure(title, make_module, made)
        for name, row in measured.items():
            print(f"{name:56} {row['value']:>8,.3f} {row['unit']:8} (target {row['target']})", flush=True)
        rows |= measured
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")


def cases() -> list[tuple[str, Callable[[], Any], list[Row]]]:
    made = [
        (f"group of {GROUP_SIZE}, {name}", qwen3, group(random.Random(0), *lengths)) for name, lengths in GROUPS.items()
    ]
    nano = [row for seed in range(8) for row in group(random.Random(seed), 120, 60, ragged=True)]
    return [
        *made,
        ("tree 512 + 256 + 128", qwen3, tree(random.Random(0))),
        ("nano, 8 groups, 120/60", nano_model, nano),
    ]


def qwen3() -> Any:
    torch.manual_seed(0)
    config = Qwen3Config(
        vocab_size=VOCABULARY,
        hidden_size=512,
        intermediate_size=1536,
        num_hidden_layers=2,
        num_attention_heads=8,
        num_key_value_heads=4,
        head_dim=64,
        max_position_embeddings=4096,
    )
    return Qwen3ForCausalLM(config).eval()


def nano_model() -> Any:
    return build_model(1024, NanoConfig(), seed=0)


def group(rng: random.Random, prefix: int, suffix: int, *, ragged: bool = False) -> list[Row]:
    """Rows with one prompt and answers of their own; the last token is predicted and not computed."""
    prompt = _said(rng, prefix)
    lengths = [rng.randrange(suffix // 2, 3 * suffix // 2) if ragged else suffix for _ in range(GROUP_SIZE)]
    return [_row(prompt + _said(rng, length + 1), [False] * prefix + [True] * (length + 1)) for length in lengths]


def tree(rng: random.Random) -> list[Row]:
    """The lines of a tree; half of each branch is the policy's, and trained in every line that it belongs to."""
    lines: list[list[int]] = [[]]
    for length, degree in TREE:
        lines = [line + _said(rng, length + rng.randrange(length // 4)) for line in lines for _ in range(degree)]
    return [_row(line, [place % 64 >= 32 for place in range(len(line))]) for line in lines]


def _said(rng: random.Random, length: int) -> list[int]:
    return [rng.randrange(1024) for _ in range(length)]


def _row(ids: list[int], mask: list[bool]) -> Row:
    rng = random.Random(str(ids))
    advantage = rng.gauss(0, 1)
    return Row(token_ids=ids, loss_mask=mask, behavior_logprobs=[-1.0] * len(ids), advantages=[advantage] * len(ids))


def measure(title: str, make_module: Callable[[], Any], rows: list[Row]) -> Rows:
    """One case, both sides in turns."""
    flat, shared = stepper(make_module(), rows, "off"), stepper(make_module(), rows, "on")
    check_same_work(flat(), shared())
    ratios = []
    for number in range(ROUNDS):
        first, second = (flat, shared) if number % 2 else (shared, flat)
        one, other = seconds(first), seconds(second)
        ratios.append(other / one if number % 2 else one / other)
    sequences = needed_tokens(rows)
    tokens, taken = num_distinct(sequences) / sum(map(len, sequences)), statistics.median(ratios)
    return (
        figure(f"{title}: tokens, shared / flat", tokens, "-")
        | figure(f"{title}: time, shared / flat", taken, "-")
        | figure(f"{title}: time / tokens", taken / tokens, TARGET)
    )


def stepper(module: Any, rows: Sequence[Row], share_prefixes: Sharing) -> Callable[[], dict[str, float]]:
    """What does one step, always the same one."""
    learner = Learner(module, learning_rate=0.0, max_microbatch_tokens=2**15, share_prefixes=share_prefixes)
    objective: Objective = lambda predictions, batch: reinforce(predictions.logprobs_N, batch.advantages_N)  # noqa: E731
    return lambda: learner.update(rows, objective)


def check_same_work(one: dict[str, float], other: dict[str, float]) -> None:
    """Raises AssertionError when both sides' steps differ: the times would mean nothing."""
    for name in ("loss", "grad_norm", "entropy"):
        if abs(one[name] - other[name]) > 1e-4 * abs(one[name]):
            raise AssertionError(
                f"the step's {name} is {one[name]} with rows apart and {other[name]} with them together"
            )


def seconds(work: Callable[[], object]) -> float:
    """The processor's."""
    start = time.process_time()
    work()
    return time.process_time() - start


def figure(name: str, value: float, target: str) -> Rows:
    return {name: {"value": value, "target": target, "unit": "ratio"}}


if __name__ == "__main__":
    main()
