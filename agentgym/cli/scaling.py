"""What more actors, engines and learners would bring."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from agentgym.cli.group import cli
from agentgym.commands import Real, write_json
from agentgym.progress import wide_console

OVERHEAD = 0.0004
"""Seconds of a turn in the process that plays: benchmarks/simulation.py, "processor time of a turn"."""


class Counts(click.ParamType[tuple[int, ...], str]):
    """Whole numbers with commas between them."""

    name = "N,N,…"

    def __init__(self, least: int) -> None:
        self.least = least

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, ...]:
        words = str(value).split(",")
        if not all(word.isdecimal() and int(word) >= self.least for word in words):
            self.fail(f'"{value}", expected numbers from {self.least} with commas between them: 1,2,4', param, ctx)
        return tuple(int(word) for word in words)


SOME, ANY = Counts(1), Counts(0)


@cli.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--actors", type=SOME, help="Episodes under way at once; none given: as the run had.")
@click.option("--max_staleness", type=ANY, default="0,1,2,4", show_default=True, help="0 plays and learns in turn.")
@click.option("--engines", type=SOME, default="1", show_default=True, help="That sample.")
@click.option("--learners", type=SOME, default="1", show_default=True, help="That share an update.")
@click.option("--shards", type=SOME, default="1", show_default=True, help="Processes that play.")
@click.option("--mode", type=click.Choice(["async", "fully-async"]), help="Where it is above 0; none given: the run's.")
@click.option(
    "--updates", type=click.IntRange(1), help="That are simulated; none given: as many as it takes to settle."
)
@click.option(
    "--steps",
    type=click.Choice(["wait", "compute"]),
    help="Environments wait for something elsewhere, or keep the process busy; none given: they compute where hosts "
    'was "loop".',
)
@click.option(
    "--overhead", type=Real(0.0), default=OVERHEAD, show_default=True, help="Seconds of a turn in a process that plays."
)
@click.option("--publish", type=Real(0.0), default=0.0, show_default=True, help="Seconds that new weights take.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@click.option("--json", "json_file", type=click.Path(path_type=Path), help="Write what came of each to a file too.")
def simulate(
    run: Path, actors: tuple[int, ...] | None, mode: str | None, json_file: Path | None, seed: int, **asked: Any
) -> None:
    """Simulate RUN with more actors, engines and learners: agentgym simulate RUN --actors 1000,10000 --engines 1,2,4.

    Latencies, turns and seconds of learning are those that RUN measured. An update has as many episodes for each actor
    as it had there. What to take is marked: the fewest engines, learners and processes, and then the least staleness,
    that bring 95 % of the most episodes a second.
    """
    import dataclasses

    from rich.console import Console

    from agentgym.launch.workload import measured
    from agentgym.simulation import compared, plans, table

    known = {name: asked.pop(name) for name in ("steps", "overhead", "publish")}
    base, workload = measured(run, **known)
    if mode is not None:
        base = dataclasses.replace(base, in_order=mode == "async", max_staleness=base.max_staleness or 1, updates=99)
    found = plans(base, actors=actors or (base.actors,), **asked)
    with Console(stderr=True).status("") as status:
        rows = compared(
            found,
            workload,
            seed=seed,
            tell=lambda plan: status.update(f"{plan.actors:,} actors, max_staleness {plan.max_staleness}"),
        )
    if json_file is not None:
        write_json(json_file, json.dumps([row.state() for row in rows], indent=2))
    wide_console().print(table(rows))
