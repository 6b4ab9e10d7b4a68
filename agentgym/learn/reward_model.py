"""A reward model: a critic with a value head that scores moments of episodes, as it is kept beside a run's policy.

    reward_model/weights.safetensors   the trunk, which began as the run's policy, and the head
    reward_model/about.json            the tokenizer that its tokens are of, and what it was trained by

Shape and vocabulary are the policy's, in the same run: it is loaded first, and the weights put over it.
"""

from __future__ import annotations

import dataclasses
import json
import threading
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from agentgym import sealed
from agentgym.errors import DataError, UserError
from agentgym.learn import tensors
from agentgym.learn.critic import Critic, estimate
from agentgym.learn.policy import load_policy
from agentgym.learn.rows import Row
from agentgym.learn.sources import policy_source
from agentgym.moments import last_moment
from agentgym.types import Sample, Trajectory

__all__ = ["REWARD_MODEL", "RewardModel", "leave", "marked"]

REWARD_MODEL = "reward_model"
"""Its directory in that of a run."""
_WEIGHTS, _ABOUT = "weights.safetensors", "about.json"


def marked(sample: Sample, places: Mapping[int, float]) -> Row:
    """A row that is read after each token of ``places``, where its ``returns`` are what they say.

    A model predicts at a token what comes next: it is the next token that is marked, after the last one a stand-in.
    """
    ids = np.append(sample.token_ids, np.int32(0))
    mask, returns, nothing = np.zeros(len(ids), np.bool_), np.zeros(len(ids)), np.zeros(len(ids))
    for place, value in places.items():
        mask[place + 1], returns[place + 1] = True, value
    return Row(
        token_ids=ids,
        loss_mask=mask,
        behavior_logprobs=nothing,
        advantages=nothing,
        returns=returns,
        media=sample.media,
    )


def leave(directory: Path, weights: Iterable[tuple[str, torch.Tensor]], about: Mapping[str, Any]) -> None:
    """Write those of a critic into a run's ``directory``, in place of one that may be there. Raises OSError."""
    place = directory / REWARD_MODEL
    if place.exists():
        sealed.discard(place)

    def fill(aside: Path) -> None:
        tensors.write(aside / _WEIGHTS, dict(weights))
        (aside / _ABOUT).write_text(json.dumps(dict(about)))

    sealed.seal(place, fill)


@dataclasses.dataclass(frozen=True, slots=True)
class RewardModel:
    """Scores episodes at their last turn. ``tokenizer`` is the fingerprint of what it reads."""

    critic: Critic
    tokenizer: str
    max_tokens: int = 8192
    """Of one forward pass."""
    _one_at_a_time: threading.Lock = dataclasses.field(default_factory=threading.Lock)

    @classmethod
    def load(cls, run: str | Path, *, device: str = "auto", max_tokens: int = 8192) -> RewardModel:
        """That of the directory of a run. Raises UserError where there is none, DataError where it is damaged."""
        place = Path(run) / REWARD_MODEL
        if not place.is_dir():
            is_run = (Path(run) / "config.json").is_file()
            raise UserError(
                f"{run} {'is a run without a reward model' if is_run else 'is no run'}; expected the directory of one "
                "that was trained with --trainer reward-model, and whose training is over"
            )
        sealed.check(place)
        policy = load_policy(policy_source(run), device=device)
        critic = Critic(policy.module)
        tensors.read_weights(place / _WEIGHTS, critic)()
        about = sealed.read_json(place / _ABOUT)
        if about.get("tokenizer") != policy.tokenizer.fingerprint:
            raise DataError(
                f"{place} reads the tokens of another tokenizer ({about.get('tokenizer')}) than the run's policy has "
                f"({policy.tokenizer.fingerprint}); put back what was written"
            )
        return cls(critic.eval(), policy.tokenizer.fingerprint, max_tokens)

    def scores(self, trajectories: Sequence[Trajectory]) -> list[float]:
        """What each episode is held to be worth in the end, read at the last token of its last reply.

        Raises DataError for an episode of another tokenizer, or without tokens.
        """
        rows = [self._row(trajectory) for trajectory in trajectories]
        with self._one_at_a_time:  # packed attention is a state of the module
            return estimate(self.critic, rows, max_tokens=self.max_tokens)

    def _row(self, trajectory: Trajectory) -> Row:
        if trajectory.tokenizer != self.tokenizer:
            raise DataError(
                f"episode {trajectory.episode_id}: its token ids are those of another tokenizer "
                f"({trajectory.tokenizer or 'unknown'}), the reward model reads {self.tokenizer}; train one on "
                "episodes of this policy, or of one with the same vocabulary"
            )
        sample, (_, place) = last_moment(trajectory)
        row = Row.of(sample, 0.0)
        end = place + 1
        return row.model_copy(
            update={
                "token_ids": row.token_ids[:end],
                "loss_mask": row.loss_mask[:end],
                "behavior_logprobs": row.behavior_logprobs[:end],
                "advantages": row.advantages[:end],
                "episode": trajectory.episode_id,
            }
        )
