"""Generated games: a task's number decides its game, which is drawn once, won once, and kept on disk.

A file holds the problem, the sentence and the plan that won; domain and grammar are those of the installed package. It
appears whole or not at all, and one that cannot be read is written anew.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from agentgym.environments.alfworld.drafts import draw
from agentgym.environments.alfworld.game import Game, installed_domain, installed_grammar
from agentgym.environments.alfworld.levels import Level
from agentgym.environments.alfworld.solver import Household, read_goal, shortest_plan
from agentgym.environments.alfworld.world import World, open_world
from agentgym.errors import EnvError, UserError, did_you_mean

__all__ = ["GENERATED", "Generated", "default_cache"]

GENERATED = {"train": range(3600), "validation": range(3600, 3744), "test": range(3744, 3888)}
"""Split → its tasks: about as many as the official release has, and each type equally often."""
_FORMAT = 1
"""Part of the files' names: raise it when a task's game changes."""


def default_cache() -> Path:
    """Where games are kept unless another folder is named."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "agentgym" / "alfworld"


class Generated:
    """The games of one level."""

    def __init__(self, level: Level, types: Sequence[str], *, seed: int, cache: Path) -> None:
        self.level, self.types, self.seed = level, tuple(types), seed
        settings = json.dumps([_FORMAT, level.num_receptacles, level.num_kinds, seed])
        self._folder = cache / hashlib.blake2b(settings.encode(), digest_size=8).hexdigest()

    def tasks(self, split: str) -> range:
        """Task ids of a split. Raises UserError."""
        if split not in GENERATED:
            raise UserError(f'unknown split "{split}".{did_you_mean(split, GENERATED)} Known: {", ".join(GENERATED)}')
        return GENERATED[split]

    def open(self, task: Any) -> World:
        """The world of a task. Raises UserError for a task that does not exist."""
        for split, tasks in GENERATED.items():
            if isinstance(task, int | np.integer) and not isinstance(task, bool) and task in tasks:
                return self._open(int(task), split)
        raise UserError(f"task {task!r} does not exist: tasks are the numbers 0 to {GENERATED['test'][-1]}")

    def _open(self, task: int, split: str) -> World:
        type = self.types[task % len(self.types)]
        file = self._folder / f"{type}-{task}.json"
        return open_world(f"generated:{file}", lambda: self._made(task, type, split, file))

    def _made(self, task: int, type: str, split: str, file: Path) -> World:
        if (kept := _read(file)) is not None:
            return World(_game(task, **kept))
        rng = np.random.default_rng([self.seed, task])
        draft = draw(type, split, self.level, rng)
        made = {"problem": draft.problem(), "sentence": draft.sentence(rng)}
        world = World(_game(task, **made, walkthrough=()))
        plan = _winning_plan(world)
        _write(file, {**made, "walkthrough": plan})
        world.game = _game(task, **made, walkthrough=plan)
        return world


def _game(task: int, *, problem: str, sentence: str, walkthrough: Sequence[str]) -> Game:
    return Game(
        origin=f"generated game {task}",
        domain=installed_domain(),
        problem=problem,
        grammar=installed_grammar(),
        sentence=f"{sentence}.",
        walkthrough=tuple(walkthrough),
    )


def _winning_plan(world: World) -> list[str]:
    """A plan that wins, tried out. Raises EnvError for a game that is not won: a mistake made here."""
    goal = read_goal(world.game.problem)
    plan = shortest_plan(Household(world.facts(world.start), world.names()), goal) if goal else None
    if plan is None or not world.follow(plan).won:
        raise EnvError(f"{world.game.origin} is not won by {plan}")
    return plan


def _read(file: Path) -> dict[str, Any] | None:
    """What ``_write`` wrote; None where there is nothing, or not all of it."""
    try:
        kept = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    whole = isinstance(kept, dict) and set(kept) == {"problem", "sentence", "walkthrough"}
    return kept if whole else None


def _write(file: Path, made: dict[str, Any]) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=file.parent, suffix=".tmp")
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            json.dump(made, stream)
        os.replace(name, file)
    except OSError:
        return  # a folder that cannot be written costs time in every process, and no more
