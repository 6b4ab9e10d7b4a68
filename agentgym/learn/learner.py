"""The learner: one optimizer step from rows and an objective.

Log-probabilities are recomputed from the stored token ids; logits are computed for trained tokens only. A loss
or gradient that is not finite is refused: parameters and optimizer stay as they were, the rows are dumped.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal, TypeAlias

import torch

from agentgym.errors import NonFiniteError
from agentgym.learn.batch import Aggregation, Microbatch, Row, microbatches, token_weights
from agentgym.learn.forward import Predictions, predict
from agentgym.learn.objectives.estimator import Metrics

__all__ = ["Learner", "Objective", "Precision", "Schedule"]

Precision = Literal["float32", "bfloat16"]
Schedule = Literal["constant", "cosine", "linear"]

Objective: TypeAlias = Callable[[Predictions, Microbatch], tuple[torch.Tensor, Metrics]]
"""(predictions, microbatch) → (loss of each trained token [N], metrics [N])."""


class Learner:
    """Holds the module's optimizer. ``temperature`` is the one that the behavior policy sampled with."""

    def __init__(
        self,
        module: Any,
        *,
        learning_rate: float,
        warmup_updates: int = 0,
        betas: tuple[float, float] = (0.9, 0.95),
        weight_decay: float = 0.0,
        max_grad_norm: float = 1.0,
        max_microbatch_tokens: int = 8192,
        aggregation: Aggregation = "token",
        temperature: float = 1.0,
        dump_dir: Path | None = None,
    ) -> None:
        self.module = module
        self.learning_rate, self.warmup_updates = learning_rate, warmup_updates
        self.max_grad_norm, self.max_microbatch_tokens = max_grad_norm, max_microbatch_tokens
        self.aggregation, self.temperature, self.dump_dir = aggregation, temperature, dump_dir
        self.parameters = [p for p in module.parameters() if p.requires_grad]
        self.optimizer = torch.optim.AdamW(self.parameters, lr=learning_rate, betas=betas, weight_decay=weight_decay)
        self.num_updates = 0

    def update(
        self, rows: Sequence[Row], objective: Objective, *, learning_rate: float | None = None
    ) -> dict[str, float]:
        """One optimizer step. Raises NonFiniteError, and then has changed nothing, for a bad loss or gradient.

        Dropout is off, as it was when the episodes were sampled: with it the ratio would not be 1 on-policy.
        """
        if not any(row.num_trained for row in rows):
            raise ValueError(f"no trained tokens in {len(rows)} rows: there is nothing to learn from")
        weights = token_weights(rows, self.aggregation)
        self.optimizer.zero_grad(set_to_none=True)
        totals: dict[str, float] = {}
        self.module.train(bool(getattr(self.module, "is_gradient_checkpointing", False)))  # which needs that mode
        try:
            for batch in microbatches(rows, weights, max_tokens=self.max_microbatch_tokens):
                for name, value in self._accumulate(batch.to(self.module.device), objective).items():
                    totals[name] = totals.get(name, 0.0) + value
        finally:
            self.module.eval()
        totals["grad_norm"] = float(torch.nn.utils.clip_grad_norm_(self.parameters, self.max_grad_norm))
        if not (_finite(totals["loss"]) and _finite(totals["grad_norm"])):
            self.optimizer.zero_grad(set_to_none=True)
            raise NonFiniteError(
                f"loss {totals['loss']}, gradient norm {totals['grad_norm']}: update refused{self._dump(rows)}"
            )
        self._step(self.learning_rate if learning_rate is None else learning_rate)
        return {**totals, "trained_tokens": float(sum(row.num_trained for row in rows)), "sequences": float(len(rows))}

    def _accumulate(self, batch: Microbatch, objective: Objective) -> dict[str, float]:
        predictions = predict(self.module, batch, temperature=self.temperature)
        loss_N, metrics = objective(predictions, batch)
        loss = (batch.weights_N * loss_N).sum()
        torch.autograd.backward(loss)
        averaged = {name: float((batch.weights_N * value).sum()) for name, value in metrics.items()}
        return {
            "loss": loss.item(),
            "entropy": float((batch.weights_N * predictions.entropies_N.detach()).sum()),
            **averaged,
        }

    def _step(self, learning_rate: float) -> None:
        self.num_updates += 1
        ramp = min(1.0, self.num_updates / (self.warmup_updates + 1))
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate * ramp
        self.optimizer.step()

    def _dump(self, rows: Sequence[Row]) -> str:
        if self.dump_dir is None:
            return ""
        self.dump_dir.mkdir(parents=True, exist_ok=True)
        file = self.dump_dir / f"refused-update-{self.num_updates + 1}.json"
        file.write_text(json.dumps([{name: getattr(row, name) for name in Row.__slots__} for row in rows]))
        return f"; its rows are in {file}"


def _finite(value: float) -> bool:
    return value == value and abs(value) != float("inf")
