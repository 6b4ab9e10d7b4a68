"""The beginning of a training run: everything that can be refused is refused before a file is written."""

from __future__ import annotations

import contextlib
import math
import secrets
from pathlib import Path
from typing import Any

from agentgym import rope, sealed
from agentgym.errors import ConfigError, UserError
from agentgym.extras import installed
from agentgym.launch import fingerprint, places
from agentgym.launch.enlisting import enlisted
from agentgym.launch.following import muster
from agentgym.launch.kept import Kept
from agentgym.launch.learning import Train
from agentgym.launch.measure import Measure
from agentgym.launch.monitor import Monitor
from agentgym.launch.parts import Parts, assembled
from agentgym.launch.patience import patient
from agentgym.launch.prompting import keep
from agentgym.launch.reporting import Reporter
from agentgym.launch.resolving import run_directory
from agentgym.launch.room import DiskEstimate, episodes_at_once, refuse_full_disk, refuse_too_large
from agentgym.launch.settings import TrainSettings
from agentgym.launch.stage import Clock, Stage, Workbench
from agentgym.launch.training import Training, seed_all
from agentgym.launch.warming import WarmStart
from agentgym.launch.written import resolved
from agentgym.learn.trainer import Trainer
from agentgym.ledger import Tally
from agentgym.recorded import Recorded
from agentgym.registry import plugins
from agentgym.run import Run, refuse_taken
from agentgym.tracker import Tracker
from agentgym.trainers.sft import SFT
from agentgym.watchdog import Watchdog

__all__ = ["report_to", "stages_of", "start", "watchdog_of", "workbench"]

_SHORTEST_UPDATE = 0.05
"""Seconds that an update takes at the least, to bound the room that a run which time ends can need."""


async def start(settings: TrainSettings, reporter: Reporter) -> Path:
    """Train as ``settings`` say; returns the run directory. Raises UserError before anything is written."""
    settings.output = output = run_directory(settings)
    refuse_taken(output)
    if settings.report_to is not None:
        installed(settings.report_to, extra=settings.report_to)
    return await enlisted(settings, lambda: _start(settings, output, reporter))


async def _start(settings: TrainSettings, output: Path, reporter: Reporter) -> Path:
    seed_all(settings.seed)
    watchdog = watchdog_of(settings, output)
    async with assembled(settings, beat=watchdog.beat) as parts, patient(reporter, parts.rollout) as told:
        muster(settings, parts.policy, None)
        bench = workbench(settings, parts, Run(output), told, watchdog)
        stages = await stages_of(bench)
        async with contextlib.aclosing(Training(bench, stages)) as training:
            await _refuse(bench, stages)
            keep(settings, parts.protocol)
            config = places.absolute(resolved(settings))
            with bench.run.claimed() as run:  # two starts in one directory: the second has changed nothing
                run.begin(
                    config,
                    places=places.relative(config, run.directory),
                    model=fingerprint.of_model(settings.model.id),
                )
                training.begin()
                report_to(bench)
                await training.go()
    return output


def report_to(bench: Workbench) -> None:
    """Have the run's numbers shown where the settings say, too."""
    settings, run = bench.settings, bench.run
    if settings.report_to is None:
        return
    file = run.directory / "tracker.json"
    if not file.exists():  # other runs may have the same name, elsewhere or before
        with run.writing():
            run.write_json(file.name, {"name": f"{run.directory.name}-{secrets.token_hex(4)}"})
    name = str(sealed.read_json(file).get("name", run.directory.name))
    run.tracker = Tracker(settings.report_to, name, settings.model_dump(mode="json"), note=bench.reporter.note)


