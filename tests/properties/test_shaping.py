"""Which rewards leave the optimum as it is, by exact solution of two hundred small decision processes.

A process is solved over its histories: every course that an episode can take is written down as the record that the
real shaper gets, its return is what was paid and what the shaper adds, discounted as a learner does, and from the ends
back each history has the value of its best action. Nothing here knows the formula of a potential.
"""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Callable, Sequence
from typing import TypeAlias

import pytest

from agentgym.reward import Discount, EpisodeShaper
from agentgym.rewards.potential import Potential
from agentgym.rewards.turn_cost import TurnCost
from agentgym.types import StopReason, Trajectory, Turn
from tests.kit import sample

NUM = 200
HORIZON = 3
ACTIONS = (0, 1)
History: TypeAlias = tuple[int, ...]
"""The first state, and then action and state in turn."""


@dataclasses.dataclass(frozen=True)
class Process:
    """States are numbers; where ``then`` has no entry for one, the episode is over, or else after HORIZON turns."""

    then: dict[tuple[int, int], list[tuple[float, int, float]]]
    """State and action → (probability, next state, what it pays)."""
    phi: list[float]
    discount: Discount
    is_cut: bool = False
    """What lasts HORIZON turns is cut short by a limit there."""


def drawn(seed: int, *, per_token: bool = False) -> Process:
    """Three states and an end. One in four pays whole numbers, so that actions tie; half are cut at the horizon."""
    rng = random.Random(seed)
    pays = (lambda: float(rng.randint(-1, 1))) if seed % 4 == 0 else (lambda: rng.uniform(-1, 1))
    then = {}
    for state in range(3):
        for action in ACTIONS:
            likely = rng.choice([1.0, 0.5, rng.random()])
            nexts = rng.sample(range(4), 2)
            outcomes = [(likely, nexts[0], pays()), (1 - likely, nexts[1], pays())]
            then[state, action] = [outcome for outcome in outcomes if outcome[0] > 0]
    gamma = rng.choice([1.0, rng.uniform(0.5, 1.0)])
    discount = Discount(gamma, "token" if per_token else "turn")
    return Process(then, [rng.uniform(-3, 3) for _ in range(4)], discount, is_cut=seed % 2 == 0)


def length(action: int) -> int:
    """Tokens of a reply that says it."""
    return 1 + 2 * action


def recorded(process: Process, history: History, paid: Sequence[float]) -> Trajectory:
    """The episode as a rollout would have it on record."""
    states, actions = history[::2], history[1::2]
    is_over = states[-1] == 3 or not process.is_cut
    return Trajectory(
        env="process",
        task=0,
        seed=0,
        episode_id="e0",
        channels={"phi": process.phi[states[0]]},
        turns=[
            Turn(
                observation=str(state),
                reply=str(action),
                action=str(action),
                reward=reward,
                breakdown={"environment": reward},
                channels={"phi": process.phi[after]},
            )
            for state, action, after, reward in zip(states[:-1], actions, states[1:], paid, strict=True)
        ],
        samples=[sample([[7] * length(action) for action in actions])] if process.discount.per == "token" else [],
        final_observation=str(states[-1]),
        stop_reason=StopReason.TERMINATED if is_over else StopReason.TURN_LIMIT,
        terminated=is_over,
        truncated=not is_over,
    )


def total(process: Process, history: History, rewards: Sequence[float]) -> float:
    """The return from the beginning of an episode, as a learner counts: a reward stands on its turn's last token."""
    gamma, per, _ = process.discount
    passed, sum_ = 0, 0.0
    for action, reward in zip(history[1::2], rewards, strict=True):
        passed += length(action) if per == "token" else 1
        sum_ += gamma ** (passed - 1) * reward
    return sum_


Solution: TypeAlias = tuple[float, dict[History, set[int]]]
"""The value of the beginning, and the best actions of each history."""


