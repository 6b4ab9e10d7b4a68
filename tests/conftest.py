"""Options, and the environments that the contract tests run over."""

from __future__ import annotations

import gc
import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")  # before anything reads it: no test waits for a network

import pytest
from _pytest.mark import ParameterSet
from hypothesis import settings

import agentgym

if threading.current_thread() is threading.main_thread():
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs are born deaf to Ctrl-C

settings.register_profile("explore", deadline=None)  # a busy machine is no failure
settings.register_profile("same", settings.get_profile("explore"), derandomize=True)
settings.load_profile("same")  # a change is judged by what it changes; --hypothesis-profile explore looks further

REGISTERED = agentgym.plugins("environments").ids()
EXAMPLES = Path(__file__).parent / "contract" / "examples"
"""Files as newcomers write them: what they leave out must still fulfil the contract."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--env",
        action="append",
        metavar="ID|FILE.py[:Class]",
        help="run the environment contract on this environment only (may be repeated)",
    )


IN_PROCESSES_SLOW = ("openenv", "verifiers", "mcp", "crafter", "alfworld", "reasoning-gym", "textworld", "textarena")
"""Environments whose packages take seconds to import, twice."""


@pytest.hookimpl(tryfirst=True)  # before marks are looked at
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items if not config.getoption("--env") else ():
        if item.name.endswith("-repeats_in_processes]") and any(f"[{id}-" in item.name for id in IN_PROCESSES_SLOW):
            item.add_marker("slow")


def pytest_collection_finish() -> None:
    """What lives by now, a million objects, is walked over by no collection: many tests ask for some."""
    gc.collect()
    gc.freeze()


@pytest.fixture
def thawed() -> Iterator[None]:
    """As in a process that has just begun: nothing is frozen."""
    gc.unfreeze()
    yield
    gc.freeze()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "env_id" in metafunc.fixturenames:
        chosen = metafunc.config.getoption("--env")
        ids = chosen or [*REGISTERED, *map(str, sorted(EXAMPLES.glob("*.py")))]
        cases = ids if chosen else [marked(id) for id in ids]  # what is asked for by name is run in any case
        metafunc.parametrize("env_id", cases, ids=[Path(id).name for id in ids])


MARKS = {"gui": pytest.mark.browser, "browsergym": pytest.mark.browser, "docker": pytest.mark.docker}
"""Extras of environments that a test may not be able to run everywhere."""


def marked(id: str) -> ParameterSet:
    """The id of an environment, with the mark of tests that need what it needs."""
    extra = getattr(agentgym.plugins("environments").get(id), "extra", "") if id in REGISTERED else ""
    return pytest.param(id, marks=[MARKS[extra]] if extra in MARKS else [])
