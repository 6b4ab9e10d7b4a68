"""What a group's common opening and a branch's common past cost, computed once and computed by each.

    python benchmarks/branching.py [--json FILE]

One random model of 5 million parameters on one thread. A group is 8 sessions with one prompt and short replies; a
branch goes on from a session of that length. Both ways take turns (A B A B …), a ratio is the median over the rounds,
and seconds are the processor's.

    python benchmarks/branching.py --env ID

How long a host takes to come back to the 1st, 4th and last turn of an episode: where the moment is kept, and by replay.
"""

from __future__ import annotations

import argparse
import asyncio
import functools
import itertools
import json
import random
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import torch

from agentgym import doctor
from agentgym.actors.embedded.engine import EmbeddedEngine
from agentgym.engine import Prompt, Sampling
from agentgym.learn.nano import NanoConfig, build_model
from agentgym.registry import EnvFactory

GROUPS, MEMBERS, OPENING, REPLY, ROUNDS = 4, 8, 200, 16, 5
VOCABULARY = 4096

Rows = dict[str, dict[str, float | str]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--env", action="append", default=[], help="an environment to come back in; may be repeated")
    parser.add_argument("--json", type=Path, help="write the figures there as well")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    for id in arguments.env:
        print(f"{id:20} {doctor.tells_the_way_back(EnvFactory(id))}")
    if arguments.env:
        return
    model = build_model(VOCABULARY, NanoConfig(width=256, layers=4, heads=4, feed_forward=1024), seed=0)
    rows = measure("group", functools.partial(EmbeddedEngine, model), groups_of)
    rows |= measure("branches", functools.partial(EmbeddedEngine, model), branches_of)
    for name, row in rows.items():
        print(f"{name:52} {row['value']:>10,.4g} {row['unit']:8} (target {row['target']})")
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")


def measure(name: str, make: Callable[..., EmbeddedEngine], work: Callable[[EmbeddedEngine, bool], None]) -> Rows:
    """Prefilled tokens and seconds, each by itself over shared."""
    seconds: dict[bool, list[float]] = {True: [], False: []}
    tokens: dict[bool, int] = {}
    for _, shares in itertools.product(range(ROUNDS), (False, True)):
        engine = make(max_sessions=GROUPS * MEMBERS, share_openings=shares)
        begin = time.process_time()
        work(engine, shares)
        seconds[shares].append(time.process_time() - begin)
        tokens[shares] = engine.prefill_tokens
    ratio = statistics.median(one / other for one, other in zip(seconds[False], seconds[True], strict=True))
    saved = tokens[False] / tokens[True]
    return {
        f"{name}, prefilled by each / once": {"value": saved, "target": ">= 4", "unit": "ratio"},
        f"{name}, seconds by each / once": {"value": ratio, "target": ">= 1", "unit": "ratio"},
        f"{name}, seconds once": {"value": statistics.median(seconds[True]), "target": "-", "unit": "s"},
    }


def groups_of(engine: EmbeddedEngine, shares: bool) -> None:
    """Every group's members at once."""

    async def go() -> None:
        await asyncio.gather(
            *(
                engine.generate(
                    Prompt(tokens(OPENING, seed=group)), sampling(group, member), session=f"{group}-{member}"
                )
                for group, member in itertools.product(range(GROUPS), range(MEMBERS))
            )
        )

    asyncio.run(go())


def branches_of(engine: EmbeddedEngine, shares: bool) -> None:
    """One session a group, whose past the others have: forked, or computed by each."""

    async def go() -> None:
        await asyncio.gather(*(branch(group) for group in range(GROUPS)))

    async def branch(group: int) -> None:
        past = tokens(OPENING, seed=group)
        said = await engine.generate(Prompt(past), sampling(group, 0), session=f"{group}-0")
        past = [*past, *said.token_ids, *tokens(8, seed=group)]
        if shares:
            for member in range(1, MEMBERS):
                await engine.fork(f"{group}-0", f"{group}-{member}")
        await asyncio.gather(
            *(engine.generate(Prompt(past), sampling(group, m), session=f"{group}-{m}") for m in range(1, MEMBERS))
        )

    engine.share_openings = False
    asyncio.run(go())


def sampling(group: int, member: int) -> Sampling:
    return Sampling(max_tokens=REPLY, seed=100 * group + member)


def tokens(length: int, *, seed: int) -> list[int]:
    return random.Random(seed).choices(range(10, VOCABULARY), k=length)


if __name__ == "__main__":
    main()
