"""Stages without a run around them: at which temperature they play, and how far training is."""

from __future__ import annotations

import asyncio
import types
from typing import Any

import pytest

from agentgym.launch import learning, measure
from agentgym.launch.learning import Train
from agentgym.launch.measure import Measure
from agentgym.launch.resolving import resolve
from agentgym.launch.stage import Stage, Workbench
from agentgym.learn.loop import Outcome
from tests.kit import episode


class Bench:
    """As much of a workbench as a stage asks for here; what it is told is forgotten."""

    def __init__(self, **settings: Any) -> None:
        self.settings = resolve({"env": "webshop", **settings})
        self.clock = types.SimpleNamespace(elapsed=100.0)
        self.report: dict[str, Any] = {"eval": {}}

        async def publish(version: int) -> None:
            pass

        env = types.SimpleNamespace(tasks=lambda split: [0, 1, 2])
        self.parts = types.SimpleNamespace(
            env=env, engine=None, rollout=None, publish=publish, search=types.SimpleNamespace(branches=False)
        )
        self.run = self.reporter = self.monitor = types.SimpleNamespace(
            log=lambda *_, **__: None,
            begin=lambda *_: None,
            note=lambda *_: None,
            advance=lambda *_: None,
            updated=lambda *_: None,
        )

    @property
    def bench(self) -> Workbench:
        made: Any = self
        return made  # type: ignore[no-any-return]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The temperatures that tasks are played at."""
    temperatures: list[float] = []

    async def play_tasks(*_: Any, temperature: float, **__: Any) -> Any:
        temperatures.append(temperature)
        return [episode(1.0)]

    for module in (learning, measure):
        monkeypatch.setattr(module, "play_tasks", play_tasks)
    monkeypatch.setattr(Stage, "keep", lambda *_, **__: None)
    return temperatures


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, 1.0),
        ({"rollout": {"temperature": 0.6}}, 0.6),
        ({"rollout": {"temperature": 0.6}, "eval": {"temperature": 0.8}}, 0.8),
    ],
)
def test_tasks_are_sampled_as_in_training(settings: dict[str, Any], expected: float, asked: list[float]) -> None:
    """Test tasks, of which the report says how, and those of validation; and test tasks greedily too."""
    bench = Bench(**settings)
    asyncio.run(Measure(bench.bench, "after").run(lambda: None))
    assert asked == [expected, 0.0]
    assert bench.report["eval"]["after"]["temperature"] == expected

    train = Train(bench.bench, types.SimpleNamespace())  # type: ignore[arg-type]
    train.loop = types.SimpleNamespace(publish=bench.parts.publish)  # type: ignore[assignment]
    asyncio.run(train.validate())
    assert asked[2:] == [expected]


@pytest.mark.parametrize(
    ("settings", "progress"),
    [
        ({}, 0.0),
        ({"max_seconds": 400}, 0.25),
        ({"max_environment_steps": 40}, 0.75),
        ({"max_seconds": 50, "max_environment_steps": 40}, 2.0),
    ],
)
def test_the_schedule_hears_how_far_training_is(settings: dict[str, Any], progress: float) -> None:
    """100 seconds and 30 environment steps after its beginning: every learner is told before the update."""
    learners = [types.SimpleNamespace(progress=0.0) for _ in range(2)]
    trainer: Any = types.SimpleNamespace(learners=lambda: {"critic": learners[1]}, plays=False)
    train = Train(Bench(**settings).bench, trainer)
    train.steps = 30.0

    async def update(number: int) -> Outcome:
        assert [learner.progress for learner in learners] == [progress] * 2
        return Outcome({}, [], [])

    train.loop = types.SimpleNamespace(learner=learners[0], update=update, is_whole=False)  # type: ignore[assignment]
    train.account = lambda outcome: None  # type: ignore[method-assign]
    asyncio.run(train.update(lambda: None))
    assert train.at == 1
