"""What a trainer is: settings, which episodes it wants, what it learns from them, its objective.

Trainers live in the top-level ``trainers`` folder, one file each; the loop around them is ``learn/loop.py``. Importing
one loads no torch: what needs it is imported when a trainer is prepared or asked for a loss.
"""

from __future__ import annotations

import abc
import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

import numpy as np

from agentgym.curriculum import Curriculum
from agentgym.engine import Engine
from agentgym.learn.players import Players
from agentgym.learn.rows import Row, teaches
from agentgym.learn.settings import TrainerSettings
from agentgym.reward import Discount
from agentgym.rollout import EpisodeSpec, seed_of
from agentgym.tokenizer import ChatTokenizer
from agentgym.types import Trajectory

if TYPE_CHECKING:
    import torch

    from agentgym.learn.batch import Microbatch
    from agentgym.learn.forward import Predictions
    from agentgym.learn.learner import Learner, Objective
    from agentgym.learn.objectives.estimator import Metrics

__all__ = ["Equipment", "Lesson", "Trainer", "TrainerSettings"]


@dataclasses.dataclass(slots=True)
class Lesson:
    """What an update learns from its episodes. No rows: nothing, the update is skipped and counted."""

    rows: list[Row]
    metrics: dict[str, float] = dataclasses.field(default_factory=dict)
    rejected: dict[int, str] = dataclasses.field(default_factory=dict)
    """Why, for each task ordinal that is not trained."""
    idle: float = 0.0
    """Episodes that have no rows and yet count in the mean: there are such under aggregation "constant" alone."""


@dataclasses.dataclass(slots=True)
class Equipment:
    """What a trainer is given to work with."""

    learner: Learner
    """Of the policy."""
    make_learner: Callable[..., Learner]
    """(module, **changes to the learner's arguments) → a learner of another module, with the trainer's settings."""
    make_engine: Callable[[Any], Engine]
    """module → an engine that samples from it."""
    tokenizer: ChatTokenizer
    temperature: float
    """That episodes are sampled at."""


S = TypeVar("S", bound=TrainerSettings)


