"""Policy gradients: from the plain one to the clipped ones, and the critic's loss.

Shape legend: N trained tokens of a microbatch (flat). Metrics carry no gradient.
"""

from __future__ import annotations

import math

import torch

from agentgym.learn.objectives.estimator import Metrics, log_bounds, over_clipped, over_itself, surrogate

__all__ = ["cispo", "clipped_policy_gradient", "reinforce", "value_loss"]


def reinforce(logprobs_N: torch.Tensor, advantages_N: torch.Tensor) -> tuple[torch.Tensor, Metrics]:
    """−A π / sg(π), whose gradient is −A ∇ log π (REINFORCE; with leave-one-out advantages RLOO, arXiv 2402.14740).

    Stability: always; denominator: the policy itself; advantage: as given. The value is −A, whatever π.
    """
    return surrogate(over_itself(logprobs_N), advantages_N), {}


def clipped_policy_gradient(
    log_ratio_N: torch.Tensor,
    advantages_N: torch.Tensor,
    *,
    clip_low: float,
    clip_high: float,
    dual_clip: float | None = None,
) -> tuple[torch.Tensor, Metrics]:
    """−min(ρ A, clip(ρ, 1 − clip_low, 1 + clip_high) A) with ρ = exp(``log_ratio_N``).

    PPO (arXiv 1707.06347, eq. 7) and GRPO (arXiv 2402.03300) with ``over_old``, GSPO (arXiv 2507.18071) with
    ``over_old_sequence``; unequal bounds as in DAPO (arXiv 2503.14476, §3.1). ``dual_clip`` c bounds the loss by
    c |A| where A < 0, whatever the ratio (arXiv 1912.09729).

    Stability: A > 0 and ρ ≤ 1 + clip_high, or A < 0 and 1 − clip_low ≤ ρ ≤ c; elsewhere the value is the bound and
    the gradient 0. Denominator: the one of the log-ratio, so at ρ = 1 the gradient is −A ∇ log π. Advantage: as
    given. Raises ValueError for a ``dual_clip`` of 1 or less.
    """
    if dual_clip is not None and dual_clip <= 1:
        raise ValueError(f"dual_clip must be above 1, found {dual_clip}")
    low, high = log_bounds(clip_low, clip_high)
    ceiling = math.inf if dual_clip is None else math.log(dual_clip)
    # The minimum bounds the ratio from above for a gain, from below for a loss; the dual clip bounds that from above.
    bounded_N = torch.where(advantages_N >= 0, log_ratio_N.clamp(max=high), log_ratio_N.clamp(low, ceiling))
    with torch.no_grad():
        clipped_N = (bounded_N != log_ratio_N) & (advantages_N != 0)
        metrics = {
            "clip_fraction": clipped_N.float(),
            "clip_fraction_low": (clipped_N & (advantages_N < 0) & (log_ratio_N < low)).float(),
            "clip_fraction_high": (clipped_N & (advantages_N > 0)).float(),
            **_ratio_metrics(log_ratio_N),
        }
    return surrogate(bounded_N, advantages_N), metrics


def cispo(
    logprobs_N: torch.Tensor,
    old_logprobs_N: torch.Tensor,
    advantages_N: torch.Tensor,
    *,
    clip_low: float,
    clip_high: float,
) -> tuple[torch.Tensor, Metrics]:
    """−sg(clip(ρ, 1 − clip_low, 1 + clip_high)) A π / sg(π) with ρ = π / π_old (CISPO, arXiv 2506.13585, eq. 4).

    Stability: always; denominator: the policy itself over the clipped ratio; advantage: as given. The gradient is
    −clip(ρ) A ∇ log π for every token: a token beyond the bounds keeps a bounded one. Any ``clip_low`` of 1 or more
    leaves the lower bound out.
    """
    log_ratio_N = (logprobs_N - old_logprobs_N).detach()
    low, high = log_bounds(clip_low, clip_high)
    loss_N = surrogate(over_clipped(logprobs_N, old_logprobs_N, clip_low, clip_high), advantages_N)
    bounded_N = (log_ratio_N < low) | (log_ratio_N > high)
    return loss_N, {"clip_fraction": bounded_N.float(), **_ratio_metrics(log_ratio_N)}


def value_loss(
    values_N: torch.Tensor, old_values_N: torch.Tensor, returns_N: torch.Tensor, *, clip: float | None
) -> tuple[torch.Tensor, Metrics]:
    """½ max((V − R)², (V_old + clip(V − V_old, ±clip) − R)²); with ``clip`` None ½ (V − R)².

    The critic's loss of PPO's first implementation, which its paper does not mention (see arXiv 2005.12729): a value
    that has moved further than ``clip`` towards its return stops there. The policy has no part in it.
    """
    errors_N = (values_N - returns_N) ** 2
    if clip is None:
        return 0.5 * errors_N, {"value_error": errors_N.detach()}
    moved_N = old_values_N + (values_N - old_values_N).clamp(-clip, clip)
    bounded_N = (moved_N - returns_N) ** 2
    clipped_N = (bounded_N > errors_N).float()
    loss_N = 0.5 * torch.maximum(errors_N, bounded_N)
    return loss_N, {"value_error": errors_N.detach(), "value_clip_fraction": clipped_N}


def _ratio_metrics(log_ratio_N: torch.Tensor) -> Metrics:
    """The ratio, whose mean over tokens of the old policy is 1, and the k3 estimate of KL(old ‖ policy)."""
    return {"ratio": log_ratio_N.exp(), "old_kl": torch.expm1(log_ratio_N) - log_ratio_N}
