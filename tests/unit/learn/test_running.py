"""Mean and variance of what came in parts, by hand."""

from __future__ import annotations

import json

import pytest

from agentgym.learn.running import Running


def test_parts_are_as_the_whole() -> None:
    """0 and 4: mean 2, variance 4. With 2, 2, 12: mean 4, variance (16 + 0 + 4 + 4 + 64) / 5 = 17.6."""
    running = Running()
    running.see([0.0, 4.0])
    assert (running.mean, running.variance, running.deviation) == (2.0, 4.0, 2.0)
    running.see([])
    running.see([2.0, 2.0, 12.0])
    assert [running.num, running.mean, running.variance] == pytest.approx([5.0, 4.0, 17.6])
    assert running.deviation == pytest.approx(17.6**0.5)


def test_what_is_all_the_same_has_no_scale() -> None:
    running = Running()
    assert running.deviation == 1.0
    running.see([0.1] * 3)
    running.see([0.1] * 4)
    assert running.deviation == 1.0


def test_it_goes_on_to_the_bit() -> None:
    running, other = Running(), Running()
    running.see([0.1, 0.7])
    other.load_state(json.loads(json.dumps(running.state())))
    for each in (running, other):
        each.see([0.3])
    assert other.state() == running.state()
