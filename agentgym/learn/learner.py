"""The learner: one optimizer step from rows and an objective.

Log-probabilities are recomputed from the stored token ids; logits are computed for trained tokens only. A loss
or gradient that is not finite is refused: parameters and optimizer stay as they were, the rows are dumped. Where
several processes learn together all are given the same rows, each computes a share of them, and an update is one step
of them all.
"""

from __future__ import annotations

import contextlib
import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray

from agentgym.errors import NonFiniteError
from agentgym.learn import lead, saved, sharding
from agentgym.learn.aggregation import Aggregation, denominator, token_weights
from agentgym.learn.batch import Microbatch
from agentgym.learn.distributed import World, is_idle, share_of
from agentgym.learn.forward import Predictions, attending, decoder_of, predict, score
from agentgym.learn.masters import Masters, decaying
from agentgym.learn.objectives.estimator import Metrics
from agentgym.learn.rows import Row, teaches
from agentgym.learn.settings import Precision, Schedule, Sharing
from agentgym.learn.sharing import shares
from agentgym.weights import clone, weights_of, whole

__all__ = ["Forward", "Learner", "Objective", "StoppedError", "Stops", "decayed"]

Forward: TypeAlias = Callable[[Any, Microbatch], Any]
"""(module, microbatch) → what the objective is given in place of predictions."""

Objective: TypeAlias = Callable[[Any, Microbatch], tuple[torch.Tensor, Metrics]]
"""(predictions, microbatch) → (loss of each trained token [N], metrics [N])."""

Stops: TypeAlias = Callable[[Mapping[str, float]], bool]
"""Metrics of a step that is about to be taken → whether it is not to be."""


class StoppedError(Exception):
    """A step was not taken, as was asked for; nothing has changed."""


