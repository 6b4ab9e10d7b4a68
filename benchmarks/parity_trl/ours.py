"""Our side: rows from the same episodes, objectives put together from ``agentgym.learn.objectives``, one update.

Each function here says how a definition of TRL's is written with ours: which log-ratio, which aggregation.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import torch

from agentgym.learn.advantages import group_zscore, leave_one_out
from agentgym.learn.batch import Microbatch, Row, microbatches
from agentgym.learn.forward import Predictions, predict
from agentgym.learn.learner import Learner, Objective, Precision
from agentgym.learn.objectives import preference
from agentgym.learn.objectives.estimator import Metrics, over_old, over_old_sequence, sequence_sum
from agentgym.learn.objectives.kl import kl
from agentgym.learn.objectives.policy_gradient import cispo, clipped_policy_gradient
from benchmarks.parity_trl.material import Episode, Pair, load_model

PairLoss: TypeAlias = Callable[..., tuple[torch.Tensor, Metrics]]
TRL_EPSILON = 1e-4
"""What TRL adds to a group's deviation."""


def zscores(rewards: Sequence[float], group_size: int) -> list[float]:
    """GRPO's advantages, group by group, with TRL's ε."""
    return [a for group in _groups(rewards, group_size) for a in group_zscore(group, epsilon=TRL_EPSILON)]


def leave_one_outs(rewards: Sequence[float], group_size: int) -> list[float]:
    """RLOO's advantages, group by group."""
    return [a for group in _groups(rewards, group_size) for a in leave_one_out(group)]


def penalized(rewards: Sequence[float], rows: Sequence[Row], beta: float) -> list[float]:
    """Rewards less β ∑ log π_old / π_ref over the trained tokens: RLOO's place for the divergence."""
    return [reward - beta * _divergence(row) for reward, row in zip(rewards, rows, strict=True)]


def _divergence(row: Row) -> float:
    assert row.reference_logprobs is not None
    values = zip(row.behavior_logprobs, row.reference_logprobs, row.loss_mask, strict=True)
    return sum(old - reference for old, reference, trained in values if trained)


def _groups(values: Sequence[float], size: int) -> list[Sequence[float]]:
    return [values[i : i + size] for i in range(0, len(values), size)]


def rows_of(
    episodes: Sequence[Episode],
    old: Sequence[list[float]],
    advantages: Sequence[float],
    reference: Sequence[list[float]] | None = None,
) -> list[Row]:
    """One row for each episode; ``old`` and ``reference`` hold a log-probability for each of its tokens."""
    return [
        Row(
            token_ids=episode.token_ids,
            loss_mask=episode.loss_mask,
            behavior_logprobs=old[i],
            advantages=[advantages[i]] * len(episode.token_ids),
            reference_logprobs=None if reference is None else reference[i],
        )
        for i, episode in enumerate(episodes)
    ]


def pair_rows(pairs: Sequence[Pair], reference: Callable[[list[int]], list[float]]) -> list[Row]:
    """Two rows for each pair, the chosen one first; they share a unit."""
    rows = []
    for unit, pair in enumerate(pairs):
        for episode in (pair.chosen, pair.rejected):
            scores = reference(episode.token_ids)
            (row,) = rows_of([episode], [scores], [1.0], [scores])
            row.unit = unit
            rows.append(row)
    return rows


