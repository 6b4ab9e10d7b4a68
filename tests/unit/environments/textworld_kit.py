"""What the tests of TextWorld share: one folder of games for the whole run, and episodes played by hand."""

from __future__ import annotations

import atexit
import functools
import shutil
import tempfile
from pathlib import Path
from typing import Any

from agentgym.environments.textworld import TextWorld

Turn = tuple[str, float, bool, bool, dict[str, Any]]


@functools.cache
def cache() -> Path:
    """A folder for games that goes when the tests are over."""
    folder = Path(tempfile.mkdtemp(prefix="agentgym-textworld-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def small(**options: Any) -> TextWorld:
    """An environment with these games."""
    return TextWorld(**{"cache": cache(), **options})


def played(env: TextWorld, actions: list[str]) -> list[Turn]:
    """What each of the actions leads to."""
    return [env.step(action) for action in actions]


def won_by_expert(env: TextWorld, task: int) -> tuple[list[str], list[Turn]]:
    """The expert's actions in that task, and what each led to, up to the end."""
    env.reset(options={"task": task})
    expert = env.expert()
    actions: list[str] = []
    turns: list[Turn] = []
    while not turns or not turns[-1][2]:
        assert len(turns) < env.max_turns, f"not won within {env.max_turns} turns: {actions}"
        observation: Any = turns[-1][0] if turns else ""
        actions.append(str(expert(observation)))
        turns.append(env.step(actions[-1]))
    return actions, turns
