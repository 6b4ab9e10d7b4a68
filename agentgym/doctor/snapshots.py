"""Coming back to a moment: what search, branching and vine sampling stand on."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

from agentgym.doctor.playing import (
    SECONDS,
    Case,
    MakeEnv,
    Moment,
    Remark,
    cases_of,
    expect,
    expect_same,
    moment_of,
    paced,
    play,
    text_of,
)
from agentgym.env import Env, Snapshot
from agentgym.types import TaskId
from agentgym.visit import Player

__all__ = ["comes_back_to_snapshots"]

_MOMENTS = 8
"""Of an episode, that are restored; the first and the last are among them."""
_GOES_ON = 20
"""Turns that are compared after a restored moment."""


def comes_back_to_snapshots(make_env: MakeEnv, seconds: float = SECONDS, /, episodes: int = 10) -> str:
    """Restoring any moment, on the same instance or on another one, and going on gives the rest of the episode."""
    num_moments = num_episodes = 0
    cases = cases_of(make_env, episodes)
    with Player(make_env()) as player, Player(make_env()) as other:
        if not _can_snapshot(player, *cases[0]):
            return Remark("left out: async, and without get_state and set_state")
        for case in paced(cases, seconds, least=2):
            num_moments += _restored(player, other, case)
            num_episodes += 1
        how = "replayed" if type(player.env).get_state is Env.get_state else "native"
    return f"{num_moments} moments of {num_episodes} episodes, each restored twice, {how}"


def _can_snapshot(player: Player, task: TaskId | None, seed: int) -> bool:
    player.reset(task, seed)
    return player.env.get_state() is not None or not player.env.is_async


def _restored(player: Player, other: Player, case: Case) -> int:
    """Restore moments of an episode in any order; returns how many."""
    snapshots, played = _with_snapshots(player, case)
    turns = _some_turns(len(snapshots), random.Random(case[1]))
    for turn in turns:
        for where, who in (("the same instance", player), ("another instance", other)):
            rest = played[turn + 1 : turn + 1 + _GOES_ON]
            found = _go_on(who, snapshots[turn], [action for action, _ in rest])
            expected = [played[turn][1][:2], *(moment for _, moment in rest)]
            expect_same(found, expected, f"after restoring turn {turn} of {case} on {where}")
    return len(turns)


def _some_turns(count: int, rng: random.Random) -> list[int]:
    between = rng.sample(range(1, count - 1), min(max(0, count - 2), _MOMENTS - 2)) if count > 2 else []
    turns = [*{0, count - 1}, *between]
    rng.shuffle(turns)
    return turns


def _with_snapshots(player: Player, case: Case) -> tuple[list[Snapshot], list[tuple[str, Moment]]]:
    snapshots, played = [], []
    for turn in play(player, case):
        played.append(turn)
        snapshots.append(player.env.snapshot())
    return snapshots, played


def _go_on(player: Player, snapshot: Snapshot, actions: Sequence[str]) -> list[Any]:
    """What is seen at ``snapshot``, then the moments that ``actions`` lead to."""
    observation, _ = player.env.restore(snapshot)
    expect(player.env.snapshot().digest == snapshot.digest, "a snapshot taken right after restore is another one")
    return [(text_of(observation), observation.admissible), *(moment_of(player.step(action)) for action in actions)]
