"""Everything that a command can be told, in one tree; ``--help``, TOML files and flags all come from it.

A command takes the keys that have an effect there: ``serve`` an environment, ``doctor`` a protocol too, ``play`` a
policy to watch, ``eval`` and ``record`` how its episodes are played, and ``train`` all of them and the rest.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, TypeAlias

from pydantic import BaseModel, Field, model_validator

from agentgym.alarms import AlarmSettings
from agentgym.cluster.settings import ClusterSettings
from agentgym.config import Augment, Choice, Reward, Settings, validated
from agentgym.errors import ConfigError
from agentgym.launch.sections import (
    ArchiveSettings,
    EpisodeSettings,
    EvalSettings,
    RecipeSettings,
    ReplySettings,
    RolloutSettings,
    WarmStartSettings,
)
from agentgym.learn.model_settings import HFSettings, model_settings
from agentgym.registry import plugins
from agentgym.tracker import TrackerName

__all__ = [
    "BY_ID",
    "KINDS",
    "EnvSettings",
    "MeasureSettings",
    "PolicySettings",
    "SpeechSettings",
    "TrainSettings",
    "chosen_id",
    "engine_defaults",
]

Mode: TypeAlias = Literal["sync", "async", "fully-async"]

KINDS = {
    "env": "environments",
    "protocol": "protocols",
    "engine": "engines",
    "trainer": "trainers",
    "curriculum": "curricula",
    "search": "searches",
}
"""Key → kind of the plug-in that it chooses."""

BY_ID = {"rewards": "rewards", "augment": "augmentations"}
"""Key → kind of the plug-ins whose ids stand below it."""


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
    """"nano", a Hugging Face id, a .gguf file, a model or run directory; its options as --model.<option>."""
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
    search: Choice = Choice(id="flat")
    """How the episodes of a task branch, and its settings as --search.<setting>; none given: they do not, unless a
    trainer learns from trees. What a run measures does not branch."""
    cluster: ClusterSettings | None = None
    """A cluster that environments and engines run on; none given: they run here."""

    @model_validator(mode="after")
    def _runs_in_one_place(self) -> MeasureSettings:
        if self.cluster is not None and self.rollout.changed("hosts"):
            raise ValueError(
                "rollout.hosts has no effect on a cluster, where each environment has a process; leave it out"
            )
        return self


class TrainSettings(MeasureSettings):
    """A training run."""

    rollout: RolloutSettings = RolloutSettings()
    """Episodes in training."""
    rewards: dict[str, Reward] = Field(default_factory=dict)
    """Shapers added to the environment's reward: --rewards.<id> is the weight, and --rewards.<id>.<option> theirs.
    In short --reward dense, sparse or NAME=WEIGHT,NAME=WEIGHT: these alone are what is learned from."""
    augment: dict[str, Augment] = Field(default_factory=dict)
    """Augmentations around the environment in training, the innermost first: --augment <id>, and their options as
    --augment.<id>.<option>. Everything else is played without."""
    augment_strength: float = Field(1.0, ge=0, le=1)
    """How strong they are where the curriculum does not say it."""
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
    shard: Literal["auto", "on", "off"] = "auto"
    """Under torchrun: spread weights, gradients and the optimizer's state over the ranks ("on", and "auto" where there
    are several and the model can), or have all of them on each ("off")."""
    mode: Mode = "sync"
    """Learn from episodes of the newest policy ("sync"), or play ahead while learning: in order ("async"), or whichever
    groups are finished first ("fully-async")."""
    max_staleness: int | None = Field(None, ge=1)
    """Updates that the weights may have made since an episode began; none given: 1 for async, 2 for fully-async."""
    updates: int = Field(130, ge=0)
    """Updates of the trainer."""
    idle_updates: int | None = Field(30, ge=1)
    """Stop the trainer after so many updates in a row in which there was nothing to learn from."""
    max_environment_steps: int | None = Field(None, ge=1)
    """Stop the trainer at the first update after so many turns, the expert's included."""
    max_seconds: float | None = Field(None, gt=0)
    """Stop the trainer at the first update after so long, however many updates are left."""
    seed: int = Field(0, ge=0)
    """Decides initial weights, order of tasks and every sampled token."""
    output: Path | None = None
    """Run directory; none given: runs/<env>-<trainer>-<seed>."""
    report_to: TrackerName | None = None
    """"trackio" or "wandb": show the numbers there too."""
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

    @model_validator(mode="after")
    def _has_augmentations(self) -> TrainSettings:
        if self.changed("augment_strength") and not self.augment:
            raise ValueError("augment_strength has no effect without augment")
        return self

    @property
    def augmentations(self) -> dict[str, dict[str, Any]]:
        """What is around the environment in training, and its options."""
        return {id: augment.options for id, augment in self.augment.items()}

    @property
    def measuring_temperature(self) -> float:
        """That validation and test tasks are sampled at."""
        return self.rollout.temperature if self.eval.temperature is None else self.eval.temperature

    def complete(self) -> dict[str, Any]:
        """Everything as JSON, each plug-in's and the model's own defaults among it.

        Raises UnknownIdError for a plug-in that there is not, ConfigError for an option that one does not take.
        """
        written, model = self.model_dump(mode="json", fallback=repr), self.model
        for key, kind in KINDS.items():
            id, options = getattr(self, key).id, getattr(self, key).options
            written[key] = {"id": id, **_dumped(plugins(kind).checked(id, options))}
        written["model"] = {"id": model.id, **_dumped(_of_model(model))}
        written["rewards"] = {
            id: {"weight": reward.weight, **_dumped(plugins("rewards").checked(id, reward.options))}
            for id, reward in self.rewards.items()
        }
        written["augment"] = {
            id: _dumped(plugins("augmentations").checked(id, options)) for id, options in self.augmentations.items()
        }
        return written


def _of_model(model: Choice) -> BaseModel:
    """Its settings. Raises ConfigError, which tells of the two sorts of models where the other one has the key."""
    try:
        return validated(model_settings(model.id), model.options, where="model")
    except ConfigError as error:
        loaded = [f"model.{name}" for name in HFSettings.model_fields]
        if model.id == "nano" and (idle := [key for key in error.unknown if key in loaded]):
            raise ConfigError(
                f'{error}\n{", ".join(idle)} is of a model that is loaded, and this is "nano", which is made anew; add '
                "--model with a Hugging Face id or a directory"
            ) from None
        raise


def _dumped(settings: BaseModel) -> dict[str, Any]:
    """As JSON; what has none, a function given from Python, by what it is called."""
    return settings.model_dump(mode="json", fallback=repr, warnings=False)


def chosen_id(given: Mapping[str, Any], key: str) -> str:
    """The id of a choice in full form, or its default; empty where there is none."""
    chosen, default = given.get(key), TrainSettings.model_fields[key].default
    id = chosen.get("id") if isinstance(chosen, Mapping) else None
    return str(id or getattr(default, "id", ""))


def engine_defaults(id: str, *, sessions: int, ahead: bool) -> dict[str, Any]:
    """What a run wants of its engine: a slot for each episode, and a copy to sample from where it plays ahead."""
    known = plugins("engines").settings(id).model_fields
    wanted = {"max_sessions": sessions, **({"own_copy": True} if ahead else {})}
    return {key: value for key, value in wanted.items() if key in known}
