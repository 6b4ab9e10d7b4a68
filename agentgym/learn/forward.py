"""The policy's forward pass over a microbatch: what objectives see of it."""

from __future__ import annotations

import dataclasses
from typing import Any

import torch

from agentgym.learn.batch import Microbatch

__all__ = ["Predictions", "predict"]


@dataclasses.dataclass(slots=True)
class Predictions:
    """What the policy says about the trained tokens of a microbatch; all three can be differentiated.

    With z = logits / temperature at the position before a token.
    """

    logprobs_N: torch.Tensor
    """z[token] - logsumexp(z)."""
    entropies_N: torch.Tensor
    """-∑ p log p with p = softmax(z), in nats."""
    logsumexps_N: torch.Tensor
    """logsumexp(z)."""


def predict(module: Any, batch: Microbatch, *, temperature: float = 1.0) -> Predictions:
    """Predictions for the trained tokens, under ``logits / temperature``."""
    head = module.get_output_embeddings()
    # One output row for each trained token: the hook drops all other positions before the head sees them.
    hook = head.register_forward_pre_hook(lambda _, inputs: (inputs[0][batch.predicts_BT][None],))
    try:
        z_NV = module(input_ids=batch.ids_BT, use_cache=False).logits[0].float() / temperature
    finally:
        hook.remove()
    logsumexps_N = z_NV.logsumexp(-1)
    logprobs_NV = z_NV.log_softmax(-1)
    return Predictions(
        logprobs_N=logprobs_NV.gather(-1, batch.targets_N[:, None])[:, 0],
        entropies_N=-(logprobs_NV.exp() * logprobs_NV).sum(-1),
        logsumexps_N=logsumexps_N,
    )
