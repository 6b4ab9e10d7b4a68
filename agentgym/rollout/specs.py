"""What to play, and when an episode is cut."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping
from typing import Any, Literal, TypeAlias

from agentgym.strength import STRENGTH
from agentgym.types import Role, TaskId

__all__ = ["EpisodeSpec", "Limits", "OnOverflow", "seed_of"]

OnOverflow: TypeAlias = Literal["stop", "keep-last", "summarize"]
"""What happens when the next turn would not fit the context: see ``context``."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class EpisodeSpec:
    """What to play. ``seed`` seeds the environment and, together with ``member``, the sampling."""

    task: TaskId | None
    seed: int
    options: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    """Given to ``reset`` beside the task; JSON."""
    level: float | None = None
    """How hard the curriculum holds it to be; for the record."""
    strength: float = 0.0
    """How strong the augmentations around the environment are, in [0, 1], where there are some."""
    max_turns: int | None = None
    """Turns that the curriculum lets it have: the smaller of this and of the limits counts; None sets none."""
    split: str = ""
    """Of the task, where it is known; for the record."""
    member: int = 0
    """Place in its group, whose members share task and environment seed."""
    group_id: str = ""
    ordinal: int | None = None
    """Place of the task in the order of training, for the ledger."""
    role: Role = "policy"
    """Who plays."""
    shown_turns: int = 0
    """First turns in which the expert speaks, before whoever plays goes on."""
    rewards: Mapping[str, float] = dataclasses.field(default_factory=dict)
    """Factors of the weights of rewards, by name."""
    preface: str = ""
    """Shown between the instructions and the first observation, for instance another policy's attempt."""
    shows_end: bool = False
    """Whether the policy is shown what it was cut short before, if that fits: for trainers that judge such moments."""
    episode_id: str = ""

    @property
    def reset_options(self) -> dict[str, Any] | None:
        """What ``reset`` is given beside the seed."""
        task = {} if self.task is None else {"task": self.task}
        return {**self.options, **task, **({STRENGTH: self.strength} if self.strength else {})} or None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """When an episode is cut."""

    max_turns: int | None = None
    """None takes the environment's own ``max_turns``."""
    max_reply_tokens: int = 64
    max_invalid_actions: int | None = None
    """End the episode at the first invalid action beyond so many; None never does."""
    max_attempts: int = 2
    """How often an episode is begun when its environment breaks."""
    step_seconds: float | None = 300.0
    """An environment that takes longer for a reset or a step is given up, as if it had broken."""
    episode_seconds: float | None = 3600.0
    """An episode that takes longer is void."""
    shaping_seconds: float | None = 300.0
    """A reward that takes longer to judge has failed: the episodes are not learned from."""
    max_observation_chars: int = 100_000
    """Longer observations lose their middle, and say so."""
    context_tokens: int | None = None
    """Tokens that an episode's context may have; None takes what the engine can hold."""
    on_overflow: OnOverflow = "stop"
    keep_observations: int = 2
    """Observations that "keep-last" leaves in."""


def seed_of(*parts: object) -> int:
    """A 63-bit seed that is a pure function of ``parts``."""
    return int.from_bytes(hashlib.blake2b(repr(parts).encode(), digest_size=8).digest(), "big") >> 1
