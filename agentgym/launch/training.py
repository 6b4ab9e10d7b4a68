"""A training run: a list of stages, and the checkpoints between which it can be interrupted and goes on.

A checkpoint holds the policy, what learns in the stage that is under way, and where everything stands. Every stage can
be interrupted between two updates and goes on from the newest checkpoint as if nothing had happened.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from agentgym import sealed
from agentgym.errors import AgentGymError, DataError, UserError
from agentgym.launch import ranks
from agentgym.launch.machine import machine, peak_memory
from agentgym.launch.retyped import command_of
from agentgym.launch.stage import Stage, Workbench
from agentgym.launch.standing import standing_of
from agentgym.learn import checkpoint
from agentgym.learn.learner import Learner
from agentgym.learn.trainer import Trainer
from agentgym.ledger import audit
from agentgym.media import MEDIA
from agentgym.reports import draw_curves, notable, report_page, summary_page, verdict
from agentgym.watchdog import frozen_heap

__all__ = ["Training", "seed_all"]

_DONE = "done"


def seed_all(seed: int) -> None:
    """Seed the generators that a process has without asking for one: nothing here draws from them, a plug-in might."""
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)


@contextlib.contextmanager
def _fitting(at: Path) -> Iterator[None]:
    """While entered, what a state that no run has written causes where it is taken up is told as a DataError."""
    try:
        yield
    except (LookupError, TypeError, ValueError, AttributeError, RuntimeError, OverflowError) as error:
        if isinstance(error, AgentGymError | torch.OutOfMemoryError):
            raise
        raise DataError(
            f"{at / 'state.json'} cannot be taken up: {type(error).__name__}: {error}; put back what was written, or "
            "move the checkpoint away: the one before it is used then"
        ) from error


class Training:
    """The stages of a run, and which of them is under way."""

    def __init__(self, bench: Workbench, stages: Sequence[Stage]) -> None:
        self.bench, self.stages = bench, list(stages)
        self.index = 0
        """Of the stage under way; their number when all are done."""
        self._saved_at = time.monotonic()

    @property
    def stage(self) -> Stage | None:
        """The one under way; None when all are done."""
        return self.stages[self.index] if self.index < len(self.stages) else None

    @property
    def _learning(self) -> tuple[Learner | None, Trainer[Any] | None]:
        """What learns in the stage under way, if anything does."""
        loop = self.stage.loop if self.stage else None
        return (loop.learner, loop.trainer) if loop else (None, None)

    # -- position ------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Stand where a run begins."""
        bench = self.bench
        seed_all(bench.settings.seed)
        bench.run.forget_after({})
        bench.kept.go_back(None, bench.reporter.note)
        self.stages[0].open()

    async def aclose(self) -> None:
        """Free what the stage under way holds."""
        if self.stage is not None:
            await self.stage.close()

    def load(self, at: Path) -> None:
        """Stand where checkpoint ``at`` was made; the policy's weights are loaded already.

        Raises DataError for one that does not fit, and for metrics that are damaged.
        """
        bench, state = self.bench, standing_of(at)
        names = [*(stage.name for stage in self.stages), _DONE]
        if state.stage not in names:
            raise DataError(f'{at / "state.json"}: the stage is "{state.stage}", this run has {", ".join(names)}')
        self.index = names.index(state.stage)
        if self.stage is not None:
            self.stage.open()
        with _fitting(at):
            learner, trainer = self._learning
            checkpoint.load(at, learner, trainer=trainer)
            if self.stage is not None:
                self.stage.load_state(state.state)
        bench.report.update(state.report)
        bench.clock.go_on_from(state.seconds)
        bench.tally.begun, bench.tally.pending = state.begun, state.pending
        bench.run.forget_after(state.position)
        bench.monitor.replay(bench.run.metrics())
        bench.reporter.note(f"resumed from {at}")
        self._audit()
        if not bench.kept.go_back(state.kept, bench.reporter.note):
            (self.stage or self.stages[-1]).lose_best()

    def save(self) -> None:
        """Write a checkpoint of where the run stands. Where the disk refuses, the run goes on without and says so."""
        self._saved_at = time.monotonic()
        bench, stage, (learner, trainer) = self.bench, self.stage, self._learning
        name = f"{self.index}-{stage.name}-{stage.at:06d}" if stage else f"{self.index}-{_DONE}-000000"
        checkpoints = bench.run.checkpoints
        try:
            checkpoint.save(checkpoints / name, bench.parts.policy, learner, self._state(), trainer=trainer)
            bench.run.has_checkpoint()
            checkpoint.prune(checkpoints, keep=bench.settings.keep_checkpoints)
            bench.kept.discard_unused()
        except OSError as error:
            finished = checkpoint.finished(checkpoints)
            back = f"would go back to {finished[-1].name}" if finished else "would begin anew"
            bench.reporter.note(f"{error}; training goes on, but --resume {back} until there is room again")

    def _state(self) -> dict[str, Any]:
        bench, stage = self.bench, self.stage
        return {
            "stage": stage.name if stage else _DONE,
            "state": stage.state() if stage else {},
            "report": bench.report,
            "kept": bench.kept.name,
            "begun": bench.tally.begun,
            "pending": bench.tally.pending,
            "seconds": bench.clock.elapsed,
            "position": bench.run.position(),
        }

    def _audit(self) -> dict[str, Any]:
        """Counts of the ledger, or what is wrong with it, which is noted."""
        tally = self.bench.tally
        try:
            return dict(audit(self.bench.run.ledger(), until=tally.begun, pending=tally.pending))
        except DataError as error:
            self.bench.reporter.note(f"the ledger does not add up: {error}")
            return {"problem": str(error)}

    # -- going through the stages ----------------------------------------------------------------------

    async def go(self) -> None:
        """All stages from where the run stands. An interruption leaves a checkpoint behind."""
        self.bench.parts.policy.tokenizer.store.move_to(self.bench.run.directory / MEDIA)
        try:
            with self.bench.watchdog.watching(self._status), frozen_heap(), ranks.told(self.bench.run.directory):
                await self._go_through()
        except OSError as error:
            if sealed.disk_problem(error) is None:
                raise
            raise UserError(
                f"{error}; nothing that was kept is lost: make room, then type: "
                f"agentgym train --resume {self.bench.run.directory}"
            ) from error

    async def _go_through(self) -> None:
        try:
            while (stage := self.stage) is not None:
                await stage.run(self._save_if_due)
                await stage.close()
                self._enter(self.index + 1)
        except (asyncio.CancelledError, KeyboardInterrupt):
            if self.stage is not None and self.stage.is_whole:
                self.save()
            self.bench.reporter.note(f"interrupted; go on with: agentgym train --resume {self.bench.run.directory}")
            raise
        finally:
            self.bench.run.close()

    def _enter(self, index: int) -> None:
        self.index = index
        if self.stage is None:
            self._finish()
        else:
            self.stage.open()
        self.save()

    def _save_if_due(self) -> None:
        if time.monotonic() - self._saved_at >= self.bench.settings.checkpoint_seconds:
            self.save()

    def _status(self) -> str:
        stage, parts = self.stage, self.bench.parts
        return (
            f"Stage {stage.name if stage else _DONE}, update {stage.at if stage else 0}, "
            f"{parts.rollout.num_running} episodes under way, policy version {parts.engine.policy_version}."
        )

    def _finish(self) -> None:
        bench, report, directory = self.bench, self.bench.report, self.bench.run.directory
        metrics = bench.run.metrics()
        report["ledger"] = self._audit()
        report["wall_seconds"] = round(bench.clock.elapsed, 1)
        report["num_parameters"] = bench.parts.policy.num_parameters
        bench.monitor.conclude(report, metrics)
        (directory / "report.md").write_text(summary_page(bench.run.config, report, metrics, directory))
        bench.run.write_json("report.json", report)
        for line in verdict(report):
            bench.reporter.note(line)
        draw_curves(metrics, report, directory / "curves.png")
        self._write_page(report, metrics)

    def _write_page(self, report: dict[str, Any], metrics: list[dict[str, Any]]) -> None:
        run = self.bench.run
        config = run.config
        page = report_page(
            config,
            report | {"peak_memory_bytes": peak_memory()},
            metrics,
            run.directory,
            command=command_of(config),
            episodes=notable(run.episodes),
            machine=machine(),
        )
        (run.directory / "report.html").write_text(page, encoding="utf-8")
