"""Supervised fine-tuning on the environment's own expert, or on recorded episodes.

The loss is on the expert's tokens. ``observation_weight`` adds a smaller one on what the environment says: for a
policy made from nothing, predicting the page is where most of the signal for learning to copy is. Leave it at 0
for a pretrained model. ``--trainer.data`` imitates recorded successes instead (rejection-sampling fine-tuning), and
with ``failure_weight`` the rest beside them for a little (C-RLFT, arXiv 2309.11235). Departs from that paper in weights
alone: there the prompt says too which class is asked for, but what was recorded is not written anew.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from pydantic import Field, model_validator

from agentgym.archive import Card
from agentgym.curriculum import Curriculum, TaskOrder, drawn
from agentgym.errors import DataError
from agentgym.learn import objectives
from agentgym.learn.frozen import Frozen
from agentgym.learn.players import Players
from agentgym.learn.rows import Row, rows_of, unite, whole
from agentgym.learn.trainer import Equipment, Lesson, Trainer, TrainerSettings
from agentgym.recorded import Recorded
from agentgym.registry import register
from agentgym.rollout import EpisodeSpec, seed_of
from agentgym.tokenizer import ChatTokenizer
from agentgym.types import Trajectory

if TYPE_CHECKING:
    import torch

    from agentgym.learn.batch import Microbatch
    from agentgym.learn.forward import Predictions
    from agentgym.learn.objectives.estimator import Metrics

__all__ = ["SFT", "SFTSettings"]

_WITH_REFERENCE = ("iw", "iw_token", "f_divergence")


class SFTSettings(TrainerSettings):
    """Settings of ``sft``."""

    batch_size: int = Field(8, ge=1)
    """Expert episodes an update."""
    observation_weight: float = Field(0.0, ge=0, le=1)
    """Weight of the loss on observation tokens, relative to the expert's own."""
    demonstrations: int | None = Field(None, ge=1)
    """Distinct expert episodes; later updates see them again in another order. None: as many as there are tasks."""
    data: Path | None = None
    """Imitate the successful episodes of this run, archive or JSONL file (agentgym record --output PATH) instead of the
    expert."""
    failure_weight: float = Field(0.0, ge=0, le=1)
    """data: imitate the other episodes too, with this weight beside 1 for a success (C-RLFT, arXiv 2309.11235)."""
    loss: Literal["nll", "dft", "iw", "iw_token", "psft", "f_divergence"] = "nll"
    """Plain, or with a weight for each token (dft, arXiv 2508.05629), for each episode or token by how much likelier
    it has become (iw and iw_token, arXiv 2507.12856), with a bounded ratio (psft, arXiv 2508.17784, which wants
    several epochs or minibatches), or by a divergence that holds it near where it began (f_divergence, after arXiv
    2507.00018)."""
    clip_high: float = Field(0.28, ge=0)
    """psft: the ratio has no gradient above 1 + clip_high."""
    divergence: Literal["kl", "pearson"] = "pearson"
    """f_divergence: which; a token's gradient falls exponentially or in a line with how much likelier it has become."""
    beta: float = Field(0.1, gt=0)
    """f_divergence: how fast it falls with the log-ratio."""

    @model_validator(mode="after")
    def _goes_together(self) -> SFTSettings:
        for key, loss in (("clip_high", "psft"), ("divergence", "f_divergence"), ("beta", "f_divergence")):
            if self.changed(key) and self.loss != loss:
                raise ValueError(f"{key} has no effect with loss {self.loss}, only with {loss}")
        if self.failure_weight and self.data is None:
            raise ValueError("failure_weight has no effect without data: an expert's episodes are imitated as they are")
        if self.loss == "psft" and self.epochs * self.minibatches == 1:
            raise ValueError("loss psft bounds the steps after the first: it needs epochs or minibatches above 1")
        return self


