"""A step of the learner: seconds, tokens per second, use of the device, and memory beside the project's own estimate.

Utilization counts what the model needs, not what is computed (arXiv 2204.02311, appendix B): two operations a
weight and token in a forward pass, the output head at trained tokens alone, attention for what is seen; backward is
twice that, or once where only an adapter learns. It is a share of the measured peak of matrix products in the number
format in which the step makes them.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any, NamedTuple
from unittest import mock

import torch

from agentgym.learn import footprint, forward
from agentgym.learn.learner import Learner
from agentgym.learn.rows import Row
from agentgym.learn.settings import Precision
from agentgym.trainers.grpo import GRPO
from benchmarks.gpu_rows import models
from benchmarks.gpu_rows.bench import Bench, Memory, Rows, in_turn, matmul_peak, middle, row

__all__ = ["ARITHMETIC", "measure", "operations"]


class Arithmetic(NamedTuple):
    """How a step computes."""

    weights: torch.dtype
    precision: Precision
    products: torch.dtype


ARITHMETIC = {
    "float32": Arithmetic(torch.float32, "float32", torch.float32),
    "bfloat16": Arithmetic(torch.float32, "bfloat16", torch.bfloat16),
    "bfloat16 weights": Arithmetic(torch.bfloat16, "float32", torch.bfloat16),
}
"""As --trainer.precision bfloat16 has it, and as --model.dtype bfloat16."""


def measure(bench: Bench, model: str, arithmetic: str, trains: str) -> Rows:
    """Of rows of unlike lengths, packed and padded; ``trains`` is "full" or "LoRA"."""
    chosen, memory = ARITHMETIC[arithmetic], Memory(bench.device)
    make = models.make_adapted if trains == "LoRA" else models.make
    module = make(bench, model, chosen.weights)
    learner = Learner(
        module, learning_rate=1e-6, precision=chosen.precision, max_microbatch_tokens=bench.microbatch_tokens
    )
    rows = models.rows_of(int(module.config.vocab_size), bench.row_lengths)
    works = {name: functools.partial(_step, learner, rows, packs=name == "packed") for name in ("packed", "padded")}
    seconds = dict(zip(works, in_turn(bench, list(works.values())), strict=True))
    estimate = _estimate(bench, module, chosen, max(bench.row_lengths))
    peak = matmul_peak(bench, chosen.products)
    title, found = (
        f"learner {model}, {arithmetic}, {trains}",
        row(f"learner {model}, {arithmetic}, {trains}, matrix products", peak / 1e12, "TFLOP/s"),
    )
    for name, work in works.items():
        memory.begin()
        work()
        taken = middle(seconds[name])
        needed = operations(module, rows, backward=1 if trains == "LoRA" else 2)
        found |= row(f"{title}, {name}, step", taken, "s")
        found |= row(f"{title}, {name}, tokens", sum(bench.row_lengths) / taken, "tokens/s")
        found |= row(f"{title}, {name}, utilization", needed / taken / peak, "share", ">= 0.40")
        found |= row(f"{title}, {name}, peak memory", memory.peak() / 2**20, "MiB")
        found |= row(f"{title}, {name}, peak memory / estimate", memory.peak() / estimate, "ratio", "<= 1.1")
    return found


def _step(learner: Learner, rows: Sequence[Row], *, packs: bool) -> None:
    """An update as GRPO makes it; without ``packs`` as for a model whose attention cannot be packed."""
    trainer = GRPO(GRPO.Settings())
    with mock.patch.object(forward, "_packs", forward._packs if packs else lambda module, batch: False):
        learner.update(rows, trainer.objective)


def _estimate(bench: Bench, module: Any, chosen: Arithmetic, longest: int) -> int:
    """What ``agentgym train`` would say that the step takes, weights included."""
    trained = [parameter for parameter in module.parameters() if parameter.requires_grad]
    needed = footprint.estimate(
        module.config,
        num_parameters=sum(parameter.numel() for parameter in module.parameters()),
        num_trained=sum(parameter.numel() for parameter in trained),
        max_microbatch_tokens=bench.microbatch_tokens,
        max_context=longest,
        element_size=chosen.weights.itemsize,
        trained_size=trained[0].element_size(),
        autocast=chosen.precision == "bfloat16",
        on_cpu=bench.device.type == "cpu",
    )
    return sum(needed.values())


def operations(module: Any, rows: Sequence[Row], *, backward: int) -> float:
    """That a step on ``rows`` needs; a backward pass counts as ``backward`` forward passes.

    A token sees half of its row on average, and pays for what it sees two products of all heads' width.
    """
    text = module.config.get_text_config()
    head = text.vocab_size * text.hidden_size
    width = text.num_attention_heads * (getattr(text, "head_dim", None) or text.hidden_size // text.num_attention_heads)
    body = sum(parameter.numel() for parameter in module.parameters()) - head  # embeddings are looked up
    num = sum(len(row.token_ids) for row in rows)
    seen = sum(len(row.token_ids) ** 2 for row in rows) / 2
    trained = sum(row.num_trained for row in rows)
    once = 2 * body * num + 2 * head * trained + 4 * text.num_hidden_layers * width * seen
    return float((1 + backward) * once)
