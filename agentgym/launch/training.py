"""A training run from settings to report: warm start, measure, train, measure again.

Choices are made on validation tasks: when the warm start stops, and which policy of the run is kept. Test tasks are
played before and after the trainer, by the policy as it was trained (sampled at temperature 1) and greedily. Every
stage can be interrupted between two updates and goes on from the newest checkpoint as if nothing had happened.
"""

from __future__ import annotations

import asyncio
import functools
import random
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
import torch

from agentgym import sealed, store
from agentgym.curriculum import TaskOrder
from agentgym.errors import DataError, UserError
from agentgym.launch import disk
from agentgym.launch.assemble import Parts, make_learner, make_trainer
from agentgym.launch.curves import draw_curves
from agentgym.launch.engines import make_engine
from agentgym.launch.evaluation import Score, evaluate, score
from agentgym.launch.kept import Kept
from agentgym.launch.monitor import Monitor
from agentgym.launch.reporting import Reporter
from agentgym.launch.settings import TrainSettings
from agentgym.launch.staleness import make_scheduler
from agentgym.launch.summary import summary_page
from agentgym.learn import checkpoint
from agentgym.learn.loop import Loop
from agentgym.learn.players import Players
from agentgym.learn.trainer import Equipment, Trainer
from agentgym.ledger import audit
from agentgym.registry import plugins
from agentgym.rollout import seed_of
from agentgym.run import Run
from agentgym.types import Trajectory
from agentgym.watchdog import Watchdog, frozen_heap

__all__ = ["Training", "seed_all"]

Stage: TypeAlias = Literal["warm_start", "before", "train", "after", "done"]


def seed_all(seed: int) -> None:
    """Seed the generators that a process has without asking for one: nothing here draws from them, a plug-in might."""
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)


_NOTHING_LEARNED = (
    "nothing was learned: in every update the episodes of each group all had the same reward; "
    "make the task easier, give the environment an expert(), or raise --trainer.group_size"
)