class Trainer(abc.ABC, Generic[S]):
    """One way to learn from episodes."""

    plugin_kind: ClassVar[str] = "trainers"
    Settings: ClassVar[type[TrainerSettings]] = TrainerSettings
    nano: ClassVar[Mapping[str, Any]] = {"learning_rate": 1e-3, "warmup_updates": 5}
    """Settings that a small model made from nothing wants where the user says nothing."""
    plays_policy: ClassVar[bool] = True
    """Whether the policy plays in its updates: a curriculum learns from nobody else."""

    trains_policy: ClassVar[bool] = True
    """Whether the policy changes; otherwise there is nothing to gain by playing the tasks that it is measured by."""

    measured: Sequence[Trajectory] = ()
    """Episodes that ``lesson`` and ``learn`` look at beside those of the update; exchanged, never added to."""

    def __init__(self, settings: S) -> None:
        self.settings = settings

    @classmethod
    def nano_beside(cls, options: Mapping[str, Any]) -> dict[str, Any]:
        """``nano`` where the user gives these ``options``."""
        return dict(cls.nano)

    def check(self, tokenizer: ChatTokenizer) -> None:
        """Called first of all, before anything is written. Raises UserError for what it cannot begin with."""

    def prepare(self, equipment: Equipment) -> None:
        """Called once, before the first update. Raises ConfigError for what does not go together."""
        self.equipment = equipment

    async def open(self) -> None:
        """Start what ``prepare`` made; awaited after it, before the first update."""

    async def close(self) -> None:
        """Free what ``prepare`` made, started or not."""

    def leave(self, directory: Path) -> None:
        """Called when training is over: write what came of it beside the policy into the run's ``directory``."""

    @property
    def needs_expert(self) -> bool:
        """Whether it cannot do without the environment's expert."""
        return False

    @property
    def search(self) -> str:
        """The search that plays for it where the user chooses none; another one than flat: it learns from trees."""
        return "flat"

    @property
    def why_no_search(self) -> str:
        """Why the episodes that the policy plays for it may not branch, or ""."""
        return "" if self.plays and self.plays_policy else "its policy plays nothing"

    @property
    def plays(self) -> bool:
        """Whether its episodes are played, of what is drawn; False where they were recorded before."""
        return True

    @property
    def discount(self) -> Discount | None:
        """How it adds up the rewards of an episode; None where it does so in more than one way."""
        return Discount()

    @property
    def plays_ahead(self) -> bool:
        """Whether its episodes depend on their specs alone, so that they can be played before earlier updates."""
        return type(self).play is Trainer.play

    @abc.abstractmethod
    def specs(self, update: int, draws: Curriculum) -> list[EpisodeSpec]:
        """The episodes of an update: a pure function of its number and of what is drawn."""

    def num_played(self, draws: Curriculum) -> tuple[int, int]:
        """Episodes of an update that policies play, and those of an expert, which may turn out fewer."""
        specs = self.specs(0, draws)
        shown = sum(spec.role == "expert" for spec in specs)
        return len(specs) - shown, shown

    async def play(self, update: int, players: Players) -> list[Trajectory]:
        """Have them played: by the policy, unless a trainer wants others."""
        return await players.policy(self.specs(update, players.draws))

    @abc.abstractmethod
    def lesson(self, update: int, trajectories: Sequence[Trajectory]) -> Lesson:
        """What to train on."""

    @abc.abstractmethod
    def objective(self, predictions: Predictions, batch: Microbatch) -> tuple[torch.Tensor, Metrics]:
        """The loss of each trained token."""

    def learn(self, update: int, lesson: Lesson) -> dict[str, float]:
        """The update's optimizer steps; returns their mean metrics. Raises NonFiniteError."""
        return self.steps(self.equipment.learner, lesson.rows, update, idle=lesson.idle)

    def steps(
        self,
        learner: Learner,
        rows: Sequence[Row],
        update: int,
        *,
        objective: Objective | None = None,
        idle: float = 0.0,
    ) -> dict[str, float]:
        """``epochs`` passes over ``rows`` of ``minibatches`` optimizer steps each, or fewer where ``stops`` says so.

        Another ``objective`` than the trainer's own takes all of them. ``idle`` is as in ``Lesson``.
        """
        from agentgym.learn.learner import StoppedError

        seen: list[dict[str, float]] = []
        share = idle / self.settings.minibatches
        try:
            for epoch in range(self.settings.epochs):
                chunks = _minibatches(rows, self.settings.minibatches, seed=seed_of("minibatches", update, epoch))
                for chunk in filter(teaches, chunks):
                    stops = self.stops if seen and objective is None else None
                    seen.append(learner.update(chunk, objective or self.objective, idle=share, stops=stops))
        except StoppedError:
            pass
        means = {name: sum(metrics[name] for metrics in seen) / len(seen) for name in seen[0]}
        return means | {"optimizer_steps": float(len(seen))}

    def stops(self, metrics: Mapping[str, float]) -> bool:
        """Whether an update ends before a step with these metrics."""
        return False

    @property
    def num_steps(self) -> int:
        """Optimizer steps an update: with more than one, the policy leaves the one that played."""
        return self.settings.epochs * self.settings.minibatches

    # -- what a checkpoint holds beside the policy and its learner -----------------------------------

    def learners(self) -> dict[str, Learner]:
        """Further learners by name: their modules and optimizers are saved."""
        return {}

    def modules(self) -> dict[str, torch.nn.Module]:
        """Further modules that are not trained, by name."""
        return {}

    def state(self) -> dict[str, Any]:
        """What else the next update depends on, as JSON."""
        return {}

    def load_state(self, state: dict[str, Any]) -> None:
        """Take up what ``state`` returned."""


def _minibatches(rows: Sequence[Row], num: int, *, seed: int) -> Iterator[list[Row]]:
    """``rows`` in ``num`` parts of like size, in a random order; one part is the rows as they are.

    Rows of one unit stay together.
    """
    if num == 1:
        yield list(rows)
        return
    units: dict[object, list[Row]] = {}
    for index, row in enumerate(rows):
        units.setdefault(("row", index) if row.unit is None else row.unit, []).append(row)
    members = list(units.values())
    for part in np.array_split(np.random.default_rng(seed).permutation(len(members)), num):
        yield [row for index in part for row in members[index]]
