"""How the embedded engine draws: one number a token, for rows that may each be sampled in their own way.

The cumulative distribution is inverted at the row's number, so that a row's token does not depend on the rows beside
it, and its log-probability is that of the very distribution it was drawn from. A token's share is as exact as its
probability is in float32, with any number of tokens: blocks are summed in float32, and added up in float64.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch

from agentgym.actors.embedded.rows import Drawn, Row
from agentgym.engine import Sampling
from agentgym.errors import EngineError

__all__ = ["drawn_by_slot", "sampled", "truncated"]


_BLOCK = 256
"""Tokens whose probabilities are summed first: a row is searched for the block, and the block for the token."""


def sampled(logits_RV: torch.Tensor, samplings: Sequence[Sampling], uniforms: Sequence[float]) -> list[Drawn]:
    """One token a row. Raises EngineError when a log-probability is not finite."""
    temperatures = torch.tensor([sampling.temperature for sampling in samplings], device=logits_RV.device)
    if any(sampling.temperature not in (0.0, 1.0) for sampling in samplings):
        logits_RV = logits_RV / torch.where(temperatures > 0, temperatures, 1.0)[:, None]
    logprobs_RV = logits_RV.log_softmax(-1)
    if any(sampling.is_truncated for sampling in samplings):
        rows = zip(logprobs_RV, samplings, strict=True)
        logprobs_RV = torch.stack([truncated(row_V, how) if how.is_truncated else row_V for row_V, how in rows])
    uniform_R = torch.tensor(uniforms, dtype=torch.float64, device=logits_RV.device)
    chosen_R = _inverted(logprobs_RV.softmax(-1), uniform_R)
    if any(sampling.temperature == 0 for sampling in samplings):
        chosen_R = torch.where(temperatures > 0, chosen_R, logprobs_RV.argmax(-1))
    chosen_logprobs = logprobs_RV.gather(-1, chosen_R[:, None])[:, 0].tolist()
    if not all(map(math.isfinite, chosen_logprobs)):
        raise EngineError("a log-probability is not finite: the weights are broken")
    return list(zip(chosen_R.tolist(), chosen_logprobs, strict=True))


def drawn_by_slot(rows: Sequence[Row], logits_RV: torch.Tensor) -> dict[int, list[Drawn]]:
    """What each row draws, and then its twins. Raises as ``sampled`` does."""
    draws = [(place, *how) for place, row in enumerate(rows) for how in ((row.sampling, row.uniform), *row.twins)]
    places, samplings, uniforms = zip(*draws, strict=True)
    if len(draws) > len(rows):
        logits_RV = logits_RV[list(places)]
    found: dict[int, list[Drawn]] = {row.slot: [] for row in rows}
    for place, token in zip(places, sampled(logits_RV, samplings, uniforms), strict=True):
        found[rows[place].slot].append(token)
    return found


def _inverted(probabilities_RV: torch.Tensor, uniform_R: torch.Tensor) -> torch.Tensor:
    """The token of each row whose share of the cumulative distribution its number falls into."""
    rows_R = torch.arange(len(uniform_R), device=uniform_R.device)
    vocabulary = probabilities_RV.shape[-1]
    filled_RV = torch.nn.functional.pad(probabilities_RV, (0, -vocabulary % _BLOCK))
    blocks_RNB = filled_RV.reshape(len(uniform_R), -1, _BLOCK)
    sums_RN = blocks_RNB.sum(-1).double()
    until_RN = sums_RN.cumsum(-1)
    block_R = _above(until_RN, uniform_R)
    sum_R = sums_RN[rows_R, block_R]
    share_R = (uniform_R * until_RN[:, -1] - (until_RN[rows_R, block_R] - sum_R)) / sum_R
    within_R = _above(blocks_RNB[rows_R, block_R].double().cumsum(-1), share_R.clamp(min=0))
    return (block_R * _BLOCK + within_R).clamp(max=vocabulary - 1)


def _above(cumulative_RN: torch.Tensor, share_R: torch.Tensor) -> torch.Tensor:
    """The first place of each row above its share of the whole; where rounding lets none, the last that adds to it."""
    last_R = cumulative_RN[:, -1]
    level_R = torch.minimum(share_R * last_R, last_R.nextafter(torch.zeros_like(last_R)))
    places_R = torch.searchsorted(cumulative_RN, level_R[:, None], right=True)[:, 0]
    return places_R.clamp(max=cumulative_RN.shape[-1] - 1)  # what is no number has no place


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
