"""The beginning of a training run: everything that can be refused is refused before a file is written."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

from agentgym import rope
from agentgym.errors import ConfigError, UserError
from agentgym.launch import fingerprint, places
from agentgym.launch.kept import Kept
from agentgym.launch.learning import Train, WarmStart
from agentgym.launch.measure import Measure
from agentgym.launch.monitor import Monitor
from agentgym.launch.parts import Parts, assembled
from agentgym.launch.reporting import Reporter
from agentgym.launch.resolving import run_directory
from agentgym.launch.room import DiskEstimate, refuse_full_disk, refuse_too_large
from agentgym.launch.settings import TrainSettings
from agentgym.launch.stage import Clock, Stage, Workbench
from agentgym.launch.training import Training, seed_all
from agentgym.launch.written import resolved
from agentgym.learn.trainer import Trainer
from agentgym.ledger import Tally
from agentgym.loops import settled
from agentgym.recorded import Recorded
from agentgym.registry import plugins
from agentgym.run import Run, refuse_taken
from agentgym.trainers.sft import SFT
from agentgym.watchdog import Watchdog

__all__ = ["stages_of", "start", "watchdog_of", "workbench"]


async def start(settings: TrainSettings, reporter: Reporter) -> Path:
    """Train as ``settings`` say; returns the run directory. Raises UserError before anything is written."""
    settings.output = run_directory(settings)
    refuse_taken(settings.output)
    seed_all(settings.seed)
    watchdog = watchdog_of(settings, settings.output)
    async with assembled(settings, beat=watchdog.beat) as parts:
        bench = workbench(settings, parts, Run(settings.output), reporter, watchdog)
        stages = await stages_of(bench)
        async with contextlib.aclosing(Training(bench, stages)) as training:
            await _refuse(bench, stages)
            config = places.absolute(resolved(settings))
            run = Run.create(settings.output, config)
            with run.locked():
                places.note(run, config)
                fingerprint.record(run, settings.model.id)
                training.begin()
                await training.go()
    return settings.output


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
    bench.reporter.note(refuse_too_large(settings, parts, train.trainer.settings))
    train.open()  # what the trainer refuses is refused now, not after the warm start
    learning = [stage for stage in stages if isinstance(stage, WarmStart | Train)]
    try:
        num_trained = sum(each.max_updates * len(each.trainer.specs(0, train.loop.players.draws)) for each in learning)
        needed = DiskEstimate.of(
            parts.policy,
            train.loop.learner,
            train.trainer,
            keep=settings.keep_checkpoints,
            updates=sum(stage.max_updates for stage in learning),
            episode_tokens=_kept_tokens(settings, parts, num_trained),
        )
    finally:
        await train.close()
    refuse_full_disk(bench.run.directory, needed)


def _kept_tokens(settings: TrainSettings, parts: Parts, num_trained: int) -> float:
    """Tokens of the episodes that the archive keeps, if each fills its context."""
    looks = 1 + settings.updates // settings.eval.every
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
    _refuse_held_out(trainer, bench.parts)
    has_expert = await _has_expert(bench.parts)
    stages: list[Stage] = [Measure(bench, "before"), Train(bench, trainer), Measure(bench, "after")]
    needs_expert = trainer.needs_expert
    if _is_warm(settings, has_expert):
        imitator = SFT(settings.warm_start)
        imitator.check(tokenizer)
        _refuse_held_out(imitator, bench.parts)
        stages.insert(0, WarmStart(bench, "warm_start", imitator, settings.warm_start.max_updates))
        needs_expert = needs_expert or imitator.needs_expert
    if needs_expert and not has_expert:
        raise ConfigError(
            f'"{bench.parts.env.name}" has no expert() to imitate; choose another --trainer, and no '
            "--warm_start.enabled"
        )
    return stages


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


async def _has_expert(parts: Parts) -> bool:
    await settled(parts.env.reset(seed=0))
    return parts.env.expert() is not None
