"""Measuring any policy on any environment: what ``agentgym eval`` does."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from agentgym.config import merged
from agentgym.errors import ConfigError, UserError
from agentgym.launch.assemble import assemble
from agentgym.launch.evaluation import Score, evaluate, score
from agentgym.launch.settings import resolve
from agentgym.launch.training import Reporter
from agentgym.types import Trajectory

__all__ = ["measure"]

_FROM_RUN = ("env", "protocol", "engine", "rewards", "rollout")
"""Settings that a run's policy is measured with unless told otherwise."""


def measure(
    given: Mapping[str, Any],
    model: str,
    *,
    episodes: int,
    split: str,
    temperature: float,
    seed: int,
    reporter: Reporter,
) -> tuple[Score, list[Trajectory]]:
    """The score of ``model`` on tasks of ``split``, and the episodes. Raises UserError for bad input."""
    if model == "nano":
        raise UserError("nano is made anew for each training run; pass the run directory: --model runs/NAME")
    settings = resolve(merged(_run_settings(model), given, {"model": {"id": model}, "seed": seed}))
    parts = assemble(settings)
    tasks = parts.env.tasks(split)[:episodes]
    if len(tasks) < episodes:
        reporter.note(f"the split {split} has {len(tasks)} tasks")
    reporter.begin(f"{split} tasks", len(tasks), "episodes")
    done = 0

    def count(_: Trajectory) -> None:
        nonlocal done
        done += 1
        reporter.advance(done, {})

    played = asyncio.run(evaluate(parts.rollout, parts.engine, tasks, temperature=temperature, seed=seed, on_episode=count))
    return score(played), played


def _run_settings(model: str) -> dict[str, Any]:
    file = Path(model) / "config.json"
    config = json.loads(file.read_text()) if file.is_file() else {}
    if "env" not in config or not (Path(model) / "policy").is_dir():
        if "env" in config:
            raise ConfigError(f"{model} has no trained policy yet; let it finish: agentgym train --resume {model}")
        return {}
    return {key: config[key] for key in _FROM_RUN}
