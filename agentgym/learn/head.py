"""Log-probabilities, entropies and normalizers from hidden states, without holding all logits at once.

Shape legend: N trained tokens (flat), D width of the hidden states, V vocabulary; C tokens of one chunk.

Logits are made for some tokens at a time. When those of all tokens fit the limit, what backward needs of them is
kept; otherwise backward makes each chunk again: one more matrix product, for memory that does not grow with N.
With z = logits / temperature, p = softmax(z) and H = -∑ p log p,

    ∂ log p[a] / ∂z = 1[a] - p        ∂ logsumexp(z) / ∂z = p        ∂H / ∂z = -p (log p + H).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import torch
from torch.autograd.function import once_differentiable
from torch.utils.checkpoint import checkpoint

__all__ = ["CPU_ROWS", "MAX_LOGITS", "Outputs", "linear_outputs", "module_outputs", "outputs_of"]

MAX_LOGITS = 2**26
"""Logits that may be held at once: 256 MiB in float32."""

CPU_ROWS = 256
"""Tokens of a chunk on a CPU: enough for the matrix product, few enough that their logits stay in its cache."""

Outputs: TypeAlias = tuple[torch.Tensor, torch.Tensor, torch.Tensor]
"""Log-probabilities [N], entropies [N], normalizers [N]."""


def outputs_of(logits_NV: torch.Tensor, targets_N: torch.Tensor, temperature: float) -> Outputs:
    """The three from logits that are there, in float32 at least."""
    z_NV = _widened(logits_NV) / temperature
    logsumexps_N = z_NV.logsumexp(-1)
    logprobs_NV = z_NV - logsumexps_N[:, None]
    entropies_N = -(logprobs_NV.exp() * logprobs_NV).sum(-1)
    return logprobs_NV.gather(-1, targets_N[:, None])[:, 0], entropies_N, logsumexps_N


def module_outputs(
    logits_of: Callable[[torch.Tensor], torch.Tensor],
    hidden_ND: torch.Tensor,
    targets_N: torch.Tensor,
    *,
    vocabulary: int,
    temperature: float = 1.0,
    max_logits: int = MAX_LOGITS,
) -> Outputs:
    """Of any head: ``logits_of`` maps hidden states [C, D] to logits [C, V]."""

    def of_chunk(hidden_CD: torch.Tensor, targets_C: torch.Tensor) -> Outputs:
        return outputs_of(logits_of(hidden_CD), targets_C, temperature)

    if len(hidden_ND) * vocabulary <= max_logits:
        return of_chunk(hidden_ND, targets_N)
    rows = _rows_at_once(hidden_ND, vocabulary, max_logits)
    chunks = zip(torch.split(hidden_ND, rows), torch.split(targets_N, rows), strict=True)
    parts = [checkpoint(of_chunk, *chunk, use_reentrant=False) for chunk in chunks]
    logprobs, entropies, logsumexps = (torch.cat(part) for part in zip(*parts, strict=True))
    return logprobs, entropies, logsumexps


def linear_outputs(
    hidden_ND: torch.Tensor,
    weight_VD: torch.Tensor,
    bias_V: torch.Tensor | None,
    targets_N: torch.Tensor,
    *,
    temperature: float = 1.0,
    max_logits: int = MAX_LOGITS,
) -> Outputs:
    """Of a linear head, with the gradients written out.

    Matrix products are made in the weights' precision, or in autocast's where that is on; everything else, and the
    sum of the chunks' gradients, in float32 at least.
    """
    apply: Callable[..., Outputs] = _LinearHead.apply
    return apply(hidden_ND, weight_VD, bias_V, targets_N, temperature, max_logits)


class _LinearHead(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        hidden_ND: torch.Tensor,
        weight_VD: torch.Tensor,
        bias_V: torch.Tensor | None,
        targets_N: torch.Tensor,
        temperature: float,
        max_logits: int,
    ) -> Outputs:
        device = hidden_ND.device.type
        ctx.dtype = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else weight_VD.dtype
        ctx.temperature = temperature
        ctx.rows = _rows_at_once(hidden_ND, len(weight_VD), max_logits)
        keeps = any(ctx.needs_input_grad) and len(hidden_ND) * len(weight_VD) <= max_logits
        ctx.kept = [] if keeps else None
        measured = []
        with torch.autocast(device, enabled=False):
            weight = weight_VD.to(ctx.dtype)
            for hidden_CD, targets_C in zip(*(torch.split(x, ctx.rows) for x in (hidden_ND, targets_N)), strict=True):
                z_CV = _logits(hidden_CD.to(ctx.dtype), weight, bias_V, temperature)
                outputs_3C, p_CV = _measure(z_CV, targets_C)
                measured.append(outputs_3C)
                if keeps:
                    ctx.kept.append(p_CV)
        logprobs_N, entropies_N, logsumexps_N = torch.cat(measured, 1).unbind()
        ctx.save_for_backward(hidden_ND, weight_VD, bias_V, targets_N, entropies_N.clone(), logsumexps_N.clone())
        ctx.set_materialize_grads(False)
        return logprobs_N.clone(), entropies_N.clone(), logsumexps_N.clone()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: torch.Tensor | None) -> tuple[torch.Tensor | None, ...]:
        hidden_ND, weight_VD, bias_V, targets_N, entropies_N, logsumexps_N = ctx.saved_tensors
        to_logprobs_N, to_entropies_N, to_logsumexps_N = (
            torch.zeros_like(entropies_N) if gradient is None else gradient / ctx.temperature for gradient in gradients
        )
        kept, ctx.kept = ctx.kept, None  # used up here: a second backward makes its logits again
        wide = entropies_N.dtype
        weight = weight_VD.to(ctx.dtype)
        hidden_grad = torch.empty_like(hidden_ND)
        weight_grad = torch.zeros_like(weight_VD, dtype=wide) if ctx.needs_input_grad[1] else None
        bias_grad = None if bias_V is None else torch.zeros_like(bias_V, dtype=wide)
        for number, start in enumerate(range(0, len(hidden_ND), ctx.rows)):
            at = slice(start, start + ctx.rows)
            hidden_CD = hidden_ND[at].to(ctx.dtype)
            if kept is None:
                z_CV = _logits(hidden_CD, weight, bias_V, ctx.temperature)
                p_CV = z_CV.sub_(logsumexps_N[at, None]).exp_()
            else:
                p_CV, kept[number] = kept[number], None
            to_p_C = to_logsumexps_N[at] - to_logprobs_N[at]
            if gradients[1] is not None:
                z_grad = _with_entropy(p_CV, to_p_C, to_entropies_N[at], entropies_N[at])
            else:
                z_grad = p_CV.mul_(to_p_C[:, None])
            z_grad.scatter_add_(1, targets_N[at, None], to_logprobs_N[at, None])
            narrow = z_grad.to(ctx.dtype)
            hidden_grad[at] = narrow @ weight
            if weight_grad is not None:
                _add_product(weight_grad, narrow.t(), hidden_CD)
            if bias_grad is not None:
                bias_grad += z_grad.sum(0)
        return hidden_grad, weight_grad, bias_grad, None, None, None


def _rows_at_once(hidden_ND: torch.Tensor, vocabulary: int, max_logits: int) -> int:
    limit = max(1, max_logits // vocabulary)
    return limit if hidden_ND.is_cuda else min(limit, CPU_ROWS)


def _widened(values: torch.Tensor) -> torch.Tensor:
    return values if values.dtype is torch.float64 else values.float()


def _logits(
    hidden_CD: torch.Tensor, weight_VD: torch.Tensor, bias_V: torch.Tensor | None, temperature: float
) -> torch.Tensor:
    """z [C, V], the caller's own to overwrite."""
    z_CV = _widened(hidden_CD @ weight_VD.t())
    if bias_V is not None:
        z_CV += bias_V
    return z_CV if temperature == 1 else z_CV.div_(temperature)


