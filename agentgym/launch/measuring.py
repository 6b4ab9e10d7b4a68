"""Measuring any policy on any environment: what ``agentgym eval`` does."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from agentgym.config import long_form, merged
from agentgym.errors import ConfigError, UserError
from agentgym.launch.assemble import assemble
from agentgym.launch.evaluation import Score, evaluate, score
from agentgym.launch.reporting import Reporter, Silent
from agentgym.launch.sampling import sampling_filters
from agentgym.launch.settings import TrainSettings, resolve
from agentgym.types import Trajectory

__all__ = ["measure", "settings_for"]

_FROM_RUN = ("env", "protocol", "engine", "rewards", "rollout", "threads")
"""Settings that a run's policy is measured with unless told otherwise."""


def measure(
    given: Mapping[str, Any],
    model: str,
    *,
    episodes: int = 200,
    split: str = "test",
    temperature: float = 0.0,
    seed: int = 0,
    samples: int = 1,
    reporter: Reporter | None = None,
) -> tuple[Score, list[Trajectory]]:
    """The score of ``model`` on tasks of ``split``, and the episodes. Raises UserError for bad input.

    Example::

        score, episodes = measure({"env": "webshop"}, "runs/mine")
    """
    reporter = reporter or Silent()
    settings = settings_for(given, model, seed=seed)
    filters = sampling_filters(settings.rollout)
    if filters and temperature == 0:
        raise ConfigError(
            f"rollout.{min(filters)} has no effect at temperature 0, which is greedy; add --temperature 1"
        )
    parts = assemble(settings)
    tasks = parts.env.tasks(split)[:episodes]
    if len(tasks) < episodes:
        reporter.note(f"the split {split} has {len(tasks)} tasks")
    reporter.begin(f"{split} tasks", samples * len(tasks), "episodes")
    done = itertools.count(1)

    async def play() -> list[Trajectory]:
        try:
            return await evaluate(
                parts.rollout,
                parts.engine,
                tasks,
                temperature=temperature,
                **filters,
                seed=seed,
                samples=samples,
                on_episode=lambda _: reporter.advance(next(done), {}),
            )
        finally:
            await parts.rollout.close()
            await parts.engine.close()

    played = asyncio.run(play())
    return score(played), played


def settings_for(given: Mapping[str, Any], model: str, *, seed: int) -> TrainSettings:
    """Settings to run a finished policy with: those of its run, where it has one, and ``given`` over them."""
    if model == "nano":
        raise UserError("nano is made anew for each training run; pass the run directory: --model runs/NAME")
    return resolve(merged(_run_settings(model), long_form(given), {"model": {"id": model}, "seed": seed}))


def _run_settings(model: str) -> dict[str, Any]:
    file = Path(model) / "config.json"
    config = json.loads(file.read_text()) if file.is_file() else {}
    if "env" not in config:
        return {}
    if not (Path(model) / "policy").is_dir():
        raise ConfigError(f"{model} has no trained policy yet; let it finish: agentgym train --resume {model}")
    return {key: config[key] for key in _FROM_RUN}
