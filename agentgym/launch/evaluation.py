"""Measuring a policy on tasks it was not trained on."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from pydantic import BaseModel

from agentgym import sealed, store
from agentgym.engine import Engine
from agentgym.errors import ConfigError, UserError
from agentgym.launch.combinations import sampling_filters
from agentgym.launch.intervals import clustered, rounded
from agentgym.launch.parts import assembled
from agentgym.launch.reporting import Reporter
from agentgym.launch.settings import TrainSettings
from agentgym.media import MediaStore
from agentgym.rollout import EpisodeSpec, Limits, Rollout, engine_actor, seed_of
from agentgym.types import TaskId, Trajectory

__all__ = ["Score", "measure", "outcomes", "play_tasks", "score"]


class Score(BaseModel):
    """Success and reward over episodes."""

    success: float
    """Share of episodes with success."""
    ci95: tuple[float, float]
    """95 % interval of the success, over tasks: Wilson's, where each has one episode."""
    reward: float
    """Mean undiscounted reward of the environment itself, whatever was added to it for training."""
    episodes: int
    """Episodes counted."""
    tasks: int
    """Tasks that they are of: several of one task say less than as many of different ones."""
    void: int
    """Episodes whose environment broke: not counted."""
    turns: float
    """Mean turns an episode."""


def score(trajectories: Sequence[Trajectory]) -> Score:
    """Sum up episodes. Raises UserError when none counts."""
    counted = [trajectory for trajectory in trajectories if not trajectory.stop_reason.is_void]
    if not counted:
        first = next((trajectory.error for trajectory in trajectories if trajectory.error), "there were no episodes")
        raise UserError(f"nothing to measure: every episode was void; {first}")
    num, by_task = len(counted), _by_task(counted)
    limits = clustered([sum(outcomes) for outcomes in by_task], [len(outcomes) for outcomes in by_task])
    return Score(
        success=sum(trajectory.success for trajectory in counted) / num,
        ci95=rounded(*limits),
        reward=sum(trajectory.environment_reward for trajectory in counted) / num,
        episodes=num,
        tasks=len(by_task),
        void=len(trajectories) - num,
        turns=sum(len(trajectory.turns) for trajectory in counted) / num,
    )


def _by_task(episodes: Sequence[Trajectory]) -> list[list[bool]]:
    """Successes by task; where an environment has no tasks, by seed, which decides what is played."""
    found: dict[tuple[object, ...], list[bool]] = {}
    for episode in episodes:
        key = (episode.env, episode.seed) if episode.task is None else (episode.env, type(episode.task), episode.task)
        found.setdefault(key, []).append(episode.success)
    return list(found.values())


def outcomes(trajectories: Sequence[Trajectory]) -> list[bool | None]:
    """Whether each is a success; None for a void one."""
    return [None if trajectory.stop_reason.is_void else trajectory.success for trajectory in trajectories]


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
    on_episode: Callable[[Trajectory], None] = lambda trajectory: None,
) -> list[Trajectory]:
    """``samples`` episodes of each task, called ``name`` and a number, with the environment's reward alone.

    Greedy at temperature 0. Seeds depend on ``seed`` and the task alone.
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
    actor = engine_actor(engine, temperature=temperature, top_p=top_p, top_k=top_k, min_p=min_p)
    return await rollout.run(specs, actor, release=engine.release, limits=limits, on_episode=on_episode, shaped=False)


async def measure(
    settings: TrainSettings,
    *,
    episodes: int,
    split: str,
    temperature: float,
    samples: int,
    trajectories: Path | None,
    reporter: Reporter,
) -> tuple[Score, list[Trajectory]]:
    """What ``agentgym.evaluate`` says, of the model that ``settings`` name.

    ``trajectories`` is where the episodes are written as they end: what was played before an interruption is there.
    """
    filters = sampling_filters(settings.rollout)
    if samples > 1 and temperature == 0:
        raise ConfigError(
            f"samples {samples} at temperature 0, which is greedy, are {samples} equal episodes of each task; add "
            "--temperature 1, or type --samples 1"
        )
    if filters and temperature == 0:
        raise ConfigError(
            f"rollout.{min(filters)} has no effect at temperature 0, which is greedy; add --temperature 1"
        )
    async with assembled(settings) as parts:
        if parts.warning:
            reporter.note(parts.warning)
        await parts.env.fetch(split)
        tasks = parts.env.tasks(split)[:episodes]
        if len(tasks) < episodes:
            reporter.note(f"the split {split} has {len(tasks)} tasks")
        reporter.begin(f"{split} tasks", samples * len(tasks), "episodes")
        done = itertools.count(1)
        with _written(trajectories, parts.rollout.tokenizer.store) as write:

            def ended(episode: Trajectory) -> None:
                write(episode)
                reporter.advance(next(done), {})

            played = await play_tasks(
                parts.rollout,
                parts.engine,
                tasks,
                split=split,
                temperature=temperature,
                **filters,
                seed=settings.seed,
                samples=samples,
                on_episode=ended,
            )
    return score(played), played


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