def _measure(z_CV: torch.Tensor, targets_C: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Log-probabilities, entropies and normalizers [3, C], and p [C, V]."""
    largest_C1 = z_CV.amax(-1, keepdim=True)
    p_CV = (z_CV - largest_C1).exp_()
    sums_C1 = p_CV.sum(-1, keepdim=True)
    p_CV /= sums_C1
    logsumexps_C = (largest_C1 + sums_C1.log())[:, 0]
    logprobs_C = z_CV.gather(-1, targets_C[:, None])[:, 0] - logsumexps_C
    entropies_C = logsumexps_C - torch.linalg.vecdot(p_CV, z_CV)
    return torch.stack([logprobs_C, entropies_C, logsumexps_C]), p_CV


def _with_entropy(
    p_CV: torch.Tensor, to_p_C: torch.Tensor, to_entropies_C: torch.Tensor, entropies_C: torch.Tensor
) -> torch.Tensor:
    """p × what p is multiplied with, and the entropy's gradient -p (log p + H)."""
    entropy_CV = torch.xlogy(p_CV, p_CV).mul_(to_entropies_C[:, None])
    return p_CV.mul_((to_p_C - to_entropies_C * entropies_C)[:, None]).sub_(entropy_CV)


def _add_product(total: torch.Tensor, left: torch.Tensor, right: torch.Tensor) -> None:
    """total += left @ right, the sum in total's precision."""
    if left.dtype is total.dtype:
        total.addmm_(left, right)
    else:
        total += left @ right
