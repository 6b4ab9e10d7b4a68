"""From what the environment paid to what is learned from: rewards added to finished episodes.

The members of a group that are augmented alike are shaped together, when the last of them has ended. All numbers are
there before any is added: an episode has all of its rewards or, where a judge failed, the environment's alone and a
``shaping_error``, which keeps it out of learning. A mistake in a reward ends the run and says where it is.
"""

from __future__ import annotations

import asyncio
import inspect
import math
import numbers
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from agentgym.boundary import MAX_REWARD
from agentgym.errors import JudgeError, UserError
from agentgym.loops import settled
from agentgym.reward import EpisodeShaper, Shaper
from agentgym.rollout.specs import EpisodeSpec
from agentgym.types import Trajectory, Turn

__all__ = ["Finish", "Weighted", "shape", "together", "weighed"]

_OURS = frozenset({__file__, inspect.getfile(Shaper), inspect.getfile(settled)})


class Weighted(NamedTuple):
    """A shaper in a run."""

    name: str
    """Of its channel in ``Turn.breakdown``."""
    weight: float
    shaper: Shaper


class Finish:
    """Shapes the episodes of one rollout, group by group, as the last member of each ends.

    ``on_episode`` is told each episode once nothing more is added to it, the members of a group in the order of
    ``specs``. An episode without a group is one of its own, and so is every episode where there are no shapers.
    """

    def __init__(
        self,
        specs: Iterable[EpisodeSpec],
        shapers: Sequence[Weighted],
        on_episode: Callable[[Trajectory], None],
        *,
        seconds: float | None,
    ) -> None:
        self._shapers, self._on_episode, self._seconds = shapers, on_episode, seconds
        self._missing: dict[str, list[str]] = {}
        self._factors: dict[str, Mapping[str, float]] = {}
        """Of the members of each group, which are of one draw."""
        for spec in specs:
            self._missing.setdefault(self._group(spec), []).append(spec.episode_id)
            self._factors[self._group(spec)] = _known(self._shapers, spec.rewards)
        self._ended: dict[str, Trajectory] = {}

    def _group(self, of: EpisodeSpec | Trajectory) -> str:
        return f"group {together(of)}" if of.group_id and self._shapers else f"episode {of.episode_id}"

    async def ended(self, trajectory: Trajectory) -> None:
        """Take in an episode. Whoever brings the last of a group waits until the group is shaped."""
        self._ended[trajectory.episode_id] = trajectory
        members = self._missing[self._group(trajectory)]
        if any(name not in self._ended for name in members):
            return
        group = [self._ended.pop(name) for name in members]
        shapers = weighed(self._shapers, self._factors[self._group(trajectory)])
        await shape(group, shapers, seconds=self._seconds)
        for member in group:
            self._on_episode(member)


def weighed(shapers: Sequence[Weighted], factors: Mapping[str, float]) -> list[Weighted]:
    """``shapers`` with their weights times ``factors``, without those that come to nothing.

    Raises UserError for a factor of a reward that there is not.
    """
    _known(shapers, factors)
    found = [each._replace(weight=each.weight * factors.get(each.name, 1.0)) for each in shapers]
    return [each for each in found if each.weight]


def _known(shapers: Sequence[Weighted], factors: Mapping[str, float]) -> Mapping[str, float]:
    names = [weighted.name for weighted in shapers]
    if shapers and (unknown := [name for name in factors if name not in names]):
        raise UserError(
            f'the curriculum draws a factor for the reward "{unknown[0]}", which this run has not; found '
            f"{', '.join(names)}; type --rewards.{unknown[0]} 1"
        )
    return factors


def together(of: EpisodeSpec | Trajectory) -> str:
    """What the episodes that are shaped together have in common: augmentations of one strength among it."""
    return f"{of.group_id or of.episode_id} at {of.strength}"


