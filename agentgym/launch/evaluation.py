"""Measuring a policy on tasks it was not trained on."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from agentgym import sealed, store
from agentgym.engine import Engine
from agentgym.errors import UserError
from agentgym.launch.parts import assembled
from agentgym.launch.patience import patient
from agentgym.launch.reporting import Reporter
from agentgym.launch.sampling import refuse_greedy, sampling_filters
from agentgym.launch.score import Score, advice, sample_of, score, told, told_void
from agentgym.launch.settings import TrainSettings
from agentgym.loops import together
from agentgym.media import MediaStore
from agentgym.rollout import Actor, EpisodeSpec, Limits, Rollout, engine_actor, seed_of
from agentgym.search import Search, Table
from agentgym.types import TaskId, Trajectory

__all__ = ["measure", "play_tasks"]


async def play_tasks(
    rollout: Rollout,
    engine: Engine,
    tasks: Sequence[TaskId],
    *,
    name: str = "evaluate",
    split: str = "",
    temperature: float = 0.0,
    top_p: float = 1.0,
    top_k: int = 0,
    min_p: float = 0.0,
    seed: int = 0,
    samples: int = 1,
    limits: Limits | None = None,
    actor: Actor | None = None,
    search: Search | None = None,
    keeps_lines: bool = False,
    on_episode: Callable[[Trajectory], None] = lambda trajectory: None,
) -> list[Trajectory]:
    """``samples`` episodes of each task, called ``name`` and a number, with the environment's reward alone.

    Greedy at temperature 0; ``actor`` speaks in place of ``engine``. Seeds depend on ``seed`` and the task alone. With
    a ``search`` that branches, the episodes of a task are the lines of its tree, of which the one that it chooses comes
    back, or all of them where it ``keeps_lines``.
    """
    specs = [
        EpisodeSpec(
            task=task,
            seed=seed_of(seed, "evaluate", task) % 2**31,
            split=split,
            member=member,
            group_id=f"{name}-{index}",
            episode_id=f"{name}-{index}" + (f"-{member}" if member else ""),
        )
        for index, task in enumerate(tasks)
        for member in range(samples)
    ]
    actor = actor or engine_actor(engine, temperature=temperature, top_p=top_p, top_k=top_k, min_p=min_p)
    if search is not None and search.branches:
        table = Table(rollout=rollout, engine=engine, actor=actor, limits=limits)
        groups = [specs[start : start + samples] for start in range(0, len(specs), samples)]
        return await _searched(search, table, groups, keeps_lines=keeps_lines, on_episode=on_episode)
    return await rollout.run(specs, actor, release=engine.release, limits=limits, on_episode=on_episode, shaped=False)


async def _searched(
    search: Search,
    table: Table,
    groups: Sequence[Sequence[EpisodeSpec]],
    *,
    keeps_lines: bool,
    on_episode: Callable[[Trajectory], None],
) -> list[Trajectory]:
    async def one(specs: Sequence[EpisodeSpec]) -> list[Trajectory]:
        lines = (await search.play(table, specs)).lines
        counted = [line for line in lines if not line.stop_reason.is_void]
        kept = lines if keeps_lines or not counted else [search.choose(counted)]
        for line in kept:
            on_episode(line)
        return kept

    return [line for kept in await together(map(one, groups)) for line in kept]


async def measure(
    settings: TrainSettings,
    *,
    episodes: int,
    split: str,
    temperature: float,
    samples: int,
    trajectories: Path | None,
    reporter: Reporter,
    keeps_lines: bool = False,
) -> tuple[Score, list[Trajectory]]:
    """What ``agentgym.evaluate`` says, of the model that ``settings`` name.

    ``trajectories`` is where the episodes are written as they end: what was played before an interruption is there. Of
    a search that is the line that it chose or, where it ``keeps_lines``, all of them.
    """
    filters = sampling_filters(settings.rollout)
    refuse_greedy(settings, samples=samples, temperature=temperature)
    async with assembled(settings) as parts, patient(reporter, parts.rollout) as reporter:
        if parts.warning:
            reporter.note(parts.warning)
        await parts.env.fetch(split)
        tasks = parts.env.tasks(split)[:episodes]
        if len(tasks) < episodes:
            reporter.note(f"the split {split} has {len(tasks)} tasks")
        num = len(tasks) * (1 if parts.search.branches and not keeps_lines else samples)
        reporter.begin(f"{split} tasks", num, "episodes")
        so_far, means = list[Trajectory](), _Means()
        with _written(trajectories, parts.rollout.tokenizer.store) as write:

            def ended(episode: Trajectory) -> None:
                write(episode)
                so_far.append(episode)
                reporter.advance(len(so_far), means.with_one(episode))

            try:
                played = await play_tasks(
                    parts.rollout,
                    parts.engine,
                    tasks,
                    split=split,
                    temperature=temperature,
                    **filters,
                    seed=settings.seed,
                    samples=samples,
                    search=parts.search,
                    keeps_lines=keeps_lines,
                    on_episode=ended,
                )
            except (asyncio.CancelledError, KeyboardInterrupt):
                reporter.note(_interrupted(so_far, num, trajectories))
                raise
    for line in _how(played, settings):
        reporter.note(line)
    return score(played), played


class _Means:
    """Of the episodes that count so far."""

    def __init__(self) -> None:
        self.num, self.success, self.reward = 0, 0.0, 0.0

    def with_one(self, episode: Trajectory) -> dict[str, float]:
        """The means with one more."""
        if not episode.stop_reason.is_void:
            self.num += 1
            self.success += episode.success
            self.reward += episode.environment_reward
        return {"success": self.success / self.num, "reward": self.reward / self.num} if self.num else {}


def _how(played: Sequence[Trajectory], settings: TrainSettings) -> list[str]:
    """How it went, for people."""
    if all(each.stop_reason.is_void for each in played):
        return []
    helps = advice(played, max_reply_tokens=settings.rollout.max_reply_tokens, protocol=settings.protocol.id)
    return [line for line in (sample_of(played), told(score(played)), told_void(played), *helps) if line]


def _interrupted(played: Sequence[Trajectory], num: int, kept: Path | None) -> str:
    counted = [each for each in played if not each.stop_reason.is_void]
    seen = f": {told(score(played))}" if counted else ""
    where = f"they are in {kept}" if kept else "add --trajectories PATH to keep what is played"
    return f"interrupted after {len(played)} of {num} episodes{seen}; {where}"


@contextlib.contextmanager
def _written(path: Path | None, media: MediaStore) -> Iterator[Callable[[Trajectory], None]]:
    """What writes an episode to ``path``, if that is given, with its images, which are ``media``.

    Raises UserError where the disk refuses.
    """
    if path is None:
        yield lambda episode: None
        return
    try:
        with contextlib.closing(store.writable(path)) as episodes:

            def write(episode: Trajectory) -> None:
                episodes.media.bring(episode.media, media)
                episodes.append([episode])

            yield write
    except OSError as error:
        if sealed.disk_problem(error) is None:
            raise
        raise UserError(f"cannot write {path}: {error.strerror}; make room, or choose another place") from error
