"""A run of hand-made parts: nothing is played, sampled or learned, and everything that was asked for is on record."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch

from agentgym.actors.scripted import ScriptedEngine
from agentgym.curriculum import Curriculum
from agentgym.engine import Completion, NamedWeights, Prompt, Sampling
from agentgym.errors import NonFiniteError
from agentgym.launch.kept import Kept
from agentgym.launch.monitor import Monitor
from agentgym.launch.parts import Parts, training_limits
from agentgym.launch.resolving import resolve
from agentgym.launch.stage import Clock, Workbench
from agentgym.learn.policy import Policy
from agentgym.learn.rows import Row
from agentgym.learn.trainer import Lesson, Trainer, TrainerSettings
from agentgym.ledger import Tally
from agentgym.protocols.plain import Plain
from agentgym.registry import plugins
from agentgym.rollout import EpisodeSpec, Limits
from agentgym.rollout.latencies import Latencies
from agentgym.run import Run
from agentgym.types import Trajectory
from agentgym.watchdog import Watchdog
from tests.kit import BELL, Notes, byte_tokenizer, chat, episode, row, tiny_model

SIZE = len(byte_tokenizer())


def a_policy(seed: int = 0) -> Policy:
    """Of a kilobyte or two."""
    return Policy(tiny_model(seed, vocab_size=SIZE, hidden_size=16, intermediate_size=16, num_hidden_layers=1), chat())


def mark(module: Any, value: float) -> None:
    """Put ``value`` where ``marked`` finds it."""
    with torch.no_grad():
        next(module.parameters()).view(-1)[0] = value


def marked(module: Any) -> float:
    return float(next(module.parameters()).detach().view(-1)[0])


class Listening(ScriptedEngine):
    """Says nothing, and keeps what it is asked."""

    def __init__(self, log: list[str] | None = None) -> None:
        super().__init__(lambda ids: [])
        self.log = log if log is not None else []
        """What happened, in order."""
        self.asked: list[Sampling] = []
        self.scored: list[Prompt] = []
        self.published: list[tuple[int, float]] = []
        """Versions of the weights, each with the first of its numbers."""

    async def generate(self, prompt: Prompt, sampling: Sampling, *, session: str) -> Completion:
        self.asked.append(sampling)
        return await super().generate(prompt, sampling, session=session)

    async def score(self, prompt: Prompt) -> list[float]:
        self.scored.append(prompt)
        return await super().score(prompt)

    async def update_weights(self, version: int, weights: NamedWeights) -> None:
        await super().update_weights(version, weights)
        self.log.append(f"publish {version}")
        self.published.append((version, next(iter(weights))[1].view(-1)[0].item()))


@dataclasses.dataclass
class Played:
    """What a rollout was asked for."""

    specs: list[EpisodeSpec]
    limits: Limits | None
    shaped: bool
    version: int
    """Of the weights then."""
    release: Any = None


class Stand:
    """In place of a rollout: the episodes are what ``play`` makes of their specs, and the actor speaks once in each."""

    def __init__(self, engine: Listening, play: Callable[[EpisodeSpec], Trajectory]) -> None:
        self.engine, self.play = engine, play
        self.tokenizer, self.num_running, self.latencies = chat(), 3, Latencies()
        self.played: list[Played] = []

    async def run(
        self,
        specs: Sequence[EpisodeSpec],
        actor: Any,
        *,
        release: Any = None,
        limits: Limits | None = None,
        shaped: bool = True,
        on_episode: Callable[[Trajectory], None] = lambda _: None,
    ) -> list[Trajectory]:
        self.played.append(Played(list(specs), limits, shaped, self.engine.policy_version, release))
        self.engine.log.append(f"play {specs[0].split or 'train'}" if specs else "play nothing")
        stream = SimpleNamespace(tokenizer=self.tokenizer, num_turns=0, num_forks=0, prompt=Prompt([1]))
        episodes = []
        for spec in specs:
            await actor(SimpleNamespace(spec=spec, stream=stream, max_tokens=1))
            told = {
                name: getattr(spec, name) for name in ("task", "seed", "ordinal", "group_id", "episode_id", "split")
            }
            episodes.append(self.play(spec).model_copy(update=told))
            on_episode(episodes[-1])
        return episodes


class Pupil(Trainer[TrainerSettings]):
    """Plays one episode an update, learns ``rows``, and writes the number of the update into the weights."""

    Settings = TrainerSettings

    def __init__(self, log: list[str] | None = None, *, rows: Sequence[Row] = (), **settings: Any) -> None:
        super().__init__(TrainerSettings(**settings))
        self.log = log if log is not None else []
        self.rows = list(rows) or [row(6)]
        self.rejected: dict[int, str] = {}
        self.unfit: set[int] = set()
        """Updates that are refused."""
        self.memory = 0.0

    def specs(self, update: int, draws: Curriculum) -> list[EpisodeSpec]:
        draw = draws.draw(update)
        return [EpisodeSpec(task=draw.task, seed=0, ordinal=update, group_id=f"g{update}", episode_id=f"u{update}")]

    def lesson(self, update: int, trajectories: Sequence[Trajectory]) -> Lesson:
        self.log.append(f"lesson {update}")
        return Lesson(self.rows, {"informative_groups": 1.0}, self.rejected)

    def learn(self, update: int, lesson: Lesson) -> dict[str, float]:
        self.log.append(f"learn {update}")
        if update in self.unfit:
            raise NonFiniteError("not finite")
        mark(self.equipment.learner.module, update + 1)
        return {"loss": 0.5}

    def objective(self, predictions: Any, batch: Any) -> Any:
        raise AssertionError("nothing is to be learned here")

    async def open(self) -> None:
        self.log.append("open")

    async def close(self) -> None:
        self.log.append("close")

    def state(self) -> dict[str, Any]:
        return {"memory": self.memory}

    def load_state(self, state: dict[str, Any]) -> None:
        self.memory = state["memory"]


class Still(Clock):
    """Stands still."""

    def __init__(self, seconds: float = 0.0) -> None:
        super().__init__()
        self.seconds = seconds

    @property
    def elapsed(self) -> float:
        return self.seconds

    def go_on_from(self, seconds: float) -> None:
        self.seconds = seconds


class Book(Run):
    """Keeps its metrics in memory, and draws nothing for TensorBoard."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.lines: list[dict[str, Any]] = []

    def log(self, stage: str, update: int, **values: float) -> None:
        self.lines.append({"stage": stage, "update": update, **values})

    def metrics(self) -> list[dict[str, Any]]:
        return self.lines


