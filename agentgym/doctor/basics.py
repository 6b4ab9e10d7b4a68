"""What comes first: Gymnasium's own check, tasks, and an expert that wins."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Sequence

from agentgym.doctor.playing import SECONDS, Case, MakeEnv, Remark, cases_of, expect, paced, success_of
from agentgym.env import SPLITS
from agentgym.types import TaskId
from agentgym.visit import Player
from agentgym.wrapper import Settled

__all__ = ["has_disjoint_splits", "passes_gymnasium", "wins_as_expert"]


def passes_gymnasium(make_env: MakeEnv, _: float = SECONDS, /) -> str:
    """``gymnasium.utils.env_checker.check_env`` raises nothing."""
    from gymnasium.utils.env_checker import check_env

    env = make_env()
    with Player(Settled(env) if env.is_async else env) as player, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it advises on spaces and render modes
        check_env(player.env, skip_render_check=True)
    return "check_env raises nothing"


def has_disjoint_splits(make_env: MakeEnv, _: float = SECONDS, /) -> str:
    """Train, validation and test have tasks, all different."""
    with Player(make_env()) as player:
        splits = {split: player.env.tasks(split) for split in SPLITS}
    for split, tasks in splits.items():
        expect(len(tasks) > 0, f'tasks("{split}") is empty')
        expect(isinstance(tasks[0], int | str), f"a task id is a number or text, found {tasks[0]!r:.80}")
    for one, other in itertools.combinations(splits, 2):
        shared = _shared(splits[one], splits[other])
        expect(not shared, f'tasks("{one}") and tasks("{other}") share {shared[:5]}')
    return ", ".join(f"{len(tasks)} {split}" for split, tasks in splits.items())


def _shared(one: Sequence[TaskId], other: Sequence[TaskId]) -> list[TaskId]:
    if isinstance(one, range) and isinstance(other, range) and {one.step, other.step} == {1}:
        return list(range(max(one.start, other.start), min(one.stop, other.stop)))
    return sorted(set(one) & set(other), key=str)


def wins_as_expert(make_env: MakeEnv, seconds: float = SECONDS, /, episodes: int = 20) -> str:
    """The expert, where there is one, succeeds on at least 9 of 10 test tasks.

    One that may lose (``Env.expert_may_lose``) succeeds more often than random actions do.
    """
    cases = cases_of(make_env, episodes, "test")
    with Player(make_env()) as player:
        player.reset(*cases[0])
        if player.expert() is None:
            return Remark("left out: there is no expert()")
        won = {case: success_of(player, case, by_expert=True) for case in paced(cases, seconds, least=3)}
        lost = [case for case in won if not won[case]]
        if player.env.expert_may_lose and lost:
            return _wins_by_skill(player, cases_of(make_env, _MOST_PAIRS, "test"), seconds)
    expect(len(lost) <= len(won) / 10, f"the expert lost {len(lost)} of {len(won)}: (task, seed) {lost[:5]}")
    return f"the expert won {len(won) - len(lost)} of {len(won)} episodes of test tasks"


_MOST_PAIRS, _LEAST_PAIRS = 200, 20
_CLEAR = 3.0
"""Standard deviations of the difference of wins, were neither better than the other."""


def _wins_by_skill(player: Player, cases: Sequence[Case], seconds: float) -> str:
    """Compare the expert with random actions until it is clear who wins more often, or time is up.

    One lucky episode of three says nothing, so both play twenty in any case.
    """
    won = lucky = count = 0
    rounds = _MOST_PAIRS // _LEAST_PAIRS
    spread = [case for number in range(rounds) for case in cases[number::rounds]]
    for case in paced(spread, seconds, least=_LEAST_PAIRS):
        won += success_of(player, case, by_expert=True)
        lucky += success_of(player, case, by_expert=False)
        count += 1
        if won - lucky > _CLEAR * (won + lucky) ** 0.5 or (count >= _LEAST_PAIRS and not won):
            break
    found = f"won {won} of {count} by the expert, {lucky} by random actions"
    expect(won > lucky, f"{found}: this is no expert")
    return Remark(f"{found}: this one may lose")
