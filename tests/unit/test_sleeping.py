"""What benchmarks of scheduling run: the rollout and the loop of training go on around a learner that sleeps."""

from __future__ import annotations

import asyncio
import dataclasses

import pytest

from agentgym.simulation import Constant, Lognormal, Speed
from benchmarks import latency, simulation
from benchmarks.sleeping import Sleepy


@pytest.fixture(autouse=True)
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Sleepy, "latency", Constant(0.0001))
    monkeypatch.setattr(latency, "UPDATES", 3)
    monkeypatch.setattr(simulation, "SPEED", Speed(alone=0.0001, each=0.0))


@pytest.mark.parametrize(("mode", "max_staleness"), [("sync", 0), ("async", 1), ("fully-async", 2)])
def test_updates_are_made_and_nothing_is_too_old(mode: str, max_staleness: int) -> None:
    course = asyncio.run(latency.run_course(mode, max_staleness, 0.001))
    assert 0 <= course.staleness <= max_staleness
    assert not course.discarded_tokens


def test_a_real_run_says_what_a_simulation_asks() -> None:
    case = simulation.Case(4, 8, 1, 0.5)
    real = asyncio.run(simulation.run(dataclasses.replace(case.plan, updates=6), 0.001))
    assert real.learned >= 0.001
    assert 0 <= real.staleness <= 1
    assert simulation.measured(real, case, overhead=0.0).learn == real.learned / 8


def test_members_of_a_group_sleep_apart_where_that_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Sleepy, "latency", Lognormal(mean=0.1, sigma=1.0))
    assert Sleepy.drawn(3) == Sleepy.drawn(3)
    assert simulation.Apart.drawn(3) != simulation.Apart.drawn(3)