async def _refuse(bench: Workbench, stages: list[Stage]) -> None:
    """Raise UserError for what cannot be trained, or has no room."""
    settings, parts = bench.settings, bench.parts
    if parts.engine.why_untrainable:
        raise UserError(
            f"this engine is for evaluation: {parts.engine.why_untrainable}; to train, type: --engine vllm or "
            "--engine embedded"
        )
    keys = settings.warm_start.model_fields_set - {"enabled"}
    if keys and not isinstance(stages[0], WarmStart):
        raise ConfigError(
            f"warm_start.{min(keys)} has no effect: there is no warm start here; add --warm_start.enabled true"
        )
    parts.policy.refuse_unsavable()
    border = rope.border(parts.policy.module.config.get_text_config())
    if border is not None and parts.engine.max_context > border:
        raise ConfigError(
            f"the engine's context is {parts.engine.max_context} tokens, but beyond {border} this model's rotary "
            f"positions are others, which cannot be learned with; type: --engine.max_context {border}"
        )
    (train,) = (stage for stage in stages if isinstance(stage, Train))
    an_update = train.trainer.num_played(train.draws())[0] if train.trainer.plays else 0
    episodes = episodes_at_once(settings, parts, an_update)
    bench.reporter.note(refuse_too_large(settings, parts, train.trainer.settings, episodes=episodes))
    train.open()  # what the trainer refuses is refused now, not after the warm start
    learning = {stage: _most_updates(stage, settings) for stage in stages if isinstance(stage, WarmStart | Train)}
    try:
        played = {stage: sum(stage.trainer.num_played(train.loop.players.draws)) for stage in learning}
        num_trained = sum(updates * played[stage] for stage, updates in learning.items())
        needed = DiskEstimate.of(
            parts.policy,
            train.loop.learner,
            train.trainer,
            keep=settings.keep_checkpoints,
            updates=sum(learning.values()),
            episode_tokens=_kept_tokens(settings, parts, num_trained, looks=1 + learning[train] // settings.eval.every),
        )
    finally:
        await train.close()
    refuse_full_disk(bench.run.directory, needed)


def _most_updates(stage: WarmStart | Train, settings: TrainSettings) -> int:
    """How many updates a stage takes at most: of training, no more than there is time for."""
    if settings.max_seconds is None or isinstance(stage, WarmStart):
        return stage.max_updates
    return min(stage.max_updates, math.ceil(settings.max_seconds / _SHORTEST_UPDATE))


def _kept_tokens(settings: TrainSettings, parts: Parts, num_trained: int, *, looks: int) -> float:
    """Tokens of the episodes that the archive keeps, if each fills its context."""
    num = num_trained + looks * settings.eval.validation_episodes + 4 * settings.eval.episodes
    return settings.archive.keep * num * (settings.rollout.context_tokens or parts.engine.max_context)


def watchdog_of(settings: TrainSettings, output: Path) -> Watchdog:
    """Ends the run where it hangs."""
    return Watchdog(settings.watchdog_seconds, output / "watchdog.txt")


def workbench(settings: TrainSettings, parts: Parts, run: Run, reporter: Reporter, watchdog: Watchdog) -> Workbench:
    """What the stages of a run share, at its beginning."""
    if parts.warning:
        reporter.note(parts.warning)
    return Workbench(
        settings=settings,
        parts=parts,
        run=run,
        reporter=reporter,
        monitor=Monitor(run, settings, reporter),
        kept=Kept(run),
        watchdog=watchdog,
        clock=Clock(),
        report={"eval": {}, "stages": {}},
        tally=Tally(),
    )


async def stages_of(bench: Workbench) -> list[Stage]:
    """The stages of a run. Raises ConfigError where there is nobody to imitate."""
    settings, tokenizer = bench.settings, bench.parts.policy.tokenizer
    trainer: Trainer[Any] = plugins("trainers").build(settings.trainer.id, settings.trainer.options)
    trainer.check(tokenizer)
    await bench.parts.env.fetch("validation", "test")
    _refuse_held_out(trainer, bench.parts)
    has_expert = await bench.parts.env.has_expert()
    warm: list[Stage] = []
    needs_expert, has_teacher = trainer.needs_expert, False
    if _is_warm(settings, has_expert):
        imitator = SFT(settings.warm_start)
        imitator.check(tokenizer)
        _refuse_held_out(imitator, bench.parts)
        warm = [WarmStart(bench, "warm_start", imitator, settings.warm_start.max_updates)]
        has_teacher = imitator.needs_expert
    train = Train(bench, trainer)
    needs_expert = needs_expert or has_teacher
    if needs_expert and not has_expert:
        raise ConfigError(
            f'"{bench.parts.env.name}" has no expert() to imitate; choose another --trainer, and no '
            "--warm_start.enabled"
        )
    if train.draws().needs_expert and not has_expert:
        raise ConfigError(
            f'"{bench.parts.env.name}" has no expert() to begin episodes for the curriculum '
            f'"{settings.curriculum.id}"; choose another --curriculum'
        )
    before = Measure(bench, "before", has_teacher=has_teacher)
    if not trainer.trains_policy:
        return [*warm, before, train] if warm else [train]
    return [*warm, before, train, Measure(bench, "after")]


def _refuse_held_out(trainer: Trainer[Any], parts: Parts) -> None:
    """Raise DataError where it is to learn from a file of tasks that a run is measured by."""
    recorded = getattr(trainer, "recorded", None)
    if isinstance(recorded, Recorded):
        recorded.refuse_tasks_of(parts.env)


def _is_warm(settings: TrainSettings, has_expert: bool) -> bool:
    """Whether the run begins with a warm start."""
    if settings.warm_start.enabled is not None:
        return settings.warm_start.enabled
    trainer: Any = plugins("trainers").get(settings.trainer.id)
    return settings.model.id == "nano" and has_expert and not issubclass(trainer, SFT)
