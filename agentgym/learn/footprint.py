"""How much memory training will take, item by item, told before it runs out of it.

Counted for decoders of the usual make (gated feed-forward, normalization before each block) from what autograd keeps;
others differ by their constant factors. Shape legend of the comments: W width, F feed-forward width, H heads, K heads
of keys, S size of a head.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from agentgym.errors import UserError
from agentgym.learn.head import CPU_ROWS, MAX_LOGITS

__all__ = ["available", "check_fits", "estimate", "told"]

_REMEDIES = {
    "weights": "choose a smaller --model",
    "gradients": "train an adapter with --lora",
    "optimizer": "train an adapter with --lora",
    "activations": "lower --trainer.max_microbatch_tokens, or add --trainer.gradient_checkpointing true",
    "logits": "lower --trainer.max_microbatch_tokens",
    "cache": "lower --rollout.concurrency or --engine.max_context",
}


def estimate(
    config: Any,
    *,
    num_parameters: int,
    num_trained: int,
    max_microbatch_tokens: int,
    max_context: int,
    sessions: int = 0,
    element_size: int = 4,
    trained_size: int | None = None,
    autocast: bool = False,
    gradient_checkpointing: bool = False,
    on_cpu: bool = True,
) -> dict[str, int]:
    """Bytes of weights, gradients, optimizer, activations and logits of one microbatch, and the engine's cache.

    ``config`` is the model's, in numbers of ``element_size`` bytes; ``num_trained`` of its ``num_parameters`` are
    trained, in numbers of ``trained_size`` bytes, by default the same. Numbers of two bytes are stepped in copies of
    four, in which their gradients are summed too (``masters``): 18 bytes for each of them with weight and moments,
    against 16 for one of four bytes; what is then smaller are activations and cache. ``sessions`` slots of
    ``max_context`` tokens hold keys and values while episodes are played.
    """
    text = config.get_text_config()
    tokens = max(max_microbatch_tokens, max_context)  # one long row makes a microbatch of its own
    wide, narrow = _kept_per_layer(text)
    per_layer = 4 * wide + (2 if autocast else element_size) * narrow
    kept_layers = 1 + (1 if gradient_checkpointing else text.num_hidden_layers)  # 1: gradients in the layer at work
    between = 4 * text.hidden_size * text.num_hidden_layers if gradient_checkpointing else 0
    chunk = min(CPU_ROWS * text.vocab_size, MAX_LOGITS) if on_cpu else MAX_LOGITS
    kept_logits = tokens * text.vocab_size if tokens * text.vocab_size <= MAX_LOGITS else 0
    copies = 2 * num_parameters if autocast else 0
    trained_size = trained_size or element_size
    has_masters = trained_size < 4
    return {
        "weights": element_size * num_parameters,
        "gradients": max(4, trained_size) * num_trained,
        "optimizer": (2 * max(4, trained_size) + 4 * has_masters) * num_trained,
        "activations": tokens * (per_layer * kept_layers + between) + copies,
        "logits": 4 * (kept_logits + 2 * min(chunk, tokens * text.vocab_size)),
        "cache": 2 * element_size * sessions * max_context * text.num_hidden_layers * _key_width(text),
    }


def check_fits(needed: Mapping[str, int], device: torch.device) -> None:
    """Raise UserError, naming what to lower, when ``needed`` exceeds what is free.

    Leave out of it what is in memory already.
    """
    free = available(device)
    total = sum(needed.values())
    if free is None or total <= free:
        return
    parts = ", ".join(
        f"{name} {told(size)}" for name, size in sorted(needed.items(), key=lambda item: -item[1]) if size
    )
    largest = max(needed, key=lambda name: needed[name])
    raise UserError(
        f"training needs about {told(total)} of memory and {told(free)} are free on {device}: {parts}; "
        f"{_REMEDIES[largest]}"
    )


def available(device: torch.device) -> int | None:
    """Bytes that are free on ``device``; None where that cannot be told."""
    if device.type == "cuda":  # what PyTorch keeps for later counts: it is the device's no longer, and yet free
        kept = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return int(torch.cuda.mem_get_info(device)[0]) + kept
    if device.type != "cpu" or not Path("/proc/meminfo").exists():
        return None
    lines = Path("/proc/meminfo").read_text().splitlines()
    free = next((1024 * int(line.split()[1]) for line in lines if line.startswith("MemAvailable:")), None)
    limit = _limit_of_container(Path("/sys/fs/cgroup"))
    return limit if free is None else free if limit is None else min(free, limit)


def _limit_of_container(group: Path) -> int | None:
    """What a container's memory limit leaves free."""
    try:
        limit, used = (group / "memory.max").read_text().strip(), int((group / "memory.current").read_text())
    except (OSError, ValueError):  # no such limit here
        return None
    return None if limit == "max" else max(0, int(limit) - used)


def _kept_per_layer(text: Any) -> tuple[int, int]:
    """Numbers a layer keeps for one token: in float32, and in the precision of its matrix products.

    Two normalizations keep input, normalized input and output (6 W). Attention keeps query, keys, values and what it
    gives (2 H S + 2 K S), the feed-forward its gate before and after the activation, the other factor and the product
    (4 F).
    """
    query = text.num_attention_heads * _head_size(text)
    feed_forward = getattr(text, "intermediate_size", None) or 4 * text.hidden_size
    return 6 * text.hidden_size, 2 * query + 2 * _key_width(text) + 4 * feed_forward


def _key_width(text: Any) -> int:
    heads = getattr(text, "num_key_value_heads", None) or text.num_attention_heads
    return int(heads) * _head_size(text)


def _head_size(text: Any) -> int:
    return int(getattr(text, "head_dim", None) or text.hidden_size // text.num_attention_heads)


def told(size: int) -> str:
    """A number of bytes for people."""
    return f"{size / 2**30:.1f} GiB" if size >= 2**29 else f"{size / 2**20:.0f} MiB"
