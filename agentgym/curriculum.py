"""What an ordinal of training plays: the contract of curricula, and the order of tasks that they begin from.

Curricula live in ``agentgym/curricula``, one file each. A trainer asks for the draws of an update when its episodes are
about to be played, and tells after the update what became of them, so that the next draws may depend on it. What a
draw depends on is ``state``, which a checkpoint holds: ordinal n is the same draw after every resume.
"""

from __future__ import annotations

import abc
import dataclasses
import json
import math
import numbers
import statistics
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from agentgym.draw import Draw
from agentgym.errors import UserError
from agentgym.strength import STRENGTH
from agentgym.types import TaskId, Trajectory

__all__ = ["Curriculum", "Outcome", "TaskOrder", "draw_of", "drawn", "grades", "outcomes_of", "state_of"]

_BLOCK = 65536
"""Very long task lists are shuffled within blocks of so many, which come in their own order."""


class TaskOrder:
    """Every task once before any comes again, in a new order each epoch: a pure function of the seed.

    Raises UserError for no tasks.
    """

    def __init__(self, tasks: Sequence[TaskId], *, seed: int) -> None:
        if not len(tasks):
            raise UserError("there are no tasks in this split; choose another split or more data")
        self.tasks, self.seed = tasks, seed
        self._block: tuple[tuple[int, int], np.ndarray[tuple[int], np.dtype[np.int64]]] | None = None

    def __getitem__(self, ordinal: int) -> TaskId:
        epoch, position = divmod(ordinal, len(self.tasks))
        block, offset = divmod(position, _BLOCK)
        if self._block is None or self._block[0] != (epoch, block):
            size = min(_BLOCK, len(self.tasks) - block * _BLOCK)
            rng = np.random.default_rng([self.seed, epoch, block])
            self._block = ((epoch, block), rng.permutation(size))
        return self.tasks[block * _BLOCK + int(self._block[1][offset])]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of the episodes of an ordinal.

    Those that the policy played by itself and that count: an expert's, a partner's and those that an expert began say
    nothing of the policy, unless the draw itself has the expert begin (``shown_turns``).
    """

    ordinal: int
    draw: Draw
    rewards: Sequence[float] = ()
    """Of each episode, the environment's own."""
    successes: Sequence[bool] = ()
    strengths: Sequence[float] = ()
    """How much the environment helped in each episode: some of a group may be without help."""
    logprobs: Sequence[float | None] = ()
    """Of each episode, the mean behavior log-probability of the tokens that the policy sampled; None without any."""
    num_void: int = 0
    """Episodes that do not count, because the environment broke."""


class Curriculum(abc.ABC):
    """Says what is played. ``tasks`` are those to train on; what else a constructor takes are settings."""

    plugin_kind: ClassVar[str] = "curricula"
    of_policy: ClassVar[bool] = False
    """Whether what it draws is of the policy's own episodes alone, also where it learns nothing from them."""

    def __init__(self, tasks: Sequence[TaskId], *, seed: int) -> None:
        self.tasks, self.seed = tasks, seed
        self.order = TaskOrder(tasks, seed=seed)

    run_strength: float | None = None
    """What a draw that says no strength is played at; None where nothing is augmented. The run's."""

    @abc.abstractmethod
    def draw(self, ordinal: int) -> Draw:
        """What ``ordinal`` plays: a pure function of it, of tasks, seed and settings, and of ``state``."""

    def learn(self, outcomes: Sequence[Outcome]) -> None:  # noqa: B027  # one that does not react need not say so
        """Called once after each update with what became of its ordinals, in their order."""

    def stepped(self, grad_norm: float) -> None:  # noqa: B027
        """Called after ``learn`` with the gradient's norm, where there was something to learn from."""

    def looked(self, success: float) -> None:  # noqa: B027
        """Called after each look at the validation tasks, which are played without any help."""

    @property
    def needs_expert(self) -> bool:
        """Whether it draws what an expert has to play."""
        return False

    @property
    def is_over(self) -> bool:
        """Whether it has nothing more to teach: training ends."""
        return False

    def report(self) -> dict[str, Any]:
        """What the run's report says of it, as JSON; empty: nothing."""
        return {}

    def state(self) -> dict[str, Any]:
        """What ``draw`` depends on beside what the constructor was given, as JSON."""
        return {}

    def load_state(self, state: Mapping[str, Any]) -> None:  # noqa: B027
        """Take up what ``state`` returned."""


