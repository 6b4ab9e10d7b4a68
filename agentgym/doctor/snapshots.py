"""Coming back to a moment: what search, branching and vine sampling stand on."""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Iterator, Sequence
from typing import Any

from agentgym.doctor.playing import (
    SECONDS,
    Case,
    MakeEnv,
    Moment,
    Remark,
    cases_of,
    expect_same,
    moment_of,
    paced,
    play,
)
from agentgym.errors import SnapshotError
from agentgym.snapshot import Mark, Snapshot
from agentgym.visit import Player, Standing

__all__ = ["comes_back_to_snapshots", "tells_the_way_back"]

_MOMENTS = 8
"""Of an episode, that are restored as long as there is time; the first and the last in any case."""
_GOES_ON, _GOES_ON_LATE = 20, 4
"""Turns that are compared after a restored moment, and once time is up."""


def comes_back_to_snapshots(make_env: MakeEnv, seconds: float = SECONDS, /, episodes: int = 10) -> str:
    """Restoring any moment, on the same instance or on another one, and going on gives the rest of the episode."""
    num_moments, num_episodes, end = 0, 0, time.perf_counter() + seconds
    with Player(make_env()) as player, Player(make_env()) as other:
        if player.env.restored_by == "none":
            return Remark("left out: there is no way back to a moment")
        for case in paced(cases_of(make_env, episodes), seconds, least=2):
            num_moments += _restored(player, other, case, end)
            num_episodes += 1
    return f"{num_moments} moments of {num_episodes} episodes, each restored twice"


def tells_the_way_back(make_env: MakeEnv, seconds: float = SECONDS, /, episodes: int = 10) -> str:
    """How a host comes back to a moment that it keeps, and others by replay; how long that takes, what diverges."""
    kept: list[float] = []
    replayed: list[float] = []
    turns: list[int] = []
    num_diverged, end = 0, time.perf_counter() + seconds
    with Player(make_env()) as player, Player(make_env()) as other:
        if player.env.restored_by == "none":
            return Remark("none: there is no way back to a moment; no search, no branches, no undo")
        for case in paced(cases_of(make_env, episodes), seconds, least=2):
            marks = _with_marks(player, case)
            for turn in _some_turns(len(marks), random.Random(case[1]), end):
                mark, now = marks[turn]
                if mark.rung != "replay":
                    kept.append(_milliseconds(player, mark, now))
                try:
                    replayed.append(_milliseconds(other, mark, now))
                    turns.append(turn)
                except SnapshotError:
                    num_diverged += 1
    way = f"{mark.rung}, {statistics.median(kept):.3g} ms; elsewhere " if kept else ""
    took = f", {statistics.mean(replayed):.3g} ms for {statistics.mean(turns):.3g} turns" if replayed else ""
    num = num_diverged + len(replayed)
    found = f"{way}verified replay{took}; {num_diverged} of {num} replays diverge ({num_diverged / num:.0%})"
    return Remark(found) if num_diverged else found


def _with_marks(player: Player, case: Case) -> list[tuple[Mark, Standing]]:
    return [(player.save(), player.now) for _ in play(player, case)]


def _milliseconds(player: Player, mark: Mark, now: Standing) -> float:
    started = time.perf_counter()
    player.load(mark, now)
    return 1000 * (time.perf_counter() - started)


def _restored(player: Player, other: Player, case: Case, end: float) -> int:
    """Restore moments of an episode in any order; returns how many."""
    snapshots, played = _with_snapshots(player, case)
    count = 0
    for turn in _some_turns(len(snapshots), random.Random(case[1]), end):
        count += 1
        for where, who in (("the same instance", player), ("another instance", other)):
            goes_on = _GOES_ON if time.perf_counter() < end else _GOES_ON_LATE
            rest = played[turn + 1 : turn + 1 + goes_on]
            found = _go_on(who, snapshots[turn], [action for action, _ in rest])
            expected = [played[turn][1][:2], *(moment for _, moment in rest)]
            expect_same(found, expected, f"after restoring turn {turn} of {case} on {where}")
    return count


def _some_turns(count: int, rng: random.Random, end: float) -> Iterator[int]:
    """The first, the last, and others until ``end``."""
    yield from sorted({0, count - 1})
    for turn in rng.sample(range(1, count - 1), min(count - 2, _MOMENTS - 2)) if count > 2 else []:
        if time.perf_counter() > end:
            return
        yield turn


def _with_snapshots(player: Player, case: Case) -> tuple[list[Snapshot], list[tuple[str, Moment]]]:
    snapshots, played = [], []
    for turn in play(player, case):
        played.append(turn)
        snapshots.append(player.settled(player.env.snapshot()))
    return snapshots, played


def _go_on(player: Player, snapshot: Snapshot, actions: Sequence[str]) -> list[Any]:
    """What is seen at ``snapshot``, then the moments that ``actions`` lead to."""
    observation, _ = player.settled(player.env.restore(snapshot))
    return [(str(observation), observation.admissible), *(moment_of(player.step(action)) for action in actions)]
