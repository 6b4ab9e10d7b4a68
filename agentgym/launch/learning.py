"""The stages that learn: what they share, and the trainer's own.

Which policy of the run is kept is chosen on validation tasks.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

from agentgym.config import Choice
from agentgym.curriculum import Curriculum
from agentgym.launch import ranks
from agentgym.launch.drawing import curriculum_of
from agentgym.launch.equipping import Terms, equip
from agentgym.launch.evaluation import play_tasks
from agentgym.launch.models import make_engine
from agentgym.launch.reporting import why_nothing
from agentgym.launch.score import score
from agentgym.launch.stage import Stage, Workbench
from agentgym.layout import LATENCIES
from agentgym.learn.lead import telling
from agentgym.learn.loop import Loop, Outcome
from agentgym.learn.players import Players
from agentgym.learn.trainer import Trainer
from agentgym.rollout import Limits, seed_of
from agentgym.scheduler import Scheduler
from agentgym.search import Search
from agentgym.types import Trajectory

__all__ = ["Learning", "Train"]

_OWN = ("best", "steps", "has_learned", "idle")


class Learning(Stage):
    """Updates the policy with ``trainer``, ``max_updates`` times at most."""

    loop: Loop
    temperature = 1.0
    """That training episodes are sampled at."""
    curriculum = Choice(id="uniform")
    """What says which tasks are played."""
    strength: float | None = None
    """Of the augmentations, where what is drawn says none; None: they are not for this stage, or there are none."""
    search: Search | None = None
    """How the policy's episodes branch; None where they do not."""

    def __init__(self, bench: Workbench, name: str, trainer: Trainer[Any], max_updates: int) -> None:
        super().__init__(bench)
        self.name, self.trainer, self.max_updates = name, trainer, max_updates
        self.checked = -1
        """Update after which the validation tasks were played last."""
        self.began = 0.0
        """Seconds of the run before it."""

    def open(self) -> None:
        bench, trainer = self.bench, self.trainer
        settings, parts = bench.settings, bench.parts
        self.began = bench.clock.elapsed
        is_spread = ranks.is_spread(settings, parts.policy.module)
        terms = Terms(self.name, self.temperature, self.max_updates, is_spread)
        engine = functools.partial(
            make_engine,
            settings.engine,
            sessions=settings.rollout.concurrency,
            ahead=settings.mode != "sync" or is_spread,
        )
        with telling("open", terms._asdict):
            learner, *_ = equip(trainer, parts.policy, terms, engine, dump_dir=bench.run.directory)
        players = Players(parts.rollout, parts.engine, self.draws(), limits=parts.limits, temperature=self.temperature)
        players.search = self.search
        self.loop = Loop(
            trainer, learner, players, parts.engine, scheduler=self._scheduler(players), beat=bench.watchdog.beat
        )

    def draws(self) -> Curriculum:
        """What says which tasks are played, at its beginning."""
        seed, tasks = seed_of(self.bench.settings.seed, self.name) % 2**31, self.bench.parts.env.tasks("train")
        return curriculum_of(self.curriculum, tasks, seed=seed, strength=self.strength)

    def _scheduler(self, players: Players) -> Scheduler | None:
        """What plays ahead; None where nothing does."""
        return None

    def state(self) -> dict[str, Any]:
        return {**super().state(), "checked": self.checked, "began": self.began, "loop": self.loop.state()}

    def load_state(self, state: Mapping[str, Any]) -> None:
        super().load_state(state)
        self.checked, self.began = state["checked"], state["began"]
        self.loop.load_state(state["loop"])

    async def update(self, pause: Callable[[], None]) -> None:
        """One update, counted and logged."""
        bench = self.bench
        for learner in (self.loop.learner, *self.trainer.learners().values()):
            learner.progress = self.progress
        outcome = await self.loop.update(self.at)
        self.at += 1
        bench.monitor.updated(self.name, self.at, outcome.metrics, outcome.trajectories)
        self.account(outcome)
        if self.trainer.plays:
            self.keep(outcome.trajectories, update=self.at)
        self.loop.is_whole = True
        bench.reporter.advance(self.at, outcome.metrics)
        pause()

    def account(self, outcome: Outcome) -> None:
        """Note what became of an update's tasks."""

    @property
    def progress(self) -> float:
        """Share that is used of what the stage may use beside updates; at 1 it is over."""
        return 0.0

    async def validate(self, limits: Limits | None = None) -> list[Trajectory]:
        """Episodes of the validation tasks, sampled; ``limits`` other than the environment's own."""
        settings, parts = self.bench.settings, self.bench.parts
        tasks = parts.env.tasks("validation")[: settings.eval.validation_episodes]
        seed, temperature = seed_of(settings.seed, "validation"), settings.measuring_temperature
        await self.loop.publish(self.at)
        played = await play_tasks(
            parts.rollout, parts.engine, tasks, split="validation", temperature=temperature, seed=seed, limits=limits
        )
        self.keep(played, update=self.at, all_of_them=self.at == 0)  # the monitor needs them
        return played

    def conclude(self) -> None:
        """Report the stage."""
        seconds = round(self.bench.clock.elapsed - self.began, 1)
        self.bench.report["stages"][self.name] = {"updates": self.at, "seconds": seconds}