def drawn(curriculum: Curriculum, ordinal: int) -> Draw:
    """What ``curriculum`` draws, as it comes back from a checkpoint. Raises UserError for no draw."""
    draw = curriculum.draw(ordinal)
    who = f"the curriculum {type(curriculum).__name__}, asked for ordinal {ordinal},"
    if not isinstance(draw, Draw):
        raise UserError(f"{who} gave {draw!r:.80}, expected an agentgym.draw.Draw")
    if type(draw.task) not in (int, str):
        raise UserError(f"{who} drew the task {draw.task!r:.80}, expected an int or a str, one of its tasks")
    strength, level = _strength(who, draw, curriculum.run_strength), _number(draw.level)
    if draw.level is not None and not math.isfinite(level):
        raise UserError(f"{who} drew level {draw.level!r:.80}, expected a finite number or None")
    if type(draw.shown_turns) is not int or draw.shown_turns < 0:
        raise UserError(f"{who} drew shown_turns {draw.shown_turns!r:.80}, expected a whole number from 0")
    if wrong := [name for name, factor in draw.rewards.items() if not math.isfinite(_number(factor))]:
        raise UserError(f"{who} drew {draw.rewards[wrong[0]]!r:.80} for the reward {wrong[0]!r:.80}, expected a number")
    limit = _number(draw.max_turns)
    if draw.max_turns is not None and not (limit >= 1 and limit.is_integer()):
        raise UserError(f"{who} drew max_turns {draw.max_turns!r:.80}, expected a whole number from 1 on or None")
    try:
        options, rewards = _through_json(dict(draw.options)), _through_json(dict(draw.rewards))
    except (TypeError, ValueError) as error:
        raise UserError(f"{who} drew options that are no JSON: {error}") from None
    draw = dataclasses.replace(draw, options=options, rewards=rewards, strength=strength)
    return dataclasses.replace(
        draw,
        level=None if draw.level is None else level,
        max_turns=None if draw.max_turns is None else int(limit),
    )


def _strength(who: str, draw: Draw, usual: float | None) -> float:
    """That of the draw, or what is ``usual`` where it says none."""
    strength = _number(usual or 0.0 if draw.strength is None else draw.strength)
    if not 0 <= strength <= 1:
        raise UserError(f"{who} drew strength {draw.strength!r:.80}, expected a number from 0 to 1")
    if usual is None and strength:
        raise UserError(f"{who} drew strength {strength:g}, and nothing is augmented; type: --augment error-hints")
    if usual is not None and STRENGTH in draw.options:
        raise UserError(f'{who} drew the option "{STRENGTH}", which augmentations take; give it as Draw(strength=...)')
    return strength


def state_of(curriculum: Curriculum) -> dict[str, Any]:
    """What a checkpoint holds of ``curriculum``. Raises UserError for what would come back as something else."""
    state, who = curriculum.state(), f"the state of the curriculum {type(curriculum).__name__}"
    if not isinstance(state, dict):
        raise UserError(f"{who} is {state!r:.80}, expected a dict")
    for key in _keys(state):
        if not isinstance(key, str):
            raise UserError(f"{who} has the key {key!r:.80}, expected text: JSON has no others, list pairs")
    try:
        found: dict[str, Any] = _through_json(state)
    except (TypeError, ValueError) as error:
        raise UserError(f"{who} is no JSON: {error}") from None
    return found


def _number(value: Any) -> float:
    """``value`` as a float; NaN where it is no number, or none that a float can be."""
    try:
        return float(value) if isinstance(value, numbers.Real) else math.nan
    except OverflowError:
        return math.nan


