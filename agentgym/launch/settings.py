"""Everything that a command can be told, in one tree; ``--help``, TOML files and flags all come from it.

A command takes the keys that have an effect there: ``serve`` an environment, ``doctor`` a protocol too, ``play`` a
policy to watch, ``eval`` how its episodes are played, and ``train`` all of them and the rest.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, TypeAlias

from pydantic import BaseModel, Field, model_validator

from agentgym.alarms import AlarmSettings
from agentgym.config import Choice, Reward, Settings, validated
from agentgym.hosts import Where
from agentgym.learn.model_settings import model_settings
from agentgym.registry import plugins
from agentgym.rollout import OnOverflow
from agentgym.trainers.sft import SFTSettings

__all__ = [
    "KINDS",
    "ArchiveSettings",
    "EnvSettings",
    "EpisodeSettings",
    "EvalSettings",
    "MeasureSettings",
    "PolicySettings",
    "RecipeSettings",
    "RolloutSettings",
    "SpeechSettings",
    "TrainSettings",
    "WarmStartSettings",
]

Mode: TypeAlias = Literal["sync", "async", "fully-async"]

KINDS = {
    "env": "environments",
    "protocol": "protocols",
    "engine": "engines",
    "trainer": "trainers",
    "curriculum": "curricula",
}
"""Key → kind of the plug-in that it chooses."""


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
    """Deadline of a reset or a step; an environment that misses it is replaced. In the event loop only environments
    that are async can be stopped."""
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
    until: float = Field(0.1, ge=0, le=1)
    """Stop at this success of sampled validation episodes."""
    max_updates: int = Field(1000, ge=1)
    """Stop after so many updates in any case."""
    check_every: int = Field(25, ge=1)
    """Updates between two looks at the validation tasks."""


class RecipeSettings(Settings):
    """How a budget is spent (Practitioner's Guide, arXiv 2510.01132, §5.2)."""

    budget: float | None = Field(None, gt=0)
    """Episodes of the policy that it would pay for; none given: no recipe."""
    demonstrations: int = Field(60, ge=0)
    """Expert episodes of the warm start."""
    demonstration_cost: float = Field(10.0, gt=0)
    """What one of them costs."""
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


class ArchiveSettings(Settings):
    """Which episodes of the run are kept."""

    keep: float = Field(1.0, ge=0, le=1)
    """Share that is kept, in whole groups: those that a hash of the group's id falls on, the same in every run.
    Episodes that broke are always kept, as are those of the look at the validation tasks before training."""


# -- what commands take ----------------------------------------------------------------------------------


class EnvSettings(Settings):
    """An environment."""

    env: Choice
    """Environment: id or path/to/file.py[:Class]; its options as --env.<option>."""


class SpeechSettings(EnvSettings):
    """An environment and how one talks with it."""

    protocol: Choice = Choice(id="react")
    """Form of the conversation, and its options as --protocol.<option>; none given: "plain" for nano."""


class PolicySettings(SpeechSettings):
    """A policy in an environment."""

    model: Choice = Choice(id="nano")
    """"nano", a Hugging Face id, a model directory or a run directory; its options as --model.<option>."""
    engine: Choice = Choice(id="embedded")
    """What samples, and its options as --engine.<option>."""
    rollout: ReplySettings = ReplySettings()
    """What a policy may say."""
    threads: int | None = Field(None, ge=1)
    """Threads that torch may use; none given: 1 for nano, whose matrices are too small to share, else all cores."""


class MeasureSettings(PolicySettings):
    """Episodes of a policy."""

    rollout: EpisodeSettings = EpisodeSettings()
    """How they are played."""


class TrainSettings(MeasureSettings):
    """A training run."""

    rollout: RolloutSettings = RolloutSettings()
    """Episodes in training."""
    rewards: dict[str, Reward] = Field(default_factory=dict)
    """Shapers added to the environment's reward: --rewards.<id> is the weight, and --rewards.<id>.<option> theirs."""
    trainer: Choice = Choice(id="grpo")
    """Trainer, and its settings as --trainer.<setting>."""
    curriculum: Choice = Choice(id="uniform")
    """Which tasks the trainer plays and how hard they are, and its settings as --curriculum.<setting>."""
    warm_start: WarmStartSettings = WarmStartSettings()
    """Imitation before the trainer takes over."""
    recipe: RecipeSettings = RecipeSettings()
    """A fixed budget, split between the warm start and the trainer."""
    eval: EvalSettings = EvalSettings()
    """Measuring."""
    alarms: AlarmSettings = AlarmSettings()
    """When a run is said to go wrong."""
    archive: ArchiveSettings = ArchiveSettings()
    """Which episodes are kept."""
    mode: Mode = "sync"
    """Learn from episodes of the newest policy ("sync"), or play ahead while learning: in order ("async"), or whichever
    groups are finished first ("fully-async")."""
    max_staleness: int | None = Field(None, ge=1)
    """Updates that the weights may have made since an episode began; none given: 1 for async, 2 for fully-async."""
    updates: int = Field(130, ge=0)
    """Updates of the trainer."""
    max_environment_steps: int | None = Field(None, ge=1)
    """Stop the trainer at the first update after so many turns, the expert's included."""
    max_seconds: float | None = Field(None, gt=0)
    """Stop the trainer at the first update after so long, however many updates are left."""
    seed: int = Field(0, ge=0)
    """Decides initial weights, order of tasks and every sampled token."""
    output: Path | None = None
    """Run directory; none given: runs/<env>-<trainer>-<seed>."""
    watchdog_seconds: float | None = Field(1800, gt=0)
    """End the run, with a dump of what it was doing, after so long without any progress."""
    checkpoint_seconds: float = Field(60, ge=0)
    """Time between two checkpoints; one more is made at the end of each stage and on Ctrl-C."""
    keep_checkpoints: int = Field(2, ge=1)
    """Checkpoints kept, newest first."""

    @model_validator(mode="after")
    def _has_rewards(self) -> TrainSettings:
        if self.rollout.changed("shaping_seconds") and not self.rewards:
            raise ValueError("rollout.shaping_seconds has no effect without rewards")
        return self

    def complete(self) -> dict[str, Any]:
        """Everything as JSON, each plug-in's and the model's own defaults among it.

        Raises UnknownIdError for a plug-in that there is not, ConfigError for an option that one does not take.
        """
        written, model = self.model_dump(mode="json", fallback=repr), self.model
        for key, kind in KINDS.items():
            id, options = getattr(self, key).id, getattr(self, key).options
            written[key] = {"id": id, **_dumped(plugins(kind).checked(id, options))}
        of_model = validated(model_settings(model.id), model.options, where="model")
        written["model"] = {"id": model.id, **_dumped(of_model)}
        written["rewards"] = {
            id: {"weight": reward.weight, **_dumped(plugins("rewards").checked(id, reward.options))}
            for id, reward in self.rewards.items()
        }
        return written


def _dumped(settings: BaseModel) -> dict[str, Any]:
    """As JSON; what has none, a function given from Python, by what it is called."""
    return settings.model_dump(mode="json", fallback=repr, warnings=False)