class Training:
    """The stages of a run, and where it stands."""

    def __init__(self, settings: TrainSettings, parts: Parts, run: Run, reporter: Reporter, warm: bool) -> None:
        self.settings, self.parts, self.run, self.reporter = settings, parts, run, reporter
        self.stage: Stage = "warm_start" if warm else "before"
        self.next_update = 0
        self.report: dict[str, Any] = {"eval": {}, "stages": {}}
        self.best = -1.0
        self.checked = -1
        """Update after which the validation tasks were played last."""
        self.stage_began = 0.0
        self.seconds, self._resumed_at = 0.0, time.monotonic()
        self._saved_at = self._resumed_at
        self.kept = Kept(run)
        self.num_ordinals = 0
        """Task ordinals that have begun."""
        self.pending: list[int] = []
        """Those of them that are not in the ledger yet."""
        self.loop: Loop
        self._beat: Callable[[], None] = lambda: None

    # -- position ------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Stand where a run begins."""
        seed_all(self.settings.seed)
        self.run.forget_after({})
        self.kept.go_back(None, self.reporter.note)
        self.loop = self._loop_of(self.stage)

    def load(self, at: Path) -> None:
        """Stand where checkpoint ``at`` was made; the policy's weights are loaded already."""
        self.stage = checkpoint.read_state(at)["stage"]
        self.loop = self._loop_of(self.stage)
        state = checkpoint.load(at, self.loop.learner, trainer=self.loop.trainer)
        self.next_update, self.report, self.best = state["next_update"], state["report"], state["best"]
        self.seconds, self.stage_began = state["seconds"], state["stage_began"]
        self.checked, self.num_ordinals, self.pending = state["checked"], state["num_ordinals"], state["pending"]
        self.loop.load_state(state["loop"])
        self.run.forget_after(state["position"])
        self.reporter.note(f"resumed from {at}")
        self._audit()
        if not self.kept.go_back(state["kept"], self.reporter.note):
            self._replace_best()

    def _replace_best(self) -> None:
        """The best policy is lost: after training it is the one that is loaded, in it the next to be looked at."""
        if self.stage in ("after", "done"):
            self.kept.keep(self.parts.policy, self.report["best_update"])
        else:
            self.best, self.checked = -1.0, -1

    def save(self) -> None:
        """Write a checkpoint of where the run stands. Where the disk refuses, the run goes on without and says so."""
        self._saved_at = time.monotonic()
        order = ["warm_start", "before", "train", "after", "done"].index(self.stage)
        path = self.run.checkpoints / f"{order}-{self.stage}-{self.next_update:06d}"
        try:
            checkpoint.save(path, self.parts.policy, self.loop.learner, self._state(), trainer=self.loop.trainer)
            checkpoint.prune(self.run.checkpoints, keep=self.settings.keep_checkpoints)
            self.kept.discard_unused()
        except OSError as error:
            finished = checkpoint.finished(self.run.checkpoints)
            back = f"would go back to {finished[-1].name}" if finished else "would begin anew"
            self.reporter.note(f"{error}; training goes on, but --resume {back} until there is room again")

    def _state(self) -> dict[str, Any]:
        return {
            "stage": self.stage,
            "next_update": self.next_update,
            "report": self.report,
            "best": self.best,
            "kept": self.kept.name,
            "checked": self.checked,
            "loop": self.loop.state(),
            "num_ordinals": self.num_ordinals,
            "pending": self.pending,
            "seconds": self.elapsed,
            "stage_began": self.stage_began,
            "position": self.run.position(),
        }

    def _audit(self) -> dict[str, Any]:
        """Counts of the ledger, or what is wrong with it, which is noted."""
        try:
            return dict(audit(self.run.ledger(), until=self.num_ordinals, pending=self.pending))
        except DataError as error:
            self.reporter.note(f"the ledger does not add up: {error}")
            return {"problem": str(error)}

    def estimate(self) -> disk.Estimate:
        """What the run writes. The trainer is prepared for it, so that what it refuses is refused before the start."""
        loop = self._loop_of("train")
        asyncio.run(loop.trainer.close())
        settings = self.settings
        return disk.estimate(
            self.parts.policy,
            loop.learner,
            loop.trainer,
            keep=settings.keep_checkpoints,
            updates=settings.updates + (settings.warm_start.max_updates if self.stage == "warm_start" else 0),
        )

    @property
    def elapsed(self) -> float:
        """Seconds spent on the run, interruptions left out."""
        return self.seconds + time.monotonic() - self._resumed_at

    # -- stages --------------------------------------------------------------------------------------

    async def go(self) -> None:
        """All stages from where the run stands. An interruption leaves a checkpoint behind."""
        stages: dict[Stage, Callable[[], Any]] = {
            "warm_start": self._warm_start,
            "before": lambda: self._measure("before"),
            "train": self._train,
            "after": lambda: self._measure("after"),
        }
        self.monitor = Monitor(self.run, self.settings, self.reporter)
        try:
            with self._watched(), frozen_heap():
                await self._go_through(stages)
        except OSError as error:
            if sealed.disk_problem(error) is None:
                raise
            raise UserError(
                f"{error}; nothing that was kept is lost: make room, then type: "
                f"agentgym train --resume {self.run.directory}"
            ) from error

    def _watched(self) -> Watchdog:
        dump = self.run.directory / "watchdog.txt"
        watchdog = Watchdog(self.settings.watchdog_seconds, dump, status=self._status)
        self.loop.beat = self.parts.rollout.beat = self._beat = watchdog.beat
        return watchdog

    def _status(self) -> str:
        return (
            f"Stage {self.stage}, update {self.next_update}, {self.parts.rollout.num_running} episodes under way, "
            f"policy version {self.parts.engine.policy_version}."
        )

    async def _go_through(self, stages: Mapping[Stage, Callable[[], Any]]) -> None:
        order = list(stages)
        try:
            while self.stage != "done":
                await stages[self.stage]()
                following = order.index(self.stage) + 1
                await self._enter(order[following] if following < len(order) else "done")
        except (asyncio.CancelledError, KeyboardInterrupt):
            if self.loop.is_whole:
                self.save()
            self.reporter.note(f"interrupted; go on with: agentgym train --resume {self.run.directory}")
            raise
        finally:
            await self.loop.close()
            await self.parts.rollout.close()
            await self.parts.engine.close()
            self.run.close()

    async def _enter(self, stage: Stage) -> None:
        await self.loop.close()
        self.stage, self.next_update, self.checked, self.stage_began = stage, 0, -1, self.elapsed
        if stage == "done":
            self._finish()
        else:
            self.loop = self._loop_of(stage)
        self.save()

    def _finish(self) -> None:
        self.report["ledger"] = self._audit()
        self.report["wall_seconds"] = round(self.elapsed, 1)
        self.report["num_parameters"] = self.parts.policy.num_parameters
        self.monitor.conclude(self.report)
        page = summary_page(self.settings, self.report, self.run.metrics(), self.run.directory)
        (self.run.directory / "report.md").write_text(page)
        self.run.write_json("report.json", self.report)
        draw_curves(self.run.metrics(), self.report, self.run.directory / "curves.png")

    def _loop_of(self, stage: Stage) -> Loop:
        """The loop of a stage: another trainer, learner and order of tasks for each."""
        settings, parts = self.settings, self.parts
        warm = stage == "warm_start"
        trainer: Trainer[Any] = (
            plugins("trainers").get("sft")(settings.warm_start) if warm else make_trainer(settings.trainer)
        )
        tasks = TaskOrder(
            parts.env.tasks("train"), seed=seed_of(settings.seed, "warm_start" if warm else "train") % 2**31
        )
        temperature = 1.0 if warm else settings.rollout.temperature
        make = functools.partial(
            make_learner,
            settings=trainer.settings,
            temperature=temperature,
            total_updates=(settings.warm_start.max_updates if warm else settings.updates) * trainer.num_steps,
            dump_dir=self.run.directory,
        )
        learner = make(parts.policy.module)
        trainer.prepare(
            Equipment(
                learner=learner,
                make_learner=make,
                make_engine=lambda module: make_engine(
                    settings.engine, module, sessions=settings.rollout.concurrency, ahead=settings.mode != "sync"
                ),
                tokenizer=parts.policy.tokenizer,
                temperature=temperature,
            )
        )
        players = Players(parts.rollout, parts.engine, tasks, limits=parts.limits, temperature=temperature)
        return Loop(
            trainer,
            learner,
            players,
            parts.engine,
            scheduler=make_scheduler(settings, trainer, players) if stage == "train" else None,
            beat=self._beat,
        )

    async def _warm_start(self) -> None:
        settings = self.settings.warm_start
        self.reporter.begin("warm start", settings.max_updates, "updates")
        while not await self._is_warm_enough() and self.next_update < settings.max_updates:
            await self._update("warm_start")
        self._keep_warm_start()
        self.report["stages"]["warm_start"] = self._stage_summary()
        self.reporter.note(f"warm start: {self.next_update} updates, {self.elapsed:.0f} s")

    async def _is_warm_enough(self) -> bool:
        settings = self.settings.warm_start
        if self.next_update in (0, self.checked) or self.next_update % settings.check_every:
            return False
        seen = score(await self._validate())
        self.run.log("warm_start_validation", self.next_update, success=seen.success, reward=seen.reward)
        if seen.success >= settings.until:
            return True
        self.checked = self.next_update
        return False

    async def _train(self) -> None:
        self.reporter.begin("training", self.settings.updates, "updates")
        while self.next_update < self.settings.updates and not self._is_spent:
            if self.next_update % self.settings.eval.every == 0:
                await self._keep_if_best()
            await self._update("train")
        await self._keep_if_best()
        lines = [line for line in self.run.metrics() if line["stage"] == "train"]
        if lines and not any("loss" in line for line in lines):
            self.reporter.note(_NOTHING_LEARNED)
        self.report["stages"]["train"] = self._stage_summary()
        self._take_best()

    def _stage_summary(self) -> dict[str, float]:
        return {"updates": self.next_update, "seconds": round(self.elapsed - self.stage_began, 1)}

    @property
    def _is_spent(self) -> bool:
        """Whether the time or the environment steps of the trainer are used up."""
        seconds, steps = self.settings.max_seconds, self.settings.max_environment_steps
        if seconds is not None and self.elapsed - self.stage_began >= seconds:
            return True
        if steps is None:
            return False
        seen = (line.get("environment_steps", 0) for line in self.run.metrics() if line["stage"] == "train")
        return bool(sum(seen) >= steps)

    async def _update(self, stage: str) -> None:
        outcome = await self.loop.update(self.next_update)
        self.loop.is_whole = False
        self.next_update += 1
        self.monitor.updated(stage, self.next_update, outcome.metrics, outcome.trajectories)
        if stage == "train":
            self.run.account(outcome.entries)
            self._count(len(outcome.entries))
            store.append(self.run.directory / "trajectories.jsonl", outcome.trajectories[:1])
        self.loop.is_whole = True
        self.reporter.advance(self.next_update, outcome.metrics)
        if time.monotonic() - self._saved_at >= self.settings.checkpoint_seconds:
            self.save()

    def _count(self, num: int) -> None:
        """Count ``num`` task ordinals that are in the ledger now."""
        if (scheduler := self.loop.scheduler) is None:
            self.num_ordinals += num
        else:
            self.num_ordinals, self.pending = scheduler.num_begun, scheduler.pending

    async def _validate(self) -> list[Trajectory]:
        tasks = self.parts.env.tasks("validation")[: self.settings.eval.validation_episodes]
        seed = seed_of(self.settings.seed, "validation")
        limits = self.parts.limits if self.stage == "warm_start" else None
        await self.loop.publish(self.next_update)
        return await evaluate(self.parts.rollout, self.parts.engine, tasks, temperature=1.0, seed=seed, limits=limits)

    async def _keep_if_best(self) -> None:
        """Keep this policy if it does best on the validation tasks so far, by success, then by reward."""
        if self.checked == self.next_update:
            return
        episodes = await self._validate()
        seen = score(episodes)
        merit = seen.success + 1e-3 * seen.reward
        if merit > self.best:
            self.kept.keep(self.parts.policy, self.next_update)
            self.best = merit
            self.report["best_update"] = self.next_update
        self.monitor.validated(self.next_update, seen, episodes, self.loop.learner)
        self.checked = self.next_update
        self.reporter.note(
            f"update {self.next_update}: validation success {seen.success:.3f}, reward {seen.reward:.3f}"
        )

    def _keep_warm_start(self) -> None:
        directory = self.run.directory / "warm_start"
        if directory.exists():  # from before an interruption
            sealed.discard(directory)
        sealed.seal(directory, self.parts.policy.save)

    def _take_best(self) -> None:
        """Go back to the policy that was kept."""
        kept = self.kept.load(str(self.parts.policy.module.device))
        self.parts.policy.module.load_state_dict(kept.module.state_dict())

    async def _measure(self, when: Literal["before", "after"]) -> None:
        await self.parts.engine.update_weights(self.parts.engine.policy_version + 1)
        tasks = self.parts.env.tasks("test")[: self.settings.eval.episodes]
        self.reporter.begin(f"test, {when} training", 2 * len(tasks), "episodes")
        sampled, greedy = [score(await self._test(tasks, temperature, i)) for i, temperature in enumerate((1.0, 0.0))]
        self.report["eval"][when] = {**_plain(sampled), "greedy": _plain(greedy)}
        self.run.log("test", self.loop.learner.num_updates, success=sampled.success, reward=sampled.reward)
        self.reporter.note(
            f"test success {when} training: {sampled.success:.3f} {list(sampled.ci95)}, greedy {greedy.success:.3f}"
        )

    async def _test(self, tasks: Any, temperature: float, index: int) -> list[Trajectory]:
        done = index * len(tasks)

        def count(_: Trajectory) -> None:
            nonlocal done
            done += 1
            self.reporter.advance(done, {})

        return await evaluate(
            self.parts.rollout,
            self.parts.engine,
            tasks,
            temperature=temperature,
            seed=seed_of("test"),
            on_episode=count,
        )


def _plain(result: Score) -> dict[str, Any]:
    return result.model_dump(mode="json")
