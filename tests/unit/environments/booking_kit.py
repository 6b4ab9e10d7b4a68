"""A booking site, and walks on it, for its tests."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from agentgym.environments.booking import Booking
from agentgym.environments.booking.levels import Level
from agentgym.environments.booking.wish import Wish
from agentgym.types import StepResult

__all__ = ["begun", "by_expert_to", "problem", "said", "seen", "step"]


def begun(level: Level = "b1", *, such: Callable[[Wish], bool] = lambda wish: True, **options: Any) -> Booking:
    """An environment at the first task whose wish is ``such``."""
    env = Booking(level=level, **options)
    for task in range(2000):
        env.reset(seed=0, options={"task": task})
        if such(env.session.wish):
            return env
    raise AssertionError("no such wish among 2000")


def step(env: Booking, *actions: str) -> StepResult:
    """What the last of ``actions`` leads to."""
    for action in actions:
        result = StepResult(*env.step(action))  # type: ignore[arg-type]  # it is one
    return result


def seen(env: Booking) -> list[str]:
    """The lines of the page, without the task."""
    return [line.text for line in env.session.view]


def problem(env: Booking, action: str) -> str:
    """What is wrong with ``action``, which has changed nothing but the notice."""
    before = env.get_state()
    told = str(step(env, action).info["invalid_action"])
    assert {**env.get_state(), "notice": ""} == {**before, "notice": ""}
    assert env.session.state.notice == f"error: {told}"
    return told


def by_expert_to(env: Booking, at: str, *, without_popups: bool = True) -> Booking:
    """Let the expert go on until it stands at such a page, with nothing over it."""
    expert = env.expert()
    state = env.session.state
    while state.at.at != at or (without_popups and state.overlays):
        step(env, str(expert(env._seen)))  # type: ignore[arg-type]  # it goes by the session
    return env


def said(env: Booking) -> list[str]:
    """What the expert says from here to the end."""
    expert, actions = env.expert(), []
    while env.session.state.at.at != "done":
        actions.append(str(expert(env._seen)))  # type: ignore[arg-type]  # it goes by the session
        step(env, actions[-1])
        assert len(actions) < 200
    return actions
