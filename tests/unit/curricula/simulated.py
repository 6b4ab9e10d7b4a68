"""A learner whose competence is known, to see what a curriculum is worth without training anything.

Rungs stand on each other. Practice raises the competence of a rung the more, the more its episodes differ (p (1 - p))
and the better the rung below is known; whatever is not practised is forgotten by and by.
"""

from __future__ import annotations

import functools
import itertools
import json
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from hypothesis import strategies as st

from agentgym.curricula.uniform import Uniform
from agentgym.curriculum import Curriculum, Outcome, drawn, state_of
from agentgym.draw import Draw

__all__ = [
    "GROUPS",
    "RUNGS",
    "Learner",
    "OnRungs",
    "episodes_to_mastery",
    "goes_on_alike",
    "heard",
    "longest_absence",
    "of_task",
    "play",
    "rungs_drawn",
    "versus_uniform",
]

MASTERED = 0.8
RUNGS: dict[str, Any] = {"option": "rung", "levels": (0, 1, 2, 3, 4, 5)}
GROUPS = st.lists(st.lists(st.booleans(), max_size=8), min_size=3, max_size=45)
"""What becomes of the groups of a run, for ``goes_on_alike``."""


class Learner:
    """Competence of each rung, in [0, 1]."""

    def __init__(self, num_rungs: int, *, seed: int, rate: float = 0.02, forgetting: float = 2e-4) -> None:
        self.rng, self.noise = np.random.default_rng(seed), np.random.default_rng([seed, 1])
        self.competence = np.full(num_rungs, 0.02)
        self.competence[0] = 0.2
        self.rate, self.forgetting = rate, forgetting

    def practise(self, rung: int, num_episodes: int, strength: float = 0.0) -> list[bool]:
        """Play a group of episodes of a rung, and learn from them; where there is help, half as much."""
        p, rate = self.competence[rung], self.rate * (0.5 if strength else 1)
        helped = p + strength / 2 * (1 - p)
        ready = self.competence[rung - 1] if rung else 1.0
        others = np.arange(len(self.competence)) != rung
        self.competence[others] *= (1 - self.forgetting) ** num_episodes
        self.competence[rung] = min(0.98, p + num_episodes * rate * 4 * helped * (1 - helped) * ready)
        self.competence = np.maximum(self.competence, 0.02)
        return [bool(success) for success in self.rng.random(num_episodes) < helped]

    def logprobs(self, rung: int, num_episodes: int) -> list[float]:
        """Mean log-probabilities of the tokens of as many episodes: the higher the competence, the surer they are."""
        noise = self.noise.normal(0, 0.1, num_episodes)
        return [min(0.0, float(logprob)) for logprob in self.competence[rung] - 1 + noise]

    def forget(self) -> None:
        """All but the beginnings."""
        self.competence = np.minimum(self.competence, 0.05)
        self.competence[0] = 0.2

    @property
    def has_mastered(self) -> bool:
        return bool((self.competence >= MASTERED).all())


