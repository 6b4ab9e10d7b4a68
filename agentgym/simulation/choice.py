"""Plans side by side: what each would bring, and which to take."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from rich.table import Table

from agentgym.simulation.model import Simulation
from agentgym.simulation.outcome import Outcome
from agentgym.simulation.plan import Plan
from agentgym.simulation.staleness import cycle
from agentgym.simulation.workload import Workload

__all__ = ["Row", "chosen", "compared", "plans", "table"]

ENOUGH = 0.95
"""Share of the most episodes a second that is as good: what is simulated is no more exact than that."""
_SAMPLE = 4000
"""Episodes of which the closed form is told."""


@dataclasses.dataclass(frozen=True, slots=True)
class Row:
    """A plan, what came of it, and the mean staleness that the closed form has for it; None out of order."""

    plan: Plan
    outcome: Outcome
    closed_form: float | None

    def state(self) -> dict[str, Any]:
        """As JSON."""
        outcome = {**dataclasses.asdict(self.outcome), "waits_for": self.outcome.waits_for}
        return {"plan": dataclasses.asdict(self.plan), "outcome": outcome, "closed_form": self.closed_form}


def plans(
    base: Plan,
    *,
    actors: Sequence[int],
    max_staleness: Sequence[int],
    engines: Sequence[int] = (1,),
    learners: Sequence[int] = (1,),
    shards: Sequence[int] = (1,),
    updates: int | None = None,
) -> list[Plan]:
    """All combinations. An update has as many episodes for each actor as that of ``base`` has.

    Without ``updates`` there are as many as a plan needs to settle, and some more.
    """
    found = []
    for num, staleness, *others in itertools.product(actors, max_staleness, engines, learners, shards):
        groups = max(1, round(base.groups * num / base.actors))
        sizes = dict(zip(("engines", "learners", "shards"), others, strict=True))
        more = {"actors": num, "groups": groups, "max_staleness": staleness, **sizes}
        more["updates"] = updates or 2 * staleness + (12 if num <= 1000 else 6)
        found.append(dataclasses.replace(base, in_order=base.in_order or not staleness, **more))
    return found


def compared(
    found: Iterable[Plan], workload: Workload, *, seed: int = 0, tell: Callable[[Plan], None] = lambda plan: None
) -> list[Row]:
    """What comes of each; ``tell`` is called before one is simulated."""
    rows = []
    for plan in found:
        tell(plan)
        simulation = Simulation(plan, workload, seed=seed)
        outcome = simulation.run()
        closed = None
        if plan.in_order:
            closed = cycle(
                simulation.durations[-_SAMPLE:],
                tokens=simulation.tokens[-_SAMPLE:],
                answer=workload.step.mean,
                episodes=plan.per_update,
                actors=plan.actors,
                learn=workload.learn * plan.per_update / plan.learners,
                publish=workload.publish,
                max_staleness=plan.max_staleness,
            ).staleness
        rows.append(Row(plan, outcome, closed))
    return rows


def chosen(rows: Sequence[Row]) -> list[Row]:
    """For each number of actors the one to take.

    Of those with nearly the most episodes a second it is the one with the fewest engines, learners and processes, and
    among these the one that is least stale.
    """
    found = []
    for actors in dict.fromkeys(row.plan.actors for row in rows):
        those = [row for row in rows if row.plan.actors == actors]
        most = max(row.outcome.episodes_per_second for row in those)
        enough = [row for row in those if row.outcome.episodes_per_second >= ENOUGH * most]
        found.append(min(enough, key=_cost))
    return found


def _cost(row: Row) -> tuple[float, ...]:
    plan = row.plan
    return plan.engines + plan.learners + plan.shards, row.outcome.staleness, -row.outcome.episodes_per_second


def table(rows: Sequence[Row]) -> Table:
    """For people; what to take is marked."""
    best = {id(row) for row in chosen(rows)}
    found = Table()
    for name in ("", "actors", "staleness", "engines", "learners", "shards", "episodes/s", "tokens/s"):
        found.add_column(name, justify="left" if not name else "right")
    for name in ("actors busy", "engines", "learner", "mean staleness", "closed form"):
        found.add_column(name, justify="right")
    found.add_column("waits for")
    for row in rows:
        plan, outcome = row.plan, row.outcome
        found.add_row(
            "take" if id(row) in best else "",
            *(f"{num:,}" for num in (plan.actors, plan.max_staleness, plan.engines, plan.learners, plan.shards)),
            *(_short(value) for value in (outcome.episodes_per_second, outcome.tokens_per_second)),
            *(f"{share:.0%}" for share in (outcome.actors_busy, outcome.engines_busy, outcome.learner_busy)),
            f"{outcome.staleness:.2f}",
            "" if row.closed_form is None else f"{row.closed_form:.2f}",
            outcome.waits_for,
        )
    return found


def _short(value: float) -> str:
    """Three digits."""
    digits = max(0, 2 - math.floor(math.log10(value))) if value > 0 else 0
    return f"{value:,.{digits}f}"
