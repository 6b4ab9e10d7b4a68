"""Playing episodes by blocking calls, and the words that all checks share."""

from __future__ import annotations

import itertools
import random
import re
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple, Protocol, TypeAlias, TypeVar

from agentgym.env import Env
from agentgym.errors import EnvError
from agentgym.types import Observation, StepResult, TaskId
from agentgym.visit import Player

__all__ = [
    "SECONDS",
    "TURNS",
    "Case",
    "Check",
    "MakeEnv",
    "Moment",
    "Played",
    "Remark",
    "cases_of",
    "episode_of",
    "expect",
    "expect_same",
    "moment_of",
    "paced",
    "play",
    "play_at_random",
    "random_action",
    "success_of",
]

T = TypeVar("T")

MakeEnv: TypeAlias = Callable[[], Env]
Case: TypeAlias = tuple[TaskId | None, int]
"""Task and seed."""

SECONDS = 3.0
"""About how long a check plays unless it is told otherwise."""

TURNS = 60
"""Turns of an episode that the checks which compare episodes look at."""


class Check(Protocol):
    """One check."""

    __name__: str

    def __call__(self, make_env: MakeEnv, seconds: float = SECONDS, /) -> str:
        """What was seen. Raises where the contract is broken."""


class Remark(str):
    """What was seen where there is something to know, but nothing that breaks the contract."""


class Moment(NamedTuple):
    """What a turn shows to whoever plays; two episodes are the same when all their moments are."""

    observation: str
    admissible: tuple[str, ...] | None
    reward: float
    terminated: bool
    truncated: bool
    success: Any


Played: TypeAlias = Iterator[tuple[str, Moment]]
"""Actions, and what each led to."""


def play_at_random(player: Player, task: TaskId | None, seed: int, *, max_turns: int | None = None) -> Played:
    """Play one episode with random actions, a pure function of ``seed``; yields (action, what it led to).

    The first action is "" and stands for the reset.
    """
    rng = random.Random(seed)
    observation = player.reset(task, seed)
    player.env.action_space.seed(seed)
    yield "", Moment(str(observation), observation.admissible, 0.0, False, False, None)
    for _ in range(max_turns or player.env.max_turns):
        action = random_action(player.env, observation, rng)
        result = player.step(action)
        observation = result.observation
        yield action, moment_of(result)
        if result.terminated or result.truncated:
            return


def random_action(env: Env, observation: Observation, rng: random.Random) -> str:
    """One of the admissible actions, its ``<slots>`` filled with words that are seen, or one of the action space."""
    if not observation.admissible:
        return str(env.action_space.sample())
    words = re.findall(r"\w+", observation) or ["a"]
    action = rng.choice(observation.admissible)
    return re.sub(r"<[^<>]+>", lambda _: " ".join(rng.choices(words, k=rng.randint(1, 3))), action)


def moment_of(result: StepResult) -> Moment:
    """A turn as it is compared."""
    observation, reward, terminated, truncated, info = result
    return Moment(str(observation), observation.admissible, reward, terminated, truncated, info.get("success"))


def play(player: Player, case: Case) -> Played:
    """A random episode as far as episodes are compared."""
    return play_at_random(player, *case, max_turns=min(TURNS, player.env.max_turns))


def episode_of(make_env: MakeEnv, case: Case) -> list[tuple[str, Moment]]:
    """A random episode on a fresh instance."""
    with Player(make_env()) as player:
        return list(play(player, case))


def success_of(player: Player, case: Case, *, by_expert: bool) -> bool:
    """Whether the expert, or else a random policy, succeeds."""
    rng = random.Random(case[1])
    player.reset(*case)
    player.env.action_space.seed(case[1])
    while player.goes_on:
        action = player.expert() if by_expert else None
        player.step(random_action(player.env, player.now.observation, rng) if action is None else action)
    return player.now.success


def cases_of(make_env: MakeEnv, count: int, split: str = "train") -> list[Case]:
    """(task, seed) pairs spread over a split."""
    with Player(make_env()) as player:
        tasks = player.env.tasks(split)
    expect(len(tasks) > 0, f'tasks("{split}") is empty')
    return [(tasks[i * len(tasks) // count], 100 + i) for i in range(count)]


def paced(items: Iterable[T], seconds: float, *, least: int = 1) -> Iterator[T]:
    """``items`` until the time is used up, at least so many: slow environments play fewer episodes, never none."""
    end = time.perf_counter() + seconds
    for number, item in enumerate(items):
        if number >= least and time.perf_counter() > end:
            return
        yield item


def expect(holds: bool, otherwise: str) -> None:
    """Raise EnvError unless it ``holds``."""
    if not holds:
        raise EnvError(otherwise)


def expect_same(found: Sequence[Any], expected: Sequence[Any], when: str) -> None:
    """Raise EnvError, which names the first turn that differs, unless two episodes are the same."""
    for turn, (one, other) in enumerate(itertools.zip_longest(found, expected)):
        expect(one == other, f"{when}, turn {turn} differs:\n  found    {one!r:.300}\n  expected {other!r:.300}")
