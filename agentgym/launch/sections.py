"""Groups of settings: how episodes are played, and the parts of training."""

from __future__ import annotations

from pydantic import Field, model_validator

from agentgym.config import Settings
from agentgym.hosts import Where
from agentgym.rollout import OnOverflow
from agentgym.trainers.sft import SFTSettings

__all__ = [
    "ArchiveSettings",
    "EpisodeSettings",
    "EvalSettings",
    "RecipeSettings",
    "ReplySettings",
    "RolloutSettings",
    "WarmStartSettings",
]

# -- how episodes are played -----------------------------------------------------------------------------


class ReplySettings(Settings):
    """What a policy may say."""

    max_reply_tokens: int = Field(256, ge=1)
    """Tokens a reply may have."""


class EpisodeSettings(ReplySettings):
    """How episodes are played, in training or not."""

    max_turns: int | None = Field(None, ge=1)
    """Turns an episode may have; none given: what the environment says."""
    concurrency: int = Field(64, ge=1)
    """Episodes under way at once."""
    hosts: Where = "loop"
    """Where environments run: in the event loop, in threads, or each in a process of its own."""
    step_seconds: float | None = Field(300.0, gt=0)
    """Deadline of a reset, a step, the expert or the making of an environment; one that misses it is replaced. In the
    event loop only environments that are async can be stopped."""
    episode_seconds: float | None = Field(3600.0, gt=0)
    """Deadline of an episode; one that misses it is void."""
    context_tokens: int | None = Field(None, ge=1)
    """Tokens that an episode's context may have; none given: what the engine can hold."""
    on_overflow: OnOverflow = "stop"
    """What happens beyond: stop the episode as truncated, keep the last observations, or have the policy summarize."""
    keep_observations: int = Field(2, ge=1)
    """Observations that on_overflow "keep-last" leaves in."""
    top_p: float = Field(1.0, gt=0, le=1)
    """Sample from the likeliest tokens that have this probability together; for evaluation only."""
    top_k: int = Field(0, ge=0)
    """Sample from so many of the likeliest tokens, 0 for all; for evaluation only."""
    min_p: float = Field(0.0, ge=0, le=1)
    """Sample from tokens at least this probable, relative to the likeliest; for evaluation only."""

    @model_validator(mode="after")
    def _has_effect(self) -> EpisodeSettings:
        if self.changed("keep_observations") and self.on_overflow != "keep-last":
            raise ValueError('keep_observations has no effect without on_overflow "keep-last"')
        return self


class RolloutSettings(EpisodeSettings):
    """How training episodes are played."""

    temperature: float = Field(1.0, gt=0)
    """Sampling temperature; log-probabilities are those of the tempered distribution."""
    max_invalid_actions: int | None = Field(None, ge=0)
    """End a training episode at the first invalid action beyond so many."""
    shaping_seconds: float | None = Field(300.0, gt=0)
    """Deadline of a reward that asks others to judge; episodes that miss it are not learned from."""


# -- parts of training -----------------------------------------------------------------------------------


class WarmStartSettings(SFTSettings):
    """Imitation of the expert before the trainer takes over; the settings of ``sft`` and when to stop."""

    enabled: bool | None = None
    """None: only for a model made from nothing, in an environment that has an expert."""
    until: float = Field(0.15, ge=0, le=1)
    """Stop at this success of sampled validation episodes."""
    max_updates: int = Field(1000, ge=1)
    """Stop after so many updates in any case."""
    check_every: int = Field(25, ge=1)
    """Updates between two looks at the validation tasks."""
    patience: int = Field(12, ge=1)
    """Stop after so many looks in a row at which neither success nor reward has risen."""


class RecipeSettings(Settings):
    """How a budget is spent (Practitioner's Guide, arXiv 2510.01132, §5.2)."""

    budget: float | None = Field(None, gt=0)
    """Episodes of the policy that it would pay for; none given: no recipe."""
    demonstrations: int = Field(60, ge=0)
    """Expert episodes of the warm start."""
    demonstration_cost: float = Field(10.0, gt=0)
    """What one of them costs, or one that the trainer asks for in an update."""
    passes: int = Field(30, ge=1)
    """How often the warm start sees each."""


class EvalSettings(Settings):
    """How the policy is measured."""

    episodes: int = Field(200, ge=1)
    """Test tasks played before and after training."""
    every: int = Field(10, ge=1)
    """Updates between two looks at the validation tasks; the best policy there is the one that is kept."""
    validation_episodes: int = Field(100, ge=1)
    """Validation tasks a look."""
    temperature: float | None = Field(None, gt=0)
    """That validation and test tasks are sampled at; none given: the rollout's. Test tasks are played greedily too."""


class ArchiveSettings(Settings):
    """Which episodes of the run are kept."""

    keep: float = Field(1.0, ge=0, le=1)
    """Share that is kept, in whole groups: those that a hash of the group's id falls on, the same in every run.
    Episodes that broke are always kept, as are those of the look at the validation tasks before training."""
