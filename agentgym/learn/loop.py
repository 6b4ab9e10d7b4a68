"""The one loop all trainers share: publish the weights, play, turn into a lesson, learn, account for every task.

Without a scheduler an update is a pure function of the weights, the states of trainer and curriculum and its own
number, so these are the loop's whole position. With one, episodes of coming updates are played while this one is
learned from, in a thread, and the position is the scheduler's too. The version of the weights is the number of updates
before them.

An update with nothing to learn from, or a refused one, is counted and changes nothing; where an update takes several
optimizer steps, those before the refused one stand.
"""

from __future__ import annotations

import asyncio
import dataclasses
import functools
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import numpy as np

from agentgym.curriculum import draw_of, grades, outcomes_of, state_of
from agentgym.engine import Engine, Prompt
from agentgym.errors import NonFiniteError
from agentgym.learn.canary import engine_gap
from agentgym.learn.lead import telling
from agentgym.learn.learner import Learner
from agentgym.learn.players import Players
from agentgym.learn.rows import teaches
from agentgym.learn.trainer import Lesson, Trainer
from agentgym.ledger import Entry
from agentgym.lineage import Lineage
from agentgym.scheduler import Scheduler
from agentgym.types import Trajectory
from agentgym.watchdog import LoopLag

__all__ = ["Loop", "Outcome", "summary"]

MAX_REFUSED = 3
"""Refused updates in a row after which training stops."""


@dataclasses.dataclass(slots=True)
class Outcome:
    """What an update did."""

    metrics: dict[str, float]
    trajectories: list[Trajectory]
    entries: list[Entry]
    """For the ledger: one for each task."""


