"""The reward that a policy implies: β log(π / π_ref) of what was said (AgentRM's implicit one, arXiv 2502.18407).

Of a policy that was trained by preferences or outcomes from a reference, DPO's for instance, the log-ratio is a reward:
that of a turn is the sum over its tokens, and an episode stands at the sum over its turns so far. So no value head
is needed, and any run of ``dpo`` has such a critic: its policy, and the model that it began with.
"""

from __future__ import annotations

import asyncio
import math
import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from pydantic import Field

from agentgym.critic import Critic, finite
from agentgym.errors import ConfigError, DataError, UserError
from agentgym.registry import register
from agentgym.types import Trajectory

if TYPE_CHECKING:
    from agentgym.learn.policy import Policy

__all__ = ["Implicit"]


@register
class Implicit(Critic):
    """The sum over what was said of β log(π / π_ref)."""

    def __init__(
        self,
        model: Annotated[str, Field(min_length=1)],
        reference: Annotated[str, Field(min_length=1)],
        *,
        beta: Annotated[float, Field(gt=0)] = 0.05,
        device: Literal["auto", "cpu", "cuda"] = "auto",
        max_tokens: Annotated[int, Field(ge=1)] = 8192,
    ) -> None:
        """Say which two policies.

        Args:
            model: the trained policy π: a run, a directory or a Hugging Face id.
            reference: the policy π_ref that its training began with, likewise.
            beta: how much a log-ratio counts.
            device: where they are; auto is the first GPU, if there is one.
            max_tokens: tokens that one forward pass may hold; lower it when memory runs out.
        """
        self.model, self.reference, self.beta = model, reference, beta
        self.device, self.max_tokens = device, max_tokens
        self._policies: tuple[Policy, Policy] | None = None
        self._one_at_a_time = threading.Lock()

    async def open(self) -> None:
        """Raises UserError where one cannot be loaded, ConfigError where they read different tokens."""
        policies = await asyncio.to_thread(self._load)
        model, reference = (policy.tokenizer.fingerprint for policy in policies)
        if model != reference:
            raise ConfigError(
                f"the policies have different tokenizers, {self.model} {model} and {self.reference} {reference}; "
                "expected the reference that the policy's training began with"
            )
        self._policies = policies

    def _load(self) -> tuple[Policy, Policy]:
        from agentgym.learn.policy import load_policy
        from agentgym.learn.sources import policy_source

        one, other = (load_policy(policy_source(each), device=self.device) for each in (self.model, self.reference))
        return one, other

    async def close(self) -> None:
        self._policies = None

    async def score(self, trajectories: Sequence[Trajectory]) -> list[float]:
        """Raises DataError for an episode of another tokenizer, or without tokens."""
        return finite([math.fsum(turns.values()) for turns in await self.per_turn(trajectories)])

    async def per_turn(self, trajectories: Sequence[Trajectory]) -> list[dict[int, float]]:
        """Of each episode what each turn that was said in tokens adds to the score. Raises as ``score`` does."""
        if self._policies is None:
            raise UserError(f"the policy {self.model} is not loaded yet; await critic.open() first")
        for trajectory in trajectories:
            self._refuse_foreign(trajectory, self._policies[0].tokenizer.fingerprint)
        samples = [sample for trajectory in trajectories for sample in trajectory.samples]
        ratios = iter(await asyncio.to_thread(self._logratios, samples))
        found: list[dict[int, float]] = []
        for trajectory in trajectories:
            turns: dict[int, float] = {}
            for sample in trajectory.samples:
                ratio_T = next(ratios)
                for turn in np.unique(sample.turn_index[sample.loss_mask]).tolist():
                    said = sample.loss_mask & (sample.turn_index == turn)
                    turns[turn] = turns.get(turn, 0.0) + self.beta * math.fsum(ratio_T[said])
            found.append(turns)
        return found

    def _logratios(self, samples: Sequence[Any]) -> list[Any]:
        """log(π / π_ref) of each token that was said, 0 elsewhere."""
        from agentgym.learn.forward import score
        from agentgym.learn.rows import Row

        assert self._policies is not None
        rows = [Row.of(sample, 0.0) for sample in samples]
        with self._one_at_a_time:  # packed attention is a state of the module
            one, other = (score(policy.module, rows, max_tokens=self.max_tokens) for policy in self._policies)
        return [mine.astype(np.float64) - theirs for mine, theirs in zip(one, other, strict=True)]

    def _refuse_foreign(self, trajectory: Trajectory, fingerprint: str) -> None:
        if trajectory.tokenizer != fingerprint:
            raise DataError(
                f"episode {trajectory.episode_id}: its token ids are those of another tokenizer "
                f"({trajectory.tokenizer or 'unknown'}), {self.model} reads {fingerprint}; score episodes of a policy "
                "with the same vocabulary"
            )
        if not any(sample.num_trained for sample in trajectory.samples):
            raise DataError(
                f"episode {trajectory.episode_id} has no token that was said; expected at least one turn of them"
            )
