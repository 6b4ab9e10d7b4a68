"""What is counted of waiting, and where."""

from __future__ import annotations

import json

import pytest

from agentgym.errors import EnvError
from agentgym.rollout.latencies import Latencies, Load
from tests.unit.rollout.kit import Says, Stage, Stages, rollout_on, says, seen, spec, timeless


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Seconds that the clock will show, one after the other."""
    shown: list[float] = []
    monkeypatch.setattr("agentgym.rollout.latencies.time.perf_counter", lambda: shown.pop(0))
    return shown


def test_seconds_are_counted_in_buckets(clock: list[float]) -> None:
    latencies = Latencies()
    clock += [0.0, 1.0, 0.0, 1.02, 0.0, 4.0, 0.0, 0.0]
    for what in ("step", "step", "step", "reset"):
        with latencies.waiting(what):
            pass
    assert latencies.counted("step") == {1.0: 2, 4.0: 1}
    (shortest,) = latencies.counted("reset")
    assert shortest == pytest.approx(1e-7, rel=0.05)


def test_replies_are_counted_by_how_many_are_sampled_at_once(clock: list[float]) -> None:
    latencies = Latencies()
    clock += [0.0, 0.0, 2.0, 4.0]
    with latencies.replying() as first:
        with latencies.replying() as second:
            second.append(8)
        first.append(16)
    # two were there when the second began and ended; when the first began and ended it was alone
    assert latencies.loads == {2: Load(1, 8, 2.0, 2.0), 0: Load(1, 16, 4.0, 1.0)}
    assert latencies.counted("reply") == {2.0: 1, 4.0: 1}
    assert latencies.counted("tokens") == {8.0: 1, 16.0: 1}
    assert latencies.in_flight == 0


def test_what_fails_is_not_counted() -> None:
    latencies = Latencies()
    with pytest.raises(EnvError), latencies.waiting("step"):
        raise EnvError("broke")
    with pytest.raises(EnvError), latencies.replying():
        raise EnvError("broke")
    assert (latencies.state()["counts"]["step"], latencies.loads, latencies.in_flight) == ({}, {}, 0)


def test_counts_come_back_from_json(clock: list[float]) -> None:
    latencies, again = Latencies(), Latencies()
    clock += [0.0, 1.0, 0.0, 3.0]
    with latencies.waiting("step"):
        pass
    with latencies.replying() as tokens:
        tokens.append(5)
    again.load_state(json.loads(json.dumps(latencies.state())))
    assert again.state() == latencies.state()


def test_an_episode_waits_for_a_reset_and_for_each_turn() -> None:
    rollout = rollout_on(Stages(*(Stage(seen("go on"), seen("done", 1.0, over=True)) for _ in range(2))))
    timeless(rollout.run([spec("a"), spec("b")], says()))
    counts = {what: sum(rollout.latencies.counted(what).values()) for what in ("reset", "step", "reply")}
    assert counts["reset"] == 2
    assert counts["step"] == 4


def test_an_expert_says_nothing_of_an_engine() -> None:
    rollout = rollout_on(Stages())
    timeless(rollout.run([spec("a")], Says(["on"], version=-1)))
    assert (rollout.latencies.counted("reply"), rollout.latencies.loads) == ({}, {})