@register
class SFT(Trainer[SFTSettings]):
    """Imitate the expert."""

    Settings = SFTSettings
    nano: ClassVar[Mapping[str, Any]] = {
        "learning_rate": 3e-3,
        "warmup_updates": 30,
        "batch_size": 8,
        "observation_weight": 0.3,
    }
    plays_policy = False
    reference: Frozen | None = None
    recorded: Recorded | None = None
    """Episodes to imitate, once they are found, and the cards of those that are."""
    imitated: Sequence[Card] = ()

    def check(self, tokenizer: ChatTokenizer) -> None:
        if self.settings.data is None or self.recorded is not None:
            return
        self.recorded = Recorded(self.settings.data, tokenizer)
        self.imitated = [card for card in self.recorded.cards if card.success or self.settings.failure_weight]
        if not any(card.success for card in self.imitated):
            raise DataError(f"{self.settings.data} has {len(self.recorded.cards)} episodes and no success to imitate")

    def prepare(self, equipment: Equipment) -> None:
        super().prepare(equipment)
        self.check(equipment.tokenizer)
        self.reference = Frozen(equipment.learner) if self.settings.loss in _WITH_REFERENCE else None

    async def close(self) -> None:
        recorded, self.recorded = self.recorded, None
        if recorded is not None:
            recorded.close()

    def modules(self) -> dict[str, torch.nn.Module]:
        return self.reference.modules() if self.reference else {}

    @property
    def plays(self) -> bool:
        return self.settings.data is None

    @property
    def needs_expert(self) -> bool:
        return self.settings.data is None

    def specs(self, update: int, draws: Curriculum) -> list[EpisodeSpec]:
        places = self._places(update, self.settings.demonstrations, draws.seed)
        plays = [(n, drawn(draws, n)) for n in places]
        return [
            EpisodeSpec(
                task=draw.task,
                options=draw.options,
                level=draw.level,
                strength=draw.strength or 0.0,
                split="train",
                seed=seed_of(draws.seed, "sft", n),
                ordinal=update * self.settings.batch_size + i,
                role="expert",
                episode_id=f"sft-{update}-{n}-{i}",
            )
            for i, (n, draw) in enumerate(plays)
        ]

    def _places(self, update: int, num: int | None, seed: int) -> list[int]:
        """Which demonstrations an update sees: of ``num``, each once before any comes again."""
        ordinals = range(update * self.settings.batch_size, (update + 1) * self.settings.batch_size)
        if num is None:
            return list(ordinals)
        again = TaskOrder(range(num), seed=seed)
        return [int(again[ordinal]) for ordinal in ordinals]

    async def play(self, update: int, players: Players) -> list[Trajectory]:
        if self.recorded is None:
            return await players.expert(self.specs(update, players.draws), shaped=False)
        places = self._places(update, len(self.imitated), players.draws.seed)
        first = update * self.settings.batch_size
        return [self.recorded.fetch(self.imitated[n], ordinal=ordinal) for ordinal, n in enumerate(places, start=first)]

    def lesson(self, update: int, trajectories: Sequence[Trajectory]) -> Lesson:
        counted = [trajectory for trajectory in trajectories if not trajectory.stop_reason.is_void]
        void = {t.ordinal: "void" for t in trajectories if t.stop_reason.is_void and t.ordinal is not None}
        episodes = [whole([self._observed(row) for row in rows_of(trajectory, 1.0)]) for trajectory in counted]
        for trajectory, rows in zip(counted, episodes, strict=True):
            if self.recorded is not None and not trajectory.success:
                for row in rows:
                    row.advantages = self.settings.failure_weight * row.advantages
        if self.settings.loss == "iw":
            unite(episodes)
        rows = [row for episode in episodes for row in episode]
        if self.settings.loss == "psft":
            self.equipment.learner.score_rows(rows, "proximal_logprobs")
        if self.reference is not None:
            self.reference.score(self.equipment.learner, rows)
        return Lesson(rows, rejected=void)

    def _observed(self, row: Row) -> Row:
        """``row``, with a loss on observations too if they are to be learned."""
        weight = self.settings.observation_weight
        if weight:
            row.advantages = np.where(row.loss_mask, 1.0, weight)
            row.loss_mask = np.ones_like(row.loss_mask)
        return row

    def objective(self, predictions: Predictions, batch: Microbatch) -> tuple[torch.Tensor, Metrics]:
        loss_N, metrics = self._loss(predictions.logprobs_N, batch)
        return batch.advantages_N * loss_N, metrics

    def _loss(self, logprobs_N: torch.Tensor, batch: Microbatch) -> tuple[torch.Tensor, Metrics]:
        imitation = objectives.imitation
        match self.settings.loss:
            case "dft":
                return imitation.dft(logprobs_N)
            case "iw":
                assert batch.reference_logprobs_N is not None
                return imitation.iw_sft(logprobs_N, batch.reference_logprobs_N, batch.units_N)
            case "iw_token":
                assert batch.reference_logprobs_N is not None
                return imitation.iw_sft_token(logprobs_N, batch.reference_logprobs_N)
            case "psft":
                assert batch.proximal_logprobs_N is not None
                return imitation.psft(logprobs_N, batch.proximal_logprobs_N, clip_high=self.settings.clip_high)
            case "f_divergence":
                assert batch.reference_logprobs_N is not None
                beta, divergence = self.settings.beta, self.settings.divergence
                return imitation.f_divergence(logprobs_N, batch.reference_logprobs_N, beta=beta, divergence=divergence)
        return imitation.imitation(logprobs_N)
