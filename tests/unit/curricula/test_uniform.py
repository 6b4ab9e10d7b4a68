"""Every task in turn."""

from __future__ import annotations

from agentgym.curricula.uniform import Uniform
from agentgym.curriculum import Outcome
from agentgym.draw import Draw


def test_each_ordinal_plays_what_is_next_in_the_order_whatever_became_of_others() -> None:
    one = Uniform(range(5), seed=1)
    draws = [one.draw(n) for n in range(10)]
    assert sorted(draw.task for draw in draws[:5]) == sorted(draw.task for draw in draws[5:]) == [0, 1, 2, 3, 4]
    assert draws == [Draw(task=one.order[n]) for n in range(10)]
    one.learn([Outcome(ordinal=0, draw=draws[0], rewards=[0.0], successes=[False])])
    assert [one.draw(n) for n in range(10)] == draws


def test_another_seed_is_another_order() -> None:
    assert len({tuple(Uniform(range(30), seed=seed).draw(n).task for n in range(30)) for seed in (1, 2, 3)}) == 3
