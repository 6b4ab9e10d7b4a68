"""The public names, and that each comes from its home when it is asked for."""

from __future__ import annotations

import importlib

import pytest

import agentgym

HOMES = {
    "agentgym.augmentation": "Augmentation",
    "agentgym.env": "Env Snapshot",
    "agentgym.errors": "AgentGymError JudgeError UserError",
    "agentgym.launch": "evaluate evaluate_async record record_async resume resume_async train train_async",
    "agentgym.registry": "make plugins register",
    "agentgym.repl": "play_async",
    "agentgym.repl.session": "play",
    "agentgym.reward": "EpisodeShaper Shaper",
    "agentgym.search": "Search",
    "agentgym.tools": "ToolEnv ToolError tool",
    "agentgym.types": "Action Observation StopReason ToolCall Trajectory",
    "agentgym.wrapper": "Wrapper",
}


def test_the_public_names() -> None:
    assert agentgym.__all__ == sorted(" ".join(HOMES.values()).split())


@pytest.mark.parametrize(("home", "names"), HOMES.items())
def test_each_name_is_that_of_its_home(home: str, names: str) -> None:
    for name in names.split():
        assert getattr(agentgym, name) is getattr(importlib.import_module(home), name)


def test_a_name_that_there_is_not() -> None:
    with pytest.raises(AttributeError, match=r"^module 'agentgym' has no attribute 'tarin'$"):
        _ = agentgym.tarin
    assert not hasattr(agentgym, "nonsense")