def clipped(
    *,
    clip_low: float = 0.2,
    clip_high: float = 0.2,
    dual_clip: float | None = None,
    level: str = "token",
    kl_coefficient: float = 0.0,
    kl_weighted: bool = False,
) -> Objective:
    """GRPO's loss. ``level``: the ratio of a "token", GSPO's of a "sequence", or RLOO's "whole", without a root.

    A sequence's value stands on each of its tokens, so with aggregation "sequence" it counts once. ``kl_weighted``
    multiplies the divergence by the ratio, as TRL does by default.
    """

    def objective(predictions: Predictions, batch: Microbatch) -> tuple[torch.Tensor, Metrics]:
        now_N, old_N = predictions.logprobs_N, batch.behavior_logprobs_N
        log_ratio_N = {
            "token": lambda: over_old(now_N, old_N),
            "sequence": lambda: over_old_sequence(now_N, old_N, batch.sequences_N),
            "whole": lambda: sequence_sum(now_N - old_N, batch.sequences_N),
        }[level]()
        loss_N, metrics = clipped_policy_gradient(
            log_ratio_N, batch.advantages_N, clip_low=clip_low, clip_high=clip_high, dual_clip=dual_clip
        )
        if kl_coefficient:
            assert batch.reference_logprobs_N is not None
            weights_N = log_ratio_N.exp() if kl_weighted else 1.0
            loss_N = loss_N + kl_coefficient * weights_N * kl(now_N, batch.reference_logprobs_N, "k3")
        return loss_N, metrics

    return objective


def clipped_weight(*, highest: float) -> Objective:
    """CISPO as TRL has it: the weight has no lower bound, and ``highest`` is the bound itself, not 1 + ε.

    TRL's value is −w A log π where ours is −w A; the gradients are the same.
    """

    def objective(predictions: Predictions, batch: Microbatch) -> tuple[torch.Tensor, Metrics]:
        return cispo(
            predictions.logprobs_N,
            batch.behavior_logprobs_N,
            batch.advantages_N,
            clip_low=1.0,
            clip_high=highest - 1,
        )

    return objective


def paired(loss: PairLoss, *, lengths: bool = False, **options: Any) -> Objective:
    """A loss of ``objectives/preference.py``, spread over the tokens of its pairs.

    ``lengths``: it is told how many trained tokens either side has.
    """

    def objective(predictions: Predictions, batch: Microbatch) -> tuple[torch.Tensor, Metrics]:
        assert batch.reference_logprobs_N is not None
        pairs_N, chosen_N = batch.sequences_N // 2, batch.sequences_N % 2 == 0
        num = len(batch.lengths) // 2
        log_ratio_N = predictions.logprobs_N - batch.reference_logprobs_N
        sides = preference.per_side(log_ratio_N, pairs_N, chosen_N, num)
        counts = preference.per_side(torch.ones_like(log_ratio_N), pairs_N, chosen_N, num)
        loss_P, _ = loss(*sides, **options, **({"lengths": counts} if lengths else {}))
        return preference.spread(loss_P, pairs_N), {}

    return objective


def loss_and_gradients(
    policy: Path, rows: list[Row], objective: Objective, **options: Any
) -> tuple[float, dict[str, torch.Tensor]]:
    """The loss of one update and the gradient it was made with; ``options`` go to the learner."""
    module = load_model(policy)
    learner = Learner(module, learning_rate=1e-6, max_grad_norm=float("inf"), **options)
    loss = learner.update(rows, objective)["loss"]
    return loss, {name: p.grad.clone() for name, p in module.named_parameters() if p.grad is not None}


def stepper(
    policy: Path, episodes: Sequence[Episode], old: Sequence[list[float]], group_size: int, device: str
) -> Callable[[], float]:
    """One update of GRPO at each call, from rows; returns the loss. On a GPU the arithmetic is bfloat16."""
    precision: Precision = "float32" if device == "cpu" else "bfloat16"
    learner = Learner(load_model(policy).to(device), learning_rate=1e-6, precision=precision)
    rows = rows_of(episodes, old, zscores([episode.reward for episode in episodes], group_size))
    return lambda: learner.update(rows, clipped())["loss"]


def fit(model: Any, token_ids: list[int]) -> None:
    """Log-probabilities, their mean as a loss, and backward, for one sequence."""
    count = len(token_ids)
    row = Row(token_ids=token_ids, loss_mask=[True] * count, behavior_logprobs=[0.0] * count, advantages=[1.0] * count)
    (batch,) = microbatches([row], [1 / row.num_trained], max_tokens=count)
    predictions = predict(model, batch)
    predictions.entropies_N.detach().mean().item()
    torch.autograd.backward(-(batch.weights_N * predictions.logprobs_N).sum())
