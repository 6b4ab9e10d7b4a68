"""The learner against TRL: time of a train step on the same work, and memory of log-probabilities and loss.

    python benchmarks/learner.py [--device cuda] [--json FILE]

Needs TRL (``benchmarks/parity_trl/README.md`` says how); without it only memory is measured, against a plain forward
pass. Both sides get the same bytes of a Qwen3 in float32, the same tokens, masks, advantages and old
log-probabilities, and AdamW; the losses of their first steps must agree. A step is forward, loss with metrics,
backward, clipping of the gradient and the optimizer's step. On TRL's side that is its GRPOTrainer's ``training_step``
and what its loop does after it, on a batch that was padded beforehand; on ours it is ``Learner.update`` from rows,
packing included. The two take turns (A B B A …), a ratio is that of neighbors, and the figure is the median of the
ratios with a bootstrap interval; seconds are the processor's, and the clock's on the wall.

Where the difference comes from: TRL computes padding, and on the CPU also the logits of every position; on a GPU it
leaves out those of prompts and observations, as we do everywhere.

With ``--device cuda`` a random Qwen3 of 0.6 billion parameters in bfloat16 arithmetic takes the place of the small
one, and the share of the measured peak of matrix products is printed as well. That part has not been run: no GPU was
at hand.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import multiprocessing
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import torch

from benchmarks.parity_trl import material, ours, theirs
from benchmarks.parity_trl.material import Episode

PAIRS = 7
NUM_EPISODES, GROUP_SIZE = 8, 4
SMALL = {
    "vocab_size": 8192,
    "hidden_size": 256,
    "intermediate_size": 768,
    "num_hidden_layers": 8,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 64,
}
"""8 million parameters, a quarter of them in the head, as in Qwen3 0.6B."""
LARGE = {
    "vocab_size": 151_936,
    "hidden_size": 1024,
    "intermediate_size": 3072,
    "num_hidden_layers": 28,
    "num_attention_heads": 16,
    "num_key_value_heads": 8,
    "head_dim": 128,
}
TARGETS = {"ragged": "<= 0.60", "equal": "<= 0.90"}
HAS_TRL = importlib.util.find_spec("trl") is not None
MEMORY_VOCABULARY, MEMORY_TOKENS = 150_000, 4096

Rows = dict[str, dict[str, float | str]]


class Seconds(NamedTuple):
    """What one step took."""

    processor: float
    wall: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--json", type=Path, help="write the figures there as well")
    arguments = parser.parse_args()
    rows: Rows = {}
    for measured in (measure_memory(), *measure_steps(arguments.device)):
        for name, row in measured.items():
            ends = f" [{row['low']:.3f}, {row['high']:.3f}]" if "low" in row else ""
            print(f"{name:48} {row['value']:>10,.4g} {row['unit']:8} (target {row['target']}){ends}", flush=True)
        rows |= measured
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")


def batches(vocabulary: int, scale: int) -> dict[str, list[Episode]]:
    """Eight episodes of lengths so different that half of a padded batch is padding, and eight of one length."""
    prompts, completions = list(range(4, 100, 12)), list(range(8, 296, 36))
    lengths = {
        "ragged": (random.Random(1).sample(prompts, NUM_EPISODES), completions),
        "equal": ([48] * NUM_EPISODES, [144] * NUM_EPISODES),
    }
    return {
        name: material.of_lengths([scale * n for n in first], [scale * n for n in second], vocabulary=vocabulary)
        for name, (first, second) in lengths.items()
    }


def measure_steps(device: str) -> Iterator[Rows]:
    """Both kinds of batch with each number of threads, one after the other."""
    if not HAS_TRL:
        print("TRL is not installed: no times; see benchmarks/parity_trl/README.md")
        return
    sizes, scale, threads = (SMALL, 1, (1, 2)) if device == "cpu" else (LARGE, 4, (torch.get_num_threads(),))
    with tempfile.TemporaryDirectory() as folder:
        model = material.write_model(Path(folder), seed=0, initializer_range=0.02, **sizes)
        for name, episodes in batches(sizes["vocab_size"], scale).items():
            for num_threads in threads:
                torch.set_num_threads(num_threads)
                title = f"{name} lengths, {num_threads} thread{'s' if num_threads > 1 else ''}"
                yield measure_pair(title, model, episodes, device, TARGETS[name])


def measure_pair(title: str, model: Path, episodes: list[Episode], device: str, target: str) -> Rows:
    """Alternating steps of both sides on one batch."""
    policy = material.load_model(model)
    old = [material.drifted(material.logprobs(policy, e.token_ids), seed) for seed, e in enumerate(episodes)]
    mine = ours.stepper(model, episodes, old, GROUP_SIZE, device)
    its = theirs.stepper(model, episodes, old, GROUP_SIZE, device)
    check_same_work(mine(), its(), tolerance=1e-5 if device == "cpu" else 1e-2)
    taken = in_pairs(mine, its, pairs=PAIRS)
    rows: Rows = {}
    for clock in Seconds._fields:
        own, other = ([getattr(pair[side], clock) for pair in taken] for side in (0, 1))
        ratios = [a / b for a, b in zip(own, other, strict=True)]
        rows |= row(f"{title}, ours, {clock}", statistics.median(own), "-", "s")
        rows |= row(f"{title}, TRL, {clock}", statistics.median(other), "-", "s")
        rows |= row(f"{title}, ours / TRL, {clock}", statistics.median(ratios), target, "ratio", interval(ratios))
    if device == "cuda":
        tokens = sum(len(episode.token_ids) for episode in episodes)
        work = 6 * tokens * sum(parameter.numel() for parameter in policy.parameters())
        seconds = float(rows[f"{title}, ours, wall"]["value"])
        rows |= row(f"{title}, ours, share of matmul peak", work / seconds / matmul_peak(), ">= 0.40", "share")
    return rows


def matmul_peak(size: int = 8192, rounds: int = 20) -> float:
    """Operations per second of large bfloat16 matrix products on the GPU."""
    square = torch.randn(size, size, device="cuda", dtype=torch.bfloat16)
    timed(lambda: square @ square)
    return rounds * 2 * size**3 / timed(lambda: [square @ square for _ in range(rounds)]).wall


def check_same_work(own: float, other: float, *, tolerance: float) -> None:
    """Raises AssertionError when the losses of the first step differ: the times would mean nothing."""
    if abs(own - other) > tolerance:
        raise AssertionError(f"the first step's loss is {own} here and {other} in TRL; expected the same")


def in_pairs(one: Callable[[], object], two: Callable[[], object], *, pairs: int) -> list[tuple[Seconds, Seconds]]:
    """Seconds of both, measured one after the other; who goes first alternates."""
    taken = []
    for i in range(pairs):
        if i % 2:
            second = timed(two)
            taken.append((timed(one), second))
        else:
            taken.append((timed(one), timed(two)))
    return taken


def timed(work: Callable[[], object]) -> Seconds:
    processor, wall = time.process_time(), time.perf_counter()
    work()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return Seconds(time.process_time() - processor, time.perf_counter() - wall)


def interval(values: Sequence[float], *, draws: int = 2000) -> tuple[float, float]:
    """95 % bootstrap interval of the median."""
    rng = random.Random(0)
    medians = sorted(statistics.median(rng.choices(values, k=len(values))) for _ in range(draws))
    return medians[int(0.025 * draws)], medians[int(0.975 * draws)]


def measure_memory() -> Rows:
    """Peaks above what the process held before, each in a process of its own."""
    sides = ["ours", "plain", *(["TRL"] if HAS_TRL else [])]
    peaks = {side: in_own_process(peak_memory, side) for side in sides}
    size = f"{MEMORY_VOCABULARY // 1000}k words, {MEMORY_TOKENS} tokens, memory"
    rows: Rows = {}
    for side, peak in peaks.items():
        rows |= row(f"{size}, {side}", peak, "-", "MiB")
    for side, target in (("plain", "<= 0.35"), ("TRL", "-")):
        if side in peaks:
            rows |= row(f"{size}, ours / {side}", peaks["ours"] / peaks[side], target, "ratio")
    return rows


def in_own_process(work: Callable[..., float], *arguments: Any) -> float:
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(work, *arguments).result()


def peak_memory(side: str) -> float:
    """MiB that log-probabilities, entropies, loss and backward take on top of a model of one thin layer."""
    torch.set_num_threads(2)
    sizes = {"vocab_size": MEMORY_VOCABULARY, "num_hidden_layers": 1}
    with tempfile.TemporaryDirectory() as folder:
        model = material.load_model(material.write_model(Path(folder), seed=0, **sizes))
    work = {"ours": ours.fit, "plain": plain_fit, "TRL": theirs.fit}[side]
    work(model, [5] * 64)
    before = peak_so_far()
    work(model, random.Random(0).choices(range(2, MEMORY_VOCABULARY), k=MEMORY_TOKENS + 1))
    return peak_so_far() - before


def plain_fit(model: Any, token_ids: list[int]) -> None:
    """What a trainer without care for memory does: all logits, their log-softmax, entropy, and backward."""
    ids_BT = torch.tensor([token_ids])
    logprobs_BTV = model(input_ids=ids_BT, use_cache=False).logits[:, :-1].log_softmax(-1)
    with torch.no_grad():
        (-(logprobs_BTV.exp() * logprobs_BTV).sum(-1)).mean().item()
    torch.autograd.backward(-logprobs_BTV.gather(-1, ids_BT[:, 1:, None]).mean())


def peak_so_far() -> float:
    """MiB that this process held at most; ru_maxrss would count the process that started it."""
    return int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) / 1024


def row(name: str, value: float, target: str, unit: str, within: tuple[float, float] | None = None) -> Rows:
    ends = {} if within is None else {"low": within[0], "high": within[1]}
    return {name: {"value": value, "target": target, "unit": unit, **ends}}


if __name__ == "__main__":
    main()
