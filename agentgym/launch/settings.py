"""Everything a training run can be told, in one tree; ``--help``, TOML files and flags all come from it.

A key that would have no effect in the chosen combination is an error that names it.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, model_validator

from agentgym.alarms import AlarmSettings
from agentgym.config import Choice, Settings, long_form, merged, validated
from agentgym.errors import ConfigError, did_you_mean
from agentgym.hosts import Where
from agentgym.launch.recipe import RecipeSettings, refuse_contradictions, stages
from agentgym.launch.staleness import Mode, play_ahead
from agentgym.rollout import OnOverflow
from agentgym.trainers.sft import SFTSettings

__all__ = [
    "EvalSettings",
    "HFSettings",
    "RolloutSettings",
    "TrainSettings",
    "WarmStartSettings",
    "check_options",
    "resolve",
]


class HFSettings(Settings):
    """Options of ``--model`` when it is a Hugging Face id or a directory."""

    lora: bool = False
    """Train a low-rank adapter instead of all weights (arXiv 2106.09685); --lora for short."""
    lora_rank: int = Field(16, ge=1)
    """Rank of the adapter."""
    device: str = "auto"
    """A torch device; "auto" takes a GPU if there is one."""
    dtype: Literal["float32", "bfloat16"] = "float32"
    """Type of the weights."""


class RolloutSettings(Settings):
    """How training episodes are played."""

    temperature: float = Field(1.0, gt=0)
    """Sampling temperature; log-probabilities are those of the tempered distribution."""
    max_turns: int | None = Field(None, ge=1)
    """Turns an episode may have; none given: what the environment says."""
    max_reply_tokens: int = Field(256, ge=1)
    """Tokens a reply may have."""
    max_invalid_actions: int | None = Field(None, ge=0)
    """End a training episode at the first invalid action beyond so many."""
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
    def _has_effect(self) -> RolloutSettings:
        if self.changed("keep_observations") and self.on_overflow != "keep-last":
            raise ValueError('keep_observations has no effect without on_overflow "keep-last"')
        return self


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


class EvalSettings(Settings):
    """How the policy is measured."""

    episodes: int = Field(200, ge=1)
    """Test tasks played before and after training."""
    every: int = Field(10, ge=1)
    """Updates between two looks at the validation tasks; the best policy there is the one that is kept."""
    validation_episodes: int = Field(100, ge=1)
    """Validation tasks a look."""


class TrainSettings(Settings):
    """A training run."""

    env: Choice
    """Environment: id or path/to/file.py[:Class]; its options as --env.<option>."""
    trainer: Choice = Choice(id="grpo")
    """Trainer, and its settings as --trainer.<setting>."""
    model: Choice = Choice(id="nano")
    """"nano", a Hugging Face id, a model directory or a run directory; its options as --model.<option>."""
    engine: Choice = Choice(id="embedded")
    """What samples, and its options as --engine.<option>."""
    protocol: Choice | None = None
    """Form of the conversation; none given: "plain" for nano, "react" otherwise."""
    rewards: dict[str, float] = Field(default_factory=dict)
    """Shapers added to the environment's reward: name = weight."""
    rollout: RolloutSettings = RolloutSettings()
    """Episodes in training."""
    warm_start: WarmStartSettings = WarmStartSettings()
    """Imitation before the trainer takes over."""
    recipe: RecipeSettings = RecipeSettings()
    """A fixed budget, split between the warm start and the trainer."""
    eval: EvalSettings = EvalSettings()
    """Measuring."""
    alarms: AlarmSettings = AlarmSettings()
    """When a run is said to go wrong."""
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
    threads: int | None = Field(None, ge=1)
    """Threads that torch may use; none given: 1 for nano, whose matrices are too small to share, else all cores."""
    output: Path | None = None
    """Run directory; none given: runs/<env>-<trainer>-<seed>."""
    watchdog_seconds: float | None = Field(1800, gt=0)
    """End the run, with a dump of what it was doing, after so long without any progress."""
    checkpoint_seconds: float = Field(60, ge=0)
    """Time between two checkpoints; one more is made at the end of each stage and on Ctrl-C."""
    keep_checkpoints: int = Field(2, ge=1)
    """Checkpoints kept, newest first."""