class OnRungs:
    """Which rung a draw plays: the value of the option ``rung``, else so many tasks stand on each."""

    def __init__(self, tasks_per_rung: int = 1) -> None:
        self.tasks_per_rung = tasks_per_rung

    def __call__(self, draw: Draw) -> int:
        return int(draw.options.get("rung", int(draw.task) // self.tasks_per_rung))


def play(
    curriculum: Curriculum, learner: Learner, update: int, rung_of: Callable[[Draw], int], *, size: int = 8
) -> list[Outcome]:
    """An update of ``size`` groups of four, of whom two have no help; the curriculum hears of it."""
    outcomes = []
    for ordinal in range(update * size, (update + 1) * size):
        draw = drawn(curriculum, ordinal)
        logprobs = learner.logprobs(rung_of(draw), 4)
        strengths = [0.0, 0.0, draw.strength, draw.strength]
        if draw.strength:
            successes = [*learner.practise(rung_of(draw), 2), *learner.practise(rung_of(draw), 2, draw.strength)]
        else:
            successes = learner.practise(rung_of(draw), 4)
        told = {"ordinal": ordinal, "strengths": strengths, "logprobs": logprobs}
        outcomes.append(_heard(draw, successes, told))
    curriculum.learn(outcomes)
    return outcomes


def episodes_to_mastery(
    make: Callable[[int], Curriculum],
    num_rungs: int,
    rung_of: Callable[[Draw], int],
    *,
    seeds: Sequence[int] = range(5),
    forgets: bool = False,
    max_updates: int = 1500,
) -> float:
    """Mean over the seeds; with ``forgets``, from the moment at which a learner that had mastered all forgets it."""
    return float(
        np.mean([_episodes(make(seed), Learner(num_rungs, seed=seed), rung_of, forgets, max_updates) for seed in seeds])
    )


def versus_uniform(
    make: Callable[[int], Curriculum], *, forgets: bool = False, tasks_per_rung: int = 1, num_seeds: int = 4
) -> float:
    """Episodes to the mastery of six rungs, as a share of those that ``uniform`` needs over tasks."""
    ours = episodes_to_mastery(make, 6, OnRungs(tasks_per_rung), seeds=range(num_seeds), forgets=forgets)
    return ours / _uniform(forgets, tasks_per_rung, num_seeds)


@functools.cache
def _uniform(forgets: bool, tasks_per_rung: int, num_seeds: int) -> float:
    tasks = range(6 * tasks_per_rung)
    return episodes_to_mastery(
        lambda seed: Uniform(tasks, seed=seed), 6, OnRungs(tasks_per_rung), seeds=range(num_seeds), forgets=forgets
    )


def rungs_drawn(curriculum: Curriculum, num_updates: int = 60) -> list[int]:
    """The rungs of all draws while a learner learns."""
    learner, rung_of = Learner(6, seed=2), OnRungs()
    updates = range(num_updates)
    return [rung_of(outcome.draw) for update in updates for outcome in play(curriculum, learner, update, rung_of)]


def heard(rung: int, *successes: bool, **changes: Any) -> Outcome:
    """What became of a group at a rung."""
    return _heard(Draw(task=0, options={"rung": rung}), successes, changes)


def of_task(task: int, *successes: bool, **changes: Any) -> Outcome:
    """What became of a group of a task."""
    return _heard(Draw(task=task), successes, changes)


def _heard(draw: Draw, successes: Sequence[bool], changes: dict[str, Any]) -> Outcome:
    rewards = [float(success) for success in successes]
    return Outcome(**{"ordinal": 0, "draw": draw, "rewards": rewards, "successes": successes, **changes})


def _episodes(
    curriculum: Curriculum, learner: Learner, rung_of: Callable[[Draw], int], forgets: bool, max_updates: int
) -> int:
    begin = 0
    for update in range(max_updates):
        if learner.has_mastered:
            if not forgets:
                return 32 * (update - begin)
            learner.forget()
            begin, forgets = update, False
        play(curriculum, learner, update, rung_of)
    return 32 * (max_updates - begin)


def longest_absence(rungs: Sequence[int], num_rungs: int) -> int:
    """The most draws that any rung waited to be drawn again, the end counted as such."""
    longest = 0
    for rung in range(num_rungs):
        places = [-1, *(place for place, drawn in enumerate(rungs) if drawn == rung), len(rungs)]
        longest = max(longest, *(after - before for before, after in itertools.pairwise(places)))
    return longest


def goes_on_alike(make: Callable[[], Curriculum], groups: Sequence[Sequence[bool]], at: int, size: int = 3) -> None:
    """Assert that one that comes back from a checkpoint at update ``at`` draws and learns as one that went on."""
    one, other = make(), make()
    for update in range(0, len(groups), size):
        if update // size == at:
            other.load_state(json.loads(json.dumps(state_of(one))))
        outcomes = []
        for ordinal, successes in enumerate(groups[update : update + size], update):
            draw = drawn(one, ordinal)
            assert update // size < at or drawn(other, ordinal) == draw
            logprobs = [-sum(successes) / 8 - at / 32] * len(successes)
            outcomes.append(_heard(draw, successes, {"ordinal": ordinal, "logprobs": logprobs}))
        one.learn(outcomes)
        if update // size >= at:
            other.learn(outcomes)
    if at * size < len(groups):
        assert state_of(other) == state_of(one)
        assert [drawn(other, n) for n in range(40)] == [drawn(one, n) for n in range(40)]
