"""Whether the work alone is paid, in an environment that knows ways around it: the oracles of a software task.

An environment with a method ``cheats()``, which gives for the running task lists of actions by name, is held to four
things: its expert wins, what the expert left is seen by whoever grades it, doing nothing is not paid, and no cheat is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from agentgym.doctor.playing import SECONDS, Case, MakeEnv, Remark, cases_of, expect, paced, success_of
from agentgym.visit import Player

__all__ = ["pays_no_cheat"]


def pays_no_cheat(make_env: MakeEnv, seconds: float = SECONDS, /, tasks: int = 3) -> str:
    """Of what the environment calls cheats none is paid, on tasks that its expert wins."""
    with Player(make_env()) as player:
        if _is_unguarded(player):
            return Remark("left out: cheats attack whatever they run on, and unsafe_local has no container around it")
        if not hasattr(_bare(player), "cheats"):
            return Remark("left out: there is no cheats()")
        cases = cases_of(make_env, tasks, "test")
        for case in cases[:1]:
            expect(success_of(player, case, by_expert=True), f"the expert lost {case}: nobody sees what it does")
        tried = [(case, name) for case in cases for name in _names_at(player, case)]
        count = 0
        for case, name in paced(tried, seconds, least=1):
            reward, success = _played(player, case, name)
            expect(reward <= 0 and not success, f'the cheat "{name}" is paid {reward:g} in {case}')
            count += 1
    return f"none of {count} cheats was paid, the expert's work was"


def _bare(player: Player) -> Any:
    return getattr(player.env, "unwrapped", player.env)


def _cheats_of(player: Player) -> Mapping[str, Sequence[str]]:
    return dict(_bare(player).cheats())


def _is_unguarded(player: Player) -> bool:
    """Whether what is tried would run on this machine itself."""
    return bool(getattr(_bare(player), "unsafe_local", False))


def _names_at(player: Player, case: Case) -> list[str]:
    player.reset(*case)
    return list(_cheats_of(player))


def _played(player: Player, case: Case, name: str) -> tuple[float, bool]:
    player.reset(*case)
    for action in _cheats_of(player)[name]:
        if player.goes_on:
            player.step(action)
    return player.now.total, player.now.success