class Learner:
    """Holds the module's optimizer. ``temperature`` is the one that the behavior policy sampled with.

    ``precision`` "bfloat16" runs the forward pass in it, under autocast, while parameters, gradients and optimizer
    stay in their own. Parameters of fewer bits than float32 are stepped in it (``masters``). ``weight_decay`` is that
    of matrices. ``gradient_checkpointing`` keeps no activations inside layers. ``share_prefixes`` is as in
    ``TrainerSettings``; UserError for "on" where ``module`` cannot. ``schedule`` is how the learning rate falls after
    ``warmup_updates`` until ``total_updates``. ``max_tokens_constant`` is the number of tokens that aggregation
    "constant" divides by. ``parameters`` are those to train, default all that want a gradient; ``forward`` is what to
    run, default ``predict``: with both, a critic has a learner of its own. ``world`` are the processes that
    learn together, default those of ``torch.distributed``; with ``shards`` the module's weights are spread over them,
    in place, else each has all of them.
    """

    def __init__(
        self,
        module: Any,
        *,
        learning_rate: float,
        warmup_updates: int = 0,
        schedule: Schedule = "constant",
        total_updates: int | None = None,
        betas: tuple[float, float] = (0.9, 0.95),
        weight_decay: float = 0.0,
        max_grad_norm: float = 1.0,
        max_microbatch_tokens: int = 8192,
        aggregation: Aggregation = "token",
        max_tokens_constant: int | None = None,
        temperature: float = 1.0,
        precision: Precision = "float32",
        gradient_checkpointing: bool = False,
        share_prefixes: Sharing = "auto",
        parameters: Iterable[torch.nn.Parameter] | None = None,
        forward: Forward | None = None,
        dump_dir: Path | None = None,
        world: World | None = None,
        shards: bool = False,
    ) -> None:
        if schedule != "constant" and total_updates is None:
            raise ValueError(f'schedule "{schedule}" falls until the last update; give total_updates')
        if aggregation == "constant" and not max_tokens_constant:
            raise ValueError('aggregation "constant" divides by a number of tokens; give max_tokens_constant')
        self.module, self.world = module, world or World.here()
        self.learning_rate, self.warmup_updates = learning_rate, warmup_updates
        self.schedule, self.total_updates = schedule, total_updates
        self.max_grad_norm, self.max_microbatch_tokens = max_grad_norm, max_microbatch_tokens
        self.aggregation, self.max_tokens_constant = aggregation, max_tokens_constant
        self.temperature, self.precision, self.dump_dir = temperature, precision, dump_dir
        self.share_prefixes: Sharing = share_prefixes
        self.shards = shards and self.world.size > 1
        if self.shards:
            sharding.shard(module)
        if share_prefixes == "on":
            shares(module, [], "on")  # before anything is played for it
        self.forward = forward or self._predict
        if gradient_checkpointing:
            decoder_of(module).gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
        chosen = module.parameters() if parameters is None else parameters
        self.parameters = [parameter for parameter in chosen if parameter.requires_grad]
        self.masters = Masters(self.parameters)
        self.optimizer: torch.optim.Optimizer = torch.optim.AdamW(
            decaying(self.masters.stepped, weight_decay),
            lr=learning_rate,
            betas=betas,
            fused=self.device.type in ("cpu", "cuda"),  # one pass over the memory, 3 to 4 times faster on a CPU
        )
        self.num_updates = 0
        self.place = 0
        """Its number among the learners of a stage, by which processes name it to each other."""
        self.progress = 0.0
        """Share of the training that is over for another reason than updates; the schedule does not lag behind it."""

    @property
    def device(self) -> torch.device:
        """Where the module is."""
        return self.parameters[0].device

    def update(
        self, rows: Sequence[Row], objective: Objective, *, idle: float = 0.0, stops: Stops | None = None
    ) -> dict[str, float]:
        """One optimizer step. Raises NonFiniteError, and then has changed nothing, for a bad loss or gradient.

        Returns loss, gradient norm, learning rate, the share of weights that moved, trained tokens and sequences, and
        the mean under the token weights of the entropy and of the objective's metrics. ``idle`` episodes have no rows
        and yet count under aggregation "constant". ``stops`` is shown the metrics before the step; where it says so,
        StoppedError is raised in its place.
        Raises ValueError when there is no trained token, or for ``idle`` with another aggregation.
        Dropout is off, as it was when the episodes were sampled: with it the ratio would not be 1 on-policy.
        """
        if idle and self.aggregation != "constant":
            raise ValueError(f'idle episodes count with aggregation "constant" alone, found "{self.aggregation}"')
        if not teaches(rows):
            raise ValueError(f"no trained tokens in {len(rows)} rows: there is nothing to learn from")
        total = denominator(rows, self.aggregation) + idle
        weights = token_weights(rows, self.aggregation, total=total, max_tokens=self.max_tokens_constant)
        self.masters.clear()
        totals = self._accumulate_all(rows, weights, objective)
        if not self.shards:
            self.world.sum_gradients(self.masters.stepped)
        totals["grad_norm"] = float(whole(torch.nn.utils.clip_grad_norm_(self.masters.stepped, self.max_grad_norm)))
        if not (math.isfinite(totals["loss"]) and math.isfinite(totals["grad_norm"])):
            self.masters.clear()
            raise NonFiniteError(
                f"loss {totals['loss']}, gradient norm {totals['grad_norm']}: update refused{self._dump(rows)}"
            )
        if stops is not None and stops(totals):
            self.masters.clear()
            raise StoppedError
        num_trained = float(sum(row.num_trained for row in rows))
        return {**totals, **self._step(), "trained_tokens": num_trained, "sequences": float(len(rows))}

    def score_rows(
        self, rows: Sequence[Row], field: Literal["proximal_logprobs", "reference_logprobs"], module: Any = None
    ) -> None:
        """Fill ``field`` of the rows with log-probabilities under the policy as it is, or under ``module``.

        They are computed as in ``update``: until the next step, the ratio to them is exactly 1.
        """
        module = self.module if module is None else module
        shared = shares(module, rows, self.share_prefixes)
        options: dict[str, Any] = {"max_tokens": self.max_microbatch_tokens, "world": self.world, "shares": shared}
        with self._autocast():
            found = score(module, rows, temperature=self.temperature, **options)
        for row, logprobs in zip(rows, found, strict=True):
            setattr(row, field, logprobs)

    def score(self, rows: Sequence[Row], *, temperature: float = 1.0) -> list[NDArray[np.float32]]:
        """Log-probabilities of each row's trained tokens, 0 elsewhere, in the weights' own precision."""

        def told() -> dict[str, Any]:
            return {"of": self.place, "rows": [row.model_dump(mode="json") for row in rows], "temperature": temperature}

        options: dict[str, Any] = {"max_tokens": self.max_microbatch_tokens, "world": self.world}
        with lead.telling("score", told):
            return score(self.module, rows, temperature=temperature, **options)

    # -- weights ---------------------------------------------------------------------------------------

    def weights(self) -> Iterator[tuple[str, torch.Tensor]]:
        """The module's, by the names of its state dict, a shared one once; they change with the next step."""
        with lead.telling("weights", lambda: {"of": self.place}):
            return weights_of(self.module)

    def clone(self) -> Any:
        """A second module with the weights as they are now, which goes on on its own."""
        return clone(self.module)

    def save(self, directory: Path, *, weights: bool = True) -> None:
        """Write all that the next step depends on to ``directory``, which is new; ``weights`` may be kept elsewhere."""
        saved.write(directory, self, weights=weights)

    def load(self, directory: Path, *, weights: bool = True) -> None:
        """Go on from what ``save`` wrote. Raises DataError, and then has changed nothing, when it does not fit."""
        saved.reader(directory, self, weights=weights)()

    # -- a step ----------------------------------------------------------------------------------------

    def _accumulate_all(self, rows: Sequence[Row], weights: Sequence[float], objective: Objective) -> dict[str, float]:
        """Gradients of all microbatches; returns the loss summed over them and over processes, and mean metrics."""
        totals: dict[str, float] = {}
        with _checkpointing(self.module), self.masters.summing(), sharding.computing(self.module):
            shared = shares(self.module, rows, self.share_prefixes)
            own = share_of(self.world, rows, weights, max_tokens=self.max_microbatch_tokens, shares=shared)
            for batch in own:
                for name, value in self._accumulate(batch.to(self.device), objective).items():
                    totals[name] = totals.get(name, 0.0) + value
        totals = self.world.sum_metrics(totals, self.device)
        weight = math.fsum(weight * row.num_trained for weight, row in zip(weights, rows, strict=True)) or 1.0
        return {name: value if name == "loss" else value / weight for name, value in totals.items()}

    def _accumulate(self, batch: Microbatch, objective: Objective) -> dict[str, float]:
        with attending(self.module, batch):
            with self._autocast():
                predictions = self.forward(self.module, batch)
            if is_idle(batch):
                outputs_N = predictions.logprobs_N if isinstance(predictions, Predictions) else predictions
                torch.autograd.backward(outputs_N.sum())
                return {}
            loss_N, metrics = objective(predictions, batch)
            loss = (batch.weights_N * loss_N).sum()
            torch.autograd.backward(loss)
        if isinstance(predictions, Predictions):
            metrics = {"entropy": predictions.entropies_N.detach(), **metrics}
        averaged = {name: float((batch.weights_N * value).sum()) for name, value in metrics.items()}
        return {"loss": loss.item(), **averaged}

    def _predict(self, module: Any, batch: Microbatch) -> Predictions:
        return predict(module, batch, temperature=self.temperature)

    def _autocast(self) -> contextlib.AbstractContextManager[Any]:
        return torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=self.precision == "bfloat16")

    def _step(self) -> dict[str, float]:
        self.num_updates += 1
        ramp = min(1.0, self.num_updates / (self.warmup_updates + 1))
        since = self.num_updates - 1 - self.warmup_updates
        span = (self.total_updates or 0) - self.warmup_updates
        rate = self.learning_rate * ramp * decayed(self.schedule, max(since / max(1, span), self.progress))
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        moved = torch.tensor(self.masters.step(self.optimizer), dtype=torch.float64, device=self.device)
        return {"learning_rate": rate, "moved": float(self.world.sum(moved) if self.shards else moved)}

    def _dump(self, rows: Sequence[Row]) -> str:
        if self.dump_dir is None or not self.world.is_first:
            return ""
        self.dump_dir.mkdir(parents=True, exist_ok=True)
        file = self.dump_dir / f"refused-update-{self.num_updates + 1}.json"
        file.write_text(json.dumps([row.model_dump() for row in rows]))
        return f"; its rows are in {file}"


def decayed(schedule: Schedule, progress: float) -> float:
    """Share of the learning rate that is left after ``progress``, from 0 to 1, of the updates after warm-up.

    "linear": 1 - progress. "cosine": (1 + cos(π progress)) / 2 (arXiv 1608.03983, eq. 5, one period down to 0).
    """
    progress = min(1.0, max(0.0, progress))
    if schedule == "linear":
        return 1.0 - progress
    return (1.0 + math.cos(math.pi * progress)) / 2 if schedule == "cosine" else 1.0


@contextlib.contextmanager
def _checkpointing(module: Any) -> Iterator[None]:
    """Evaluation mode, in which nothing is dropped out, but for what must be in training mode to checkpoint."""
    module.eval()
    try:
        for part in module.modules():
            part.training = bool(getattr(part, "gradient_checkpointing", False))
        yield
    finally:
        module.eval()
