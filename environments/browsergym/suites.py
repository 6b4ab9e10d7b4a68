"""Which of BrowserGym's tasks are meant by a name, and which package registers them.

A task is registered by importing the package of its suite, ``browsergym.miniwob`` for "miniwob.click-test". Its id in
Gymnasium is "browsergym/miniwob.click-test".
"""

from __future__ import annotations

import fnmatch
import os
from collections.abc import Mapping
from typing import Any

import gymnasium

from agentgym.environments.browsergym.desk import INSTALL
from agentgym.environments.miniwob.page import html_folder
from agentgym.errors import ConfigError, did_you_mean
from agentgym.extras import require

__all__ = ["SEEDED", "actions_of", "matching", "task_arguments"]

SEEDED = ("miniwob", "workarena")
"""Suites whose tasks draw from a seed; in others a task is the same each time."""

_SPACE = "browsergym/"
_ACTIONS = {"miniwob": "miniwob_all", "webarena_verified": "webarena"}
"""Suite → its set of actions, where that has another name."""
_GENERAL = ("chat", "infeas", "bid", "nav", "tab")
"""BrowserGym's own choice."""
_URL = "MINIWOB_URL"


def matching(name: str) -> list[str]:
    """Names of the tasks that ``name`` means, a task, a suite, or a pattern with "*"; in the order of their names.

    Raises ConfigError for a name that means none, MissingExtraError where the suite's package is not installed.
    """
    suite = name.partition(".")[0]
    require("browsergym.core", extra="browsergym", install=INSTALL)
    if suite != "openended":  # which the core registers
        package = f"browsergym.{suite}"
        require(package, extra="browsergym", install=f"pip install --no-deps browsergym-{suite.replace('_', '-')}")
    known = [id.removeprefix(_SPACE) for id in gymnasium.registry if id.startswith(_SPACE)]
    pattern = name if "." in name or name in known else f"{name}.*"
    found = sorted((each for each in known if fnmatch.fnmatchcase(each, pattern)), key=_natural)
    if not found:
        raise ConfigError(f'name is "{name}", which no task of BrowserGym is called.{did_you_mean(name, known)}')
    return found


def _natural(name: str) -> tuple[tuple[int, int | str], ...]:
    """Numbers in names as numbers: 9 comes before 10."""
    return tuple((0, int(part)) if part.isdecimal() else (1, part) for part in name.split("."))


def actions_of(name: str, known: Mapping[str, Any]) -> list[str]:
    """Names of BrowserGym's sets of actions that suit a task."""
    suite = name.partition(".")[0]
    chosen = _ACTIONS.get(suite, suite)
    return [chosen] if chosen in known else [*_GENERAL]


def task_arguments(name: str) -> dict[str, Any]:
    """What a task must be told: MiniWoB where its pages are, unless MINIWOB_URL says so."""
    if name.startswith("miniwob.") and not os.environ.get(_URL):
        return {"base_url": (html_folder() / "miniwob").as_uri() + "/"}
    return {}