class Loop:
    """Runs updates of one trainer, which is prepared. ``beat`` is called at every sign of progress."""

    def __init__(
        self,
        trainer: Trainer[Any],
        learner: Learner,
        players: Players,
        engine: Engine,
        *,
        scheduler: Scheduler | None = None,
        beat: Callable[[], None] = lambda: None,
    ) -> None:
        self.trainer, self.learner, self.players, self.engine = trainer, learner, players, engine
        self.scheduler, self.beat = scheduler, beat
        self.num_refused = 0
        self.is_whole = True
        """False from when an update begins to change the weights until its caller has counted it."""
        self._published: int | None = None
        self._measured: Sequence[Trajectory] = trainer.measured
        self._told_images: set[str] = set()
        """What others know already."""
        self._canary: list[int] = []
        self._canary_media: list[str] = []
        """Digests of the images that its tokens show."""
        self._gap: dict[str, float] = {}
        """How far engine and learner are apart since weights were published last, for the next update's metrics."""

    async def publish(self, version: int) -> None:
        """Have the engine sample from the learner's weights, as ``version``, and see whether it does."""
        if self._published == version:
            return
        await self.engine.take(version, self.learner.weights())
        self._published = version
        if self._canary:
            store = self.trainer.equipment.tokenizer.store
            prompt = Prompt(self._canary, [store.get(digest) for digest in self._canary_media])
            self._gap = {"engine_gap": await engine_gap(self.engine, self.learner, prompt)}

    async def update(self, number: int) -> Outcome:
        """Update ``number``, from 0. Raises NonFiniteError after several refused updates in a row."""
        began = time.perf_counter()
        lag = LoopLag()
        async with lag:
            trajectories = await self._play(number)
        self.beat()
        played = time.perf_counter()
        if self.scheduler is None:  # nothing is awaited from here on: an interruption finds the update counted
            lesson, learned = self._study(trajectories, number)
        else:
            lesson, learned = await self._study_beside(trajectories, number, lag)
        self.is_whole = False  # nothing is awaited from here on
        if self.scheduler is not None:
            self.scheduler.settle()
        outcomes = outcomes_of(trajectories)
        self.players.draws.learn(outcomes)
        if "grad_norm" in learned:
            self.players.draws.stepped(learned["grad_norm"])
        self.beat()
        if lesson.rows:
            self._canary, self._canary_media = _sampled(trajectories)
        reason = "non-finite update" if "refused" in learned else ""
        metrics = summary(trajectories, version=number) | self._gap | learned | lesson.metrics
        self._gap = {}
        metrics |= grades(outcomes) | self.players.costs()
        metrics |= {"play_seconds": played - began, "learn_seconds": time.perf_counter() - played}
        metrics |= {"loop_lag_p99_seconds": lag.quantile(0.99)}
        return Outcome(metrics, trajectories, _entries(trajectories, lesson.rejected, number + 1, reason))

    def state(self) -> dict[str, Any]:
        """What the next update depends on beside learner, trainer and its number, as JSON."""
        scheduler = self.scheduler.state() if self.scheduler else None
        return {
            "num_refused": self.num_refused,
            "canary": self._canary,
            "canary_media": self._canary_media,
            "curriculum": state_of(self.players.draws),
            "scheduler": scheduler,
        }

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Take up what ``state`` returned."""
        self.num_refused, self._canary = state["num_refused"], state["canary"]
        self._canary_media = state["canary_media"]
        self.players.draws.load_state(state["curriculum"])
        if self.scheduler is not None:
            self.scheduler.load_state(state["scheduler"])

    async def close(self) -> None:
        """Stop what is played ahead, and free what the trainer made."""
        if self.scheduler is not None:
            await self.scheduler.close()
        with telling("close"):
            await self.trainer.close()

    async def _play(self, number: int) -> list[Trajectory]:
        if self.scheduler is None:  # an expert needs no weights: they are published when the policy is to play
            self.players.before_policy = functools.partial(self.publish, number)
            return await self.trainer.play(number, self.players)
        await self.publish(number)
        self.scheduler.admit(number)
        return await self.scheduler.take(number)

    def _study(self, trajectories: Sequence[Trajectory], number: int) -> tuple[Lesson, dict[str, float]]:
        with telling("study", lambda: self._facts(trajectories, number), lambda: self._images(trajectories)):
            return self._lesson(trajectories, number)

    def _facts(self, trajectories: Sequence[Trajectory], number: int) -> dict[str, Any]:
        """What others must know to learn from the same."""
        is_new, self._measured = self.trainer.measured is not self._measured, self.trainer.measured
        return {
            "update": number,
            "progress": self.learner.progress,
            "trajectories": [each.model_dump(mode="json") for each in trajectories],
            "measured": [each.model_dump(mode="json") for each in self._measured] if is_new else None,
        }

    def _images(self, trajectories: Sequence[Trajectory]) -> dict[str, bytes]:
        """Those that others have not been shown, by digest."""
        shown = {digest for each in trajectories for sample in each.samples for digest in sample.media}
        new = sorted(shown - self._told_images)
        self._told_images |= shown
        store = self.trainer.equipment.tokenizer.store
        return {digest: store.get(digest).data for digest in new}

    def _lesson(self, trajectories: Sequence[Trajectory], number: int) -> tuple[Lesson, dict[str, float]]:
        lesson = self.trainer.lesson(number, trajectories)
        return lesson, self._learn(lesson, number) if teaches(lesson.rows) else {}

    async def _study_beside(
        self, trajectories: Sequence[Trajectory], number: int, lag: LoopLag
    ) -> tuple[Lesson, dict[str, float]]:
        """The same in a thread, while episodes go on. An interruption waits for it and comes right after."""
        studying = asyncio.ensure_future(asyncio.to_thread(self._study, trajectories, number))
        task, interrupted = asyncio.current_task(), False
        assert task is not None
        async with lag:
            while not studying.done():
                try:
                    await asyncio.wait([studying])
                except asyncio.CancelledError:
                    task.uncancel()  # it is asked for once: by more, asyncio.run would not know a Ctrl-C
                    interrupted = True
        if interrupted:
            task.cancel()
        return studying.result()

    def _learn(self, lesson: Lesson, number: int) -> dict[str, float]:
        self.is_whole = False
        try:
            metrics = self.trainer.learn(number, lesson)
        except NonFiniteError:
            self.num_refused += 1
            if self.num_refused >= MAX_REFUSED:
                raise
            return {"refused": 1.0}
        self.num_refused = 0
        return metrics


def summary(trajectories: Sequence[Trajectory], *, version: int) -> dict[str, float]:
    """Means over the episodes that count, and how many do not. ``version`` is that of the weights now.

    ``clean_success`` is over those without augmentations, where others have some.
    """
    counted = [trajectory for trajectory in trajectories if not trajectory.stop_reason.is_void]
    num = max(1, len(counted))
    versions = [sample.policy_versions[t.sampled(sample)] for t in counted for sample in t.samples]
    ages = version - np.concatenate([*versions, np.zeros(0, np.int32)])
    clean = [t.success for t in counted if not t.strength]
    return {
        "success": sum(t.success for t in counted) / num,
        "reward": sum(t.environment_reward for t in counted) / num,
        "turns": sum(len(t.turns) for t in counted) / num,
        "environment_steps": float(Lineage(trajectories).num_turns),
        "tokens": sum(t.num_tokens for t in counted) / num,
        "reply_tokens": sum(sample.num_trained for t in counted for sample in t.samples) / num,
        "truncated": sum(t.truncated for t in counted) / num,
        "invalid": sum(any(turn.error for turn in t.turns) for t in counted) / num,
        "void": float(len(trajectories) - len(counted)),
        "staleness": float(ages.sum()) / max(1, len(ages)),
        "staleness_max": float(max(ages.tolist(), default=0)),
        **({"clean_success": sum(clean) / len(clean)} if 0 < len(clean) < len(counted) else {}),
    }


def _sampled(trajectories: Sequence[Trajectory], num: int = 64) -> tuple[list[int], list[str]]:
    """The first tokens of an episode that an engine of ours played, all where they show images, and the images.

    None where there is no such episode.
    """
    for trajectory in trajectories:
        for sample in trajectory.samples:
            if trajectory.sampled(sample).any():
                return list(map(int, sample.token_ids[: None if sample.media else num])), sample.media
    return [], []


def _entries(trajectories: Sequence[Trajectory], rejected: Mapping[int, str], update: int, refused: str) -> list[Entry]:
    """One for each task ordinal that was played, in order."""
    played: dict[int, list[Trajectory]] = {}
    for trajectory in trajectories:
        if trajectory.ordinal is not None:
            played.setdefault(trajectory.ordinal, []).append(trajectory)
    entries = []
    for ordinal, episodes in sorted(played.items()):
        reason = rejected.get(ordinal, refused)
        fate: Literal["trained", "rejected"] = "rejected" if reason else "trained"
        draw = dataclasses.asdict(draw_of(episodes))
        del draw["rewards"]  # what was paid is in the episodes
        entries.append(Entry(ordinal=ordinal, **draw, update=update, fate=fate, reason=reason))
    return entries
