"""Episodes of which the worth can be read: a level that is shown, and a word that raises or lowers it."""

from __future__ import annotations

import random

import numpy as np

from agentgym.types import Sample, Trajectory
from tests.kit import chat
from tests.unit.trainers.kit import episode

__all__ = ["cut", "readable"]

_UP, _DOWN, _STAY, _END, _LEVEL = 5, 6, 7, 9, 20
_HIGHEST = 5


def readable(task: int, *, num_turns: int = 4, num: int = 2, has_values: bool = True) -> list[Trajectory]:
    """Of each turn: a token of noise, the level, then the word and the end. The level after it, of 5, is its value.

    What an episode earns in the end is the level that it came to.
    """
    return [_readable(task, member, num_turns, has_values) for member in range(num)]


def _readable(task: int, member: int, num_turns: int, has_values: bool) -> Trajectory:
    rng = random.Random(f"{task}-{member}")
    level = task % (_HIGHEST + 1)
    ids: list[int] = []
    values = []
    for _ in range(num_turns):
        word = rng.choice([_UP, _DOWN, _STAY])
        ids += [rng.randrange(10, 16), _LEVEL + level, word, _END]
        level = min(_HIGHEST, max(0, level + {_UP: 1, _DOWN: -1, _STAY: 0}[word]))
        values.append(level / _HIGHEST)
    said = np.tile([False, False, True, True], num_turns)
    whole = Sample(
        token_ids=ids,
        loss_mask=said,
        logprobs=np.where(said, -0.5, 0.0),
        turn_index=np.repeat(np.arange(num_turns), 4),
        policy_versions=np.where(said, 0, -1),
    )
    one = episode([0.0] * (num_turns - 1) + [values[-1]], name=f"{task}-{member}")
    for turn, value in zip(one.turns, values, strict=True):
        turn.value, turn.visits = (value, 4) if has_values else (None, None)
    return one.model_copy(update={"task": task, "samples": [whole], "tokenizer": chat().fingerprint})


def cut(trajectory: Trajectory, num_turns: int) -> Trajectory:
    """The episode as it stood after so many turns."""
    (whole,) = trajectory.samples
    length = int((whole.turn_index < num_turns).sum())
    columns = ("token_ids", "loss_mask", "logprobs", "turn_index", "policy_versions")
    part = Sample(**{name: getattr(whole, name)[:length] for name in columns})
    changes = {"turns": trajectory.turns[:num_turns], "samples": [part], "terminated": False}
    return trajectory.model_copy(update=changes)
