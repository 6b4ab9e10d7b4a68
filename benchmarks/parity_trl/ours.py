"""Our side: rows from the same episodes, the trainers' objectives, one update of the learner."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch

from agentgym.learn.advantages import group_zscore, leave_one_out
from agentgym.learn.batch import microbatches
from agentgym.learn.forward import predict
from agentgym.learn.learner import Learner, Objective
from agentgym.learn.rows import Row
from agentgym.learn.settings import Precision
from agentgym.learn.surrogate import SurrogateTrainer
from agentgym.learn.trainer import Trainer
from agentgym.trainers.grpo import GRPO
from benchmarks.parity_trl.material import Episode, Pair, load_model

TRL_EPSILON = 1e-4
"""What TRL adds to a group's deviation."""


def zscores(rewards: Sequence[float], group_size: int) -> list[float]:
    """GRPO's advantages, group by group, with TRL's ε."""
    return [a for group in _groups(rewards, group_size) for a in group_zscore(group, epsilon=TRL_EPSILON)]


def leave_one_outs(rewards: Sequence[float], group_size: int) -> list[float]:
    """RLOO's advantages, group by group."""
    return [a for group in _groups(rewards, group_size) for a in leave_one_out(group)]


def penalized(rewards: Sequence[float], rows: list[Row], trainer: SurrogateTrainer[Any]) -> list[float]:
    """Rewards less what the trainer subtracts for leaving the reference policy."""
    return [reward - sum(trainer.penalty(row).tolist()) for reward, row in zip(rewards, rows, strict=True)]


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
            proximal_logprobs=old[i],
            advantages=[advantages[i]] * len(episode.token_ids),
            reference_logprobs=None if reference is None else reference[i],
        )
        for i, episode in enumerate(episodes)
    ]


def pair_rows(pairs: Sequence[Pair], reference: Callable[[list[int]], list[float]]) -> list[Row]:
    """Two rows for each pair, as dpo makes them: they share a unit, and the rejected one has advantages of -1."""
    rows = []
    for unit, pair in enumerate(pairs):
        for episode, sign in ((pair.chosen, 1.0), (pair.rejected, -1.0)):
            scores = reference(episode.token_ids)
            (row,) = rows_of([episode], [scores], [sign], [scores])
            row.unit = unit
            rows.append(row)
    return rows


def loss_and_gradients(
    policy: Path, rows: list[Row], trainer: Trainer[Any], objective: Objective, temperature: float
) -> tuple[float, dict[str, torch.Tensor]]:
    """The loss of one update and the gradient that it was made with."""
    module = load_model(policy)
    learner = Learner(
        module,
        learning_rate=1e-6,
        max_grad_norm=float("inf"),
        aggregation=trainer.settings.aggregation,
        max_tokens_constant=trainer.settings.aggregation_tokens,
        temperature=temperature,
    )
    loss = learner.update(rows, objective)["loss"]
    return loss, {name: p.grad.clone() for name, p in module.named_parameters() if p.grad is not None}


def stepper(
    policy: Path, episodes: Sequence[Episode], old: Sequence[list[float]], group_size: int, device: str
) -> Callable[[], float]:
    """One update of GRPO at each call, from rows; returns the loss. On a GPU the arithmetic is bfloat16."""
    precision: Precision = "float32" if device == "cpu" else "bfloat16"
    learner = Learner(load_model(policy).to(device), learning_rate=1e-6, precision=precision)
    rows = rows_of(episodes, old, zscores([episode.reward for episode in episodes], group_size))
    trainer = GRPO(GRPO.Settings(epochs=2, clip_low=0.2, clip_high=0.2))
    return lambda: learner.update(rows, trainer.objective)["loss"]


def fit(model: Any, token_ids: list[int]) -> None:
    """Log-probabilities, their mean as a loss, and backward, for one sequence."""
    count = len(token_ids)
    row = Row(token_ids=token_ids, loss_mask=[True] * count, behavior_logprobs=[0.0] * count, advantages=[1.0] * count)
    (batch,) = microbatches([row], [1 / row.num_trained], max_tokens=count)
    predictions = predict(model, batch)
    predictions.entropies_N.detach().mean().item()
    torch.autograd.backward(-(batch.weights_N * predictions.logprobs_N).sum())