class Tasks:
    """An environment to ask for its tasks: of training 0, 1, …, of validation 100, 101, …, of test 200, 201, …"""

    name = "tasks"
    knows = False
    """Whether it has an expert."""

    async def has_expert(self) -> bool:
        return self.knows

    def tasks(self, split: str) -> range:
        first = {"train": 0, "validation": 100, "test": 200}[split]
        return range(first, first + 9)

    async def fetch(self, *splits: str) -> None:
        """They are known."""


def workbench(
    folder: Path, play: Callable[[EpisodeSpec], Trajectory] = lambda spec: episode(0.0), **given: Any
) -> Workbench:
    """Of a run in ``folder`` with the settings ``given``; what its engine and its rollout saw is in ``engine.log``."""
    settings = resolve({"env": BELL, "eval": {"episodes": 2, "validation_episodes": 2, "every": 2}, **given})
    engine, run, notes = Listening(), Book.create(folder / "run", settings.model_dump(mode="json")), Notes()
    rollout: Any = Stand(engine, play)
    env: Any = Tasks()
    protocol = Plain()
    parts = Parts(
        env,
        a_policy(),
        engine,
        protocol,
        rollout,
        training_limits(settings.rollout),
        plugins("searches").build("flat"),
    )
    return Workbench(
        settings=settings,
        parts=parts,
        run=run,
        reporter=notes,
        monitor=Monitor(run, settings, notes),
        kept=Kept(run),
        watchdog=Watchdog(None, folder / "watchdog.txt"),
        clock=Still(),
        report={"eval": {}, "stages": {}},
        tally=Tally(),
    )


def log_of(bench: Workbench) -> list[str]:
    engine: Any = bench.parts.engine
    return list(engine.log)


def stand_of(bench: Workbench) -> Stand:
    rollout: Any = bench.parts.rollout
    assert isinstance(rollout, Stand)
    return rollout


def notes_of(bench: Workbench) -> list[str]:
    notes: Any = bench.reporter
    return list(notes.notes)
