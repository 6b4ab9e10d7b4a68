"""Mean and variance of what came in parts, by hand and in two processes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from agentgym.learn.distributed import ALONE, World
from agentgym.learn.running import Running
from tests.unit.learn.test_distributed import in_two

CPU = torch.device("cpu")


def test_parts_are_as_the_whole() -> None:
    """0 and 4: mean 2, variance 4. With 2, 2, 12: mean 4, variance (16 + 0 + 4 + 4 + 64) / 5 = 17.6."""
    running = Running()
    running.see([0.0, 4.0], ALONE, CPU)
    assert (running.mean, running.variance, running.deviation) == (2.0, 4.0, 2.0)
    running.see([], ALONE, CPU)
    running.see([2.0, 2.0, 12.0], ALONE, CPU)
    assert [running.num, running.mean, running.variance] == pytest.approx([5.0, 4.0, 17.6])
    assert running.deviation == pytest.approx(17.6**0.5)


def test_what_is_all_the_same_has_no_scale() -> None:
    running = Running()
    assert running.deviation == 1.0
    running.see([0.1] * 3, ALONE, CPU)
    running.see([0.1] * 4, ALONE, CPU)
    assert running.deviation == 1.0


def test_it_goes_on_to_the_bit() -> None:
    running, other = Running(), Running()
    running.see([0.1, 0.7], ALONE, CPU)
    other.load_state(json.loads(json.dumps(running.state())))
    for each in (running, other):
        each.see([0.3], ALONE, CPU)
    assert other.state() == running.state()


def _seen(world: World) -> list[float]:
    running = Running()
    for values in ([0.0, 4.0] if world.is_first else [], [2.0] if world.is_first else [2.0, 12.0]):
        running.see(values, world, CPU)
    return [running.num, running.mean, running.variance]


def test_two_processes_see_what_both_saw(tmp_path: Path) -> None:
    first, second = in_two(_seen, tmp_path)
    assert first == second == pytest.approx([5.0, 4.0, 17.6])