def solved(process: Process, shaper: EpisodeShaper | None) -> Solution:
    best: dict[History, set[int]] = {}

    def value(history: History, paid: tuple[float, ...]) -> float:
        if history[-1] == 3 or len(paid) == HORIZON:
            added = shaper(recorded(process, history, paid)) if shaper is not None else [0.0] * len(paid)
            assert isinstance(added, list)
            return total(process, history, [sum(pair) for pair in zip(paid, added, strict=True)])
        of = [sum(p * value((*history, a, s), (*paid, r)) for p, s, r in process.then[history[-1], a]) for a in ACTIONS]
        best[history] = {action for action in ACTIONS if of[action] > max(of) - 1e-9}
        return max(of)

    return value((0,), ()), best


def is_kept(process: Process, shaper: EpisodeShaper) -> bool:
    """Whether the best actions stay, everywhere, and the value moves by the potential of the beginning alone."""
    (plain, best), (shaped, shaped_best) = solved(process, None), solved(process, shaper)
    return shaped_best == best and shaped == pytest.approx(plain - process.phi[0], abs=1e-9)


PHIS: list[list[float]] = []


def phi(seen: Trajectory) -> float:
    """Of the state that the policy sees, by its number: the potential as a function."""
    return PHIS[-1][int(seen.final_observation)]


def by_channel(process: Process) -> Potential:
    return Potential("phi", gamma=process.discount.gamma, per=process.discount.per)


def by_file(process: Process) -> Potential:
    PHIS.append(process.phi)
    return Potential(file=f"{__file__}:phi", gamma=process.discount.gamma, per=process.discount.per)


@pytest.mark.parametrize("made", [by_channel, by_file])
def test_a_potential_leaves_the_best_actions_of_two_hundred_processes_the_best(
    made: Callable[[Process], Potential],
) -> None:
    processes = [drawn(seed) for seed in range(NUM)]
    assert all(is_kept(process, made(process)) for process in processes)
    assert sum(len(actions) == 2 for process in processes for actions in solved(process, None)[1].values()) > 50
    assert {process.discount.gamma == 1 for process in processes} == {True, False}


def test_so_it_does_where_each_token_is_discounted() -> None:
    processes = [drawn(seed, per_token=True) for seed in range(0, NUM, 4)]
    assert all(is_kept(process, by_channel(process)) for process in processes)
    discounted = [process for process in processes if process.discount.gamma < 1]
    by_turns = [is_kept(process, Potential("phi", gamma=process.discount.gamma)) for process in discounted]
    assert sum(by_turns) < len(discounted) / 5  # where every episode has one turn alone, it is the same


def test_under_another_discount_it_does_not() -> None:
    kept = [is_kept(process, Potential("phi", gamma=0.25)) for process in map(drawn, range(0, NUM, 4))]
    assert sum(kept) < len(kept) / 5


def test_kept_at_the_end_it_does_not() -> None:
    """As for a learner that goes on after a cut, beside one that does not."""
    processes = [drawn(seed) for seed in range(0, NUM, 4)]
    kept = [is_kept(process, Potential("phi", gamma=process.discount.gamma, continues=True)) for process in processes]
    assert sum(kept) < len(kept) / 5


def test_a_cost_for_each_turn_changes_what_is_best() -> None:
    """One turn that pays 0.5, or three that pay 1 at their end: at 0.3 a turn the short way is better."""
    then = {(0, 0): [(1.0, 3, 0.5)], (0, 1): [(1.0, 1, 0.0)]}
    then |= {(state, a): [(1.0, after, r)] for state, after, r in ((1, 2, 0.0), (2, 3, 1.0)) for a in ACTIONS}
    process = Process(then, [0.0] * 4, Discount())

    class Dear(TurnCost):
        def __call__(self, trajectory: Trajectory) -> list[float]:
            return [0.3 * cost for cost in super().__call__(trajectory)]

    assert solved(process, None)[1][(0,)] == {1}
    assert solved(process, Dear())[1][(0,)] == {0}
    assert Dear.is_invariant is False