async def shape(group: Sequence[Trajectory], shapers: Sequence[Weighted], *, seconds: float | None = None) -> None:
    """Add what ``shapers`` give the episodes of a group; void ones are left out. What an earlier shaping added goes.

    A shaper has ``seconds`` for its answer, unless it holds up the event loop. Raises UserError for one that gives
    something else than numbers, or raises.
    """
    shaped = [trajectory for trajectory in group if not trajectory.stop_reason.is_void]
    if not (shapers and shaped):
        return
    for trajectory in shaped:  # an earlier shaping is nothing to judge by
        trajectory.turns = _with(trajectory.turns, {})
    asked = [
        (members, _asked(weighted, [shaped[index] for index in members], seconds), weighted.name)
        for weighted in shapers
        for members in _together(weighted.shaper, len(shaped))
    ]
    answers = await asyncio.gather(*(answer for _, answer, _ in asked), return_exceptions=True)
    given: list[dict[str, Sequence[float]]] = [{} for _ in shaped]
    errors: dict[int, str] = {}
    for (members, _, name), answer in zip(asked, answers, strict=True):
        if isinstance(answer, BaseException):
            raise answer
        for place, index in enumerate(members):
            if isinstance(answer, str):
                errors.setdefault(index, answer)
            else:
                given[index][name] = answer[place]
    for index, trajectory in enumerate(shaped):
        trajectory.shaping_error = errors.get(index)
        trajectory.turns = _with(trajectory.turns, {} if index in errors else given[index])


def _together(shaper: Shaper, num: int) -> list[list[int]]:
    """Which episodes it is asked about at once."""
    everyone = list(range(num))
    return [[index] for index in everyone] if isinstance(shaper, EpisodeShaper) else [everyone]


async def _asked(weighted: Weighted, members: Sequence[Trajectory], seconds: float | None) -> list[list[float]] | str:
    """A shaper's numbers with its weight, or how its judge failed."""
    name, _, shaper = weighted
    try:
        async with asyncio.timeout(seconds) as deadline:
            found: Any = await shaper.shape(members)
    except (JudgeError, OSError) as error:  # a TimeoutError is an OSError
        if deadline.expired():
            return f'reward "{name}" took longer than {seconds:g} s; raise --rollout.shaping_seconds if it may'
        return f'reward "{name}" failed: {type(error).__name__}: {error}'
    except UserError:
        raise
    except Exception as error:
        raise UserError(f'reward "{name}" raised {type(error).__name__}: {error} ({_place(error)})') from error
    if not isinstance(found, Sequence) or len(found) != len(members):
        raise UserError(f'reward "{name}" gave {_shown(found)} for {len(members)} episodes, expected a list for each')
    return [_weighted(weighted, values, trajectory) for values, trajectory in zip(found, members, strict=True)]


def _weighted(weighted: Weighted, values: Any, trajectory: Trajectory) -> list[float]:
    name, weight, _ = weighted
    checked = _checked(name, values, trajectory)
    for turn, value in enumerate(checked):
        if not abs(weight * value) <= MAX_REWARD:
            raise UserError(
                f'reward "{name}" gave {_shown(value)} for turn {turn}, times its weight {weight:g} beyond what can be '
                f"learned from, expected no more than {MAX_REWARD:g} either way"
            )
    return [weight * value for value in checked]


def _checked(name: str, values: Any, trajectory: Trajectory) -> list[float]:
    num = len(trajectory.turns)
    if not isinstance(values, Sequence) or isinstance(values, str):
        raise UserError(f'reward "{name}" gave {_shown(values)}, expected a list with one number for each turn')
    if len(values) != num:
        raise UserError(f'reward "{name}" gave {len(values)} numbers for {num} turns, expected one for each')
    for turn, value in enumerate(values):
        if not _is_finite(value):
            raise UserError(f'reward "{name}" gave {_shown(value)} for turn {turn}, expected a finite number')
    return [float(value) for value in values]


def _is_finite(value: Any) -> bool:
    try:
        return isinstance(value, numbers.Real) and math.isfinite(value)
    except OverflowError:  # a whole number beyond all floats
        return False


def _with(turns: Sequence[Turn], given: dict[str, Sequence[float]]) -> list[Turn]:
    """``turns`` as the environment paid them, and a channel for each of ``given``."""
    shaped = []
    for index, turn in enumerate(turns):
        paid = turn.breakdown.get("environment", 0.0)
        breakdown = {name: value for name, value in turn.breakdown.items() if name == "environment"}
        breakdown |= {name: values[index] for name, values in given.items()}
        reward = paid
        for values in given.values():
            reward += values[index]
        shaped.append(Turn(**{**dict(turn), "reward": reward, "breakdown": breakdown}))
    return shaped


def _shown(value: Any) -> str:
    return f"{value!r:.80}"


def _place(error: BaseException) -> str:
    """The line of the reward that raised it, or called what did."""
    frames = traceback.extract_tb(error.__traceback__)
    theirs = next((frame for frame in frames if frame.filename not in _OURS), frames[-1])
    return f"{theirs.filename}:{theirs.lineno}"
