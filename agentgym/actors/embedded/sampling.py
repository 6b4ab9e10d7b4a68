"""How the embedded engine draws: one number a token, for rows that may each be sampled in their own way.

The cumulative distribution is inverted at the row's number, so that a row's token does not depend on the rows beside
it, and its log-probability is that of the very distribution it was drawn from.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch

from agentgym.actors.embedded.rows import Drawn
from agentgym.engine import Sampling
from agentgym.errors import EngineError

__all__ = ["sampled", "truncated"]


def sampled(logits_RV: torch.Tensor, samplings: Sequence[Sampling], uniforms: Sequence[float]) -> list[Drawn]:
    """One token a row. Raises EngineError when a log-probability is not finite."""
    temperatures = torch.tensor([sampling.temperature for sampling in samplings], device=logits_RV.device)
    scale_R = torch.where(temperatures > 0, temperatures, 1.0)
    logprobs_RV = (logits_RV / scale_R[:, None]).log_softmax(-1)
    if any(sampling.is_truncated for sampling in samplings):
        logprobs_RV = torch.stack([truncated(row_V, s) for row_V, s in zip(logprobs_RV, samplings, strict=True)])
    uniform_R = torch.tensor(uniforms, dtype=torch.float64, device=logits_RV.device)
    cumulative_RV = logprobs_RV.double().exp().cumsum(-1)
    drawn_R = torch.searchsorted(cumulative_RV, uniform_R[:, None] * cumulative_RV[:, -1:], right=True)[:, 0]
    best_R = logprobs_RV.argmax(-1)
    chosen_R = torch.where((temperatures > 0) & (drawn_R < logits_RV.shape[-1]), drawn_R, best_R)
    chosen_logprobs = logprobs_RV.gather(-1, chosen_R[:, None])[:, 0].tolist()
    if not all(map(math.isfinite, chosen_logprobs)):
        raise EngineError("a log-probability is not finite: the weights are broken")
    return list(zip(chosen_R.tolist(), chosen_logprobs, strict=True))


def truncated(logprobs_V: torch.Tensor, sampling: Sampling) -> torch.Tensor:
    """Log-probabilities among the tokens that ``top_k``, then ``top_p``, then ``min_p`` keep; −∞ for the others.

    The likeliest token is always kept.
    """
    ordered_V, order_V = logprobs_V.sort(descending=True)
    kept_V = torch.ones_like(ordered_V, dtype=torch.bool)
    if sampling.top_k:
        kept_V[sampling.top_k :] = False
    probabilities_V = ordered_V.masked_fill(~kept_V, float("-inf")).softmax(-1)
    kept_V &= probabilities_V.cumsum(-1) - probabilities_V < sampling.top_p
    kept_V &= ordered_V >= ordered_V[0] + (math.log(sampling.min_p) if sampling.min_p else float("-inf"))
    kept_V[0] = True
    mask_V = torch.zeros_like(kept_V).scatter(0, order_V, kept_V)
    return logprobs_V.masked_fill(~mask_V, float("-inf")).log_softmax(-1)