_DEFAULT_IDS = {"trainer": "grpo", "model": "nano", "engine": "embedded"}
"""Ids of choices of which only options are given."""

NANO_DEFAULTS: dict[str, Any] = {
    "rewards": {"success": 2.0},
    "threads": 1,
    "protocol": {"id": "plain"},
    "rollout": {"max_reply_tokens": 24, "max_invalid_actions": 0, "concurrency": 128},
    "warm_start": {"learning_rate": 3e-3, "warmup_updates": 30, "batch_size": 4, "observation_weight": 0.3},
}
"""What a small policy made from nothing wants where the user says nothing."""

NANO_TRAINER_DEFAULTS: dict[str, dict[str, Any]] = {
    "grpo": {"learning_rate": 1e-3, "warmup_updates": 5, "aggregation": "sequence"},
    "rloo": {"learning_rate": 1e-3, "warmup_updates": 5},
    "ppo": {"learning_rate": 5e-4, "warmup_updates": 5, "critic_learning_rate": 2e-3, "episodes": 128},
    "dpo": {"learning_rate": 5e-4, "warmup_updates": 5},
    "mixed": {"learning_rate": 1e-3, "warmup_updates": 5, "aggregation": "sequence"},
    "cory": {"learning_rate": 1e-3, "warmup_updates": 5, "aggregation": "sequence"},
    "sft": {"learning_rate": 3e-3, "warmup_updates": 30, "batch_size": 4, "observation_weight": 0.3},
}

NANO_ENGINE_DEFAULTS: dict[str, dict[str, Any]] = {"vllm": {"width": 128}}
"""What a small policy made from nothing must be for an engine: on a CPU vLLM serves heads of some sizes only."""


def resolve(given: Mapping[str, Any]) -> TrainSettings:
    """Settings with defaults filled in for the chosen model. Raises ConfigError."""
    given = long_form(given)
    if "lora" in given:
        given = merged(given, {"model": {"lora": given.pop("lora")}})
    for key, default in _DEFAULT_IDS.items():
        if isinstance(given.get(key), Mapping):
            given[key] = {"id": default, **given[key]}
    first = validated(TrainSettings, given)
    defaults: dict[str, Any] = {}
    if first.model.id == "nano":
        defaults = merged(
            NANO_DEFAULTS,
            {"trainer": {"id": first.trainer.id, **NANO_TRAINER_DEFAULTS.get(first.trainer.id, {})}},
            {"model": {"id": "nano", **NANO_ENGINE_DEFAULTS.get(first.engine.id, {})}},
        )
    settings = validated(TrainSettings, merged(defaults, given))
    if settings.recipe.budget is not None:
        refuse_contradictions(given)
        trainer, warm = settings.trainer, settings.warm_start
        decided = stages(settings.recipe, trainer.id, trainer.options, batch_size=warm.batch_size)
        settings = validated(TrainSettings, merged(defaults, given, decided))
    elif first.recipe.model_fields_set:
        raise ConfigError(f"recipe.{min(first.recipe.model_fields_set)} has no effect without recipe.budget")
    if settings.protocol is None:
        settings.protocol = Choice(id="react")
    play_ahead(settings)
    # Which keys the user set decides what counts as having no effect; the defaults above do not.
    settings.warm_start.__pydantic_fields_set__ = set(first.warm_start.model_fields_set)
    return settings


def check_options(
    kind: str, factory: Callable[..., Any], options: Mapping[str, Any], *, skip: Iterable[str] = ()
) -> None:
    """Raise ConfigError for an option that ``factory`` does not take by keyword."""
    known = [name for name in inspect.signature(factory).parameters if name not in skip]
    for name in options:
        if name not in known:
            raise ConfigError(
                f'unknown key "{kind}.{name}".{did_you_mean(name, known)} Known here: {", ".join(known) or "none"}'
            )
