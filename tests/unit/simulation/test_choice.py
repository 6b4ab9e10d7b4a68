"""Plans side by side: which are tried, which is taken, what is shown."""

from __future__ import annotations

import dataclasses
import json

from rich.console import Console

from agentgym.simulation import Constant, Plan, Speed, chosen, compared, plans, table
from tests.unit.simulation.kit import plan, workload

SERIAL = workload(speed=Speed(0.0, 0.5), step=Constant(0.0), learn=0.0)


def test_an_update_grows_with_the_actors() -> None:
    found = plans(plan(), actors=[4, 40], max_staleness=[0, 2], engines=[1, 3])
    assert [(each.actors, each.groups, each.max_staleness, each.engines) for each in found] == [
        (actors, groups, staleness, engines)
        for actors, groups in ((4, 2), (40, 20))
        for staleness in (0, 2)
        for engines in (1, 3)
    ]
    assert all(len(each.steady) >= 2 for each in found)


def test_out_of_order_is_of_those_that_play_ahead() -> None:
    base = plan(max_staleness=1, in_order=False)
    assert [each.in_order for each in plans(base, actors=[4], max_staleness=[0, 1])] == [True, False]


def test_what_brings_no_more_is_not_taken() -> None:
    rows = compared(plans(plan(), actors=[4], max_staleness=[1], engines=[1, 2, 4, 8]), SERIAL)
    (row,) = chosen(rows)
    assert row.plan.engines == 4, "four episodes at once do not need eight engines"


def test_nearly_the_most_is_enough() -> None:
    """Updates of 1.08, 1.04 and 1.02 s: two engines bring 98 % of what four do, and one 94 %."""
    work = workload(speed=Speed(0.0, 0.02), learn=0.0)
    (row,) = chosen(compared(plans(plan(), actors=[4], max_staleness=[0], engines=[1, 2, 4]), work))
    assert row.plan.engines == 2


def test_of_equals_the_least_stale_is_taken() -> None:
    rows = compared(plans(plan(), actors=[4], max_staleness=[4, 2, 1]), workload(learn=0.5))
    assert len({round(row.outcome.episodes_per_second, 6) for row in rows}) == 1
    (row,) = chosen(rows)
    assert row.plan.max_staleness == 1


def test_the_closed_form_is_of_those_in_order() -> None:
    rows = compared(plans(plan(), actors=[4], max_staleness=[1]), workload(learn=0.5))
    assert rows[0].closed_form == rows[0].outcome.staleness == 1.0
    base = dataclasses.replace(plan(), max_staleness=1, in_order=False, updates=20)
    assert compared(plans(base, actors=[4], max_staleness=[1]), workload())[0].closed_form is None


def test_the_table_marks_what_to_take() -> None:
    told: list[Plan] = []
    found = plans(plan(), actors=[4], max_staleness=[0, 1])
    rows = compared(found, workload(learn=0.5), tell=told.append)
    assert told == found
    console = Console(width=200, record=True, file=None)
    with console.capture() as shown:
        console.print(table(rows))
    (first,) = [line for line in shown.get().splitlines() if "take" in line]
    assert "learner" in first
    assert json.loads(json.dumps(rows[1].state()))["outcome"]["waits_for"] == "learner"