class Train(Learning):
    """The trainer's updates; at its end the policy is the best one on the validation tasks."""

    def __init__(self, bench: Workbench, trainer: Trainer[Any]) -> None:
        super().__init__(bench, "train", trainer, bench.settings.updates)
        self.temperature = bench.settings.rollout.temperature
        self.curriculum = bench.settings.curriculum
        self.strength = bench.settings.augment_strength if bench.settings.augment else None
        self.search = bench.parts.search if bench.parts.search.branches else None
        self.best = -1.0
        """Merit of the best policy so far."""
        self.steps = 0.0
        """Environment steps so far."""
        self.has_learned = False
        self.idle = 0
        """Updates since there was something to learn from."""

    def _scheduler(self, players: Players) -> Scheduler | None:
        settings = self.bench.settings
        if settings.mode == "sync":
            return None
        assert settings.max_staleness is not None
        return Scheduler(
            lambda update: self.trainer.specs(update, players.draws),
            players.policy,
            max_staleness=settings.max_staleness,
            in_order=settings.mode == "async",
            num_updates=settings.updates,
        )

    def state(self) -> dict[str, Any]:
        return {**super().state(), **{name: getattr(self, name) for name in _OWN}}

    def load_state(self, state: Mapping[str, Any]) -> None:
        super().load_state(state)
        for name in _OWN:
            setattr(self, name, state[name])

    def lose_best(self) -> None:
        self.best, self.checked = -1.0, -1  # the next look finds one

    async def run(self, pause: Callable[[], None]) -> None:
        bench = self.bench
        draws = self.loop.players.draws
        await self.trainer.open()
        bench.reporter.begin("training", self.max_updates, "updates")
        while self.at < self.max_updates and self.progress < 1 and not (self._is_idle or draws.is_over):
            if self.at % bench.settings.eval.every == 0:
                await self._keep_if_best()
            await self.update(pause)
        await self._keep_if_best()
        self.trainer.leave(bench.run.directory)
        bench.run.write_json(LATENCIES, bench.parts.rollout.latencies.state())
        if self.at and (self._is_idle or not self.has_learned):
            was_warm = "warm_start" in bench.report["stages"]
            expert = "used" if was_warm else "idle" if await bench.parts.env.has_expert() else "none"
            since = f" in the last {self.idle} updates, and training ends here" if self._is_idle else ""
            bench.reporter.note(f"nothing was learned{since}: {why_nothing(bench.run.ledger(), expert)}")
        self.conclude()
        if told := draws.report():
            bench.report["curriculum"] = {"id": self.curriculum.id, **told}
        bench.kept.restore(bench.parts.policy)

    @property
    def _is_idle(self) -> bool:
        """Whether training leads nowhere."""
        return self.bench.settings.idle_updates is not None and self.idle >= self.bench.settings.idle_updates

    @property
    def progress(self) -> float:
        """Of the trainer's time or of its environment steps, whichever is the larger share."""
        settings, seconds = self.bench.settings, self.bench.clock.elapsed - self.began
        used = (seconds, settings.max_seconds), (self.steps, settings.max_environment_steps)
        return max(spent / limit if limit is not None else 0.0 for spent, limit in used)

    def account(self, outcome: Outcome) -> None:
        run, tally, scheduler = self.bench.run, self.bench.tally, self.loop.scheduler
        run.account(outcome.entries)
        if scheduler is None:
            tally.begun += len(outcome.entries)
        else:
            tally.begun, tally.pending = scheduler.num_begun, scheduler.pending
        self.steps += outcome.metrics["environment_steps"]
        self.has_learned |= "loss" in outcome.metrics
        self.idle = 0 if "loss" in outcome.metrics else self.idle + 1

    async def _keep_if_best(self) -> None:
        """Keep this policy if it does best on the validation tasks so far, by success, then by reward.

        One that no update changes is kept unseen.
        """
        if self.checked == self.at:
            return
        if not self.trainer.trains_policy:
            if self.best < 0:
                self.bench.kept.keep(self.bench.parts.policy, self.at)
            self.best, self.checked = 0.0, self.at
            return
        bench, episodes = self.bench, await self.validate()
        seen = score(episodes)
        merit = seen.success + 1e-3 * seen.reward
        if merit > self.best:
            bench.kept.keep(bench.parts.policy, self.at)
            self.best = merit
            bench.report["best_update"] = self.at
        bench.monitor.validated(self.at, seen, episodes, self.loop.learner)
        self.checked = self.at
        self.loop.players.draws.looked(seen.success)
        bench.reporter.note(f"update {self.at}: validation success {seen.success:.3f}, reward {seen.reward:.3f}")