def _through_json(value: Any) -> Any:
    """``value`` as it comes back from a file. Raises TypeError or ValueError for what does not go into one."""
    text = json.dumps(value, allow_nan=False, ensure_ascii=False)
    text.encode()
    return json.loads(text)


def _keys(value: Any) -> Iterator[Any]:
    """The keys of all dicts in ``value``."""
    if isinstance(value, dict):
        yield from value
        value = list(value.values())
    if isinstance(value, list | tuple):
        for each in value:
            yield from _keys(each)


def outcomes_of(trajectories: Iterable[Trajectory]) -> list[Outcome]:
    """What became of each ordinal that was played, in order."""
    played: dict[int, list[Trajectory]] = {}
    for trajectory in trajectories:
        if trajectory.ordinal is not None and trajectory.task is not None:
            played.setdefault(trajectory.ordinal, []).append(trajectory)
    return [_outcome(ordinal, episodes) for ordinal, episodes in sorted(played.items())]


def draw_of(episodes: Sequence[Trajectory]) -> Draw:
    """What the episodes of an ordinal were drawn as; some of them may have had less help, or an expert no limit."""
    first = episodes[0]
    return Draw(
        task=first.task,  # type: ignore[arg-type]  # who plays without a task has none to tell
        options=first.options,
        level=first.level,
        strength=max(episode.strength for episode in episodes),
        max_turns=min((episode.max_turns for episode in episodes if episode.max_turns is not None), default=None),
        shown_turns=min(episode.shown_turns for episode in episodes),
    )


def _outcome(ordinal: int, episodes: Sequence[Trajectory]) -> Outcome:
    draw = draw_of(episodes)
    own = [episode for episode in episodes if _is_own(episode, draw.shown_turns)]
    counted = [episode for episode in own if not episode.stop_reason.is_void]
    return Outcome(
        ordinal=ordinal,
        draw=draw,
        rewards=[episode.environment_reward for episode in counted],
        successes=[episode.success for episode in counted],
        strengths=[episode.strength for episode in counted],
        logprobs=[_mean_logprob(episode) for episode in counted],
        num_void=len(own) - len(counted),
    )


def _is_own(episode: Trajectory, led: int) -> bool:
    """Whether the policy played it; where all of its group begin with ``led`` turns of an expert's, from there on."""
    return episode.role == "policy" and (episode.shown_turns == led if led else not episode.shown)


def _mean_logprob(episode: Trajectory) -> float | None:
    """Of the tokens that the policy sampled; None without any."""
    sampled = [sample.logprobs[episode.sampled(sample)] for sample in episode.samples]
    logprobs = np.concatenate([*sampled, np.zeros(0, np.float32)])
    return float(logprobs.mean(dtype=np.float64)) if len(logprobs) else None


def grades(outcomes: Sequence[Outcome]) -> dict[str, float]:
    """Of what was drawn, where there is any: means of level, strength and turn limit, and success at each level.

    Success is told of levels that are whole numbers, as those that somebody counted are; a share is a measure.
    """
    draws = [outcome.draw for outcome in outcomes]
    levels = [draw.level for draw in draws if draw.level is not None]
    limits = [draw.max_turns for draw in draws if draw.max_turns is not None]
    means = {"level": statistics.fmean(levels)} if levels else {}
    if any(draw.strength for draw in draws):
        means["strength"] = statistics.fmean(draw.strength or 0.0 for draw in draws)
    if limits:
        means["turn_limit"] = statistics.fmean(limits)
    return means | _success_by_level(outcomes)


def _success_by_level(outcomes: Sequence[Outcome]) -> dict[str, float]:
    by_level: dict[int, list[bool]] = {}
    for outcome in outcomes:
        if outcome.draw.level is not None and float(outcome.draw.level).is_integer():
            by_level.setdefault(int(outcome.draw.level), []).extend(outcome.successes)
    return {
        f"success_at_level_{level}": statistics.fmean(successes)
        for level, successes in sorted(by_level.items())
        if successes
    }
