"""Hard pairs: the better episode looks worse, by what has nothing to do with how good it is.

A reward model learns what its pairs have in common, and of the shortcuts that it may take, length and style are the
nearest. OffsetBias sets pairs against them in which the rejected side has more of what appeals. There a language model
writes the rejected side; here pairs are found among episodes that were played, in which the one that was paid less is
the longer one, or the more decorated one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Literal, TypeAlias

from agentgym.pairs import Pairs, all_pairs
from agentgym.types import Trajectory

__all__ = ["Bias", "biased_pairs", "decoration"]

Bias: TypeAlias = Literal["length", "style"]

_DECORATION = re.compile(r"[*#`_|!]|^\s*(?:[-+•]|\d+[.)])\s", re.MULTILINE)
"""Markup, exclamations, and what begins an item of a list."""


def biased_pairs(trajectories: Iterable[Trajectory], *, bias: Bias = "length", threshold: float = 0.0) -> Pairs:
    """Every two of a group's episodes of which the one that was paid less has more of what ``bias`` says.

    Pairs are those of ``all_pairs``, with ``threshold`` as there: of whole episodes, unfit and forked ones skipped.
    """
    members = list(trajectories)
    appeal = {"length": _length, "style": decoration}[bias]
    of = {sample.token_ids.tobytes(): appeal(member) for member in members for sample in member.samples}
    pairs, num_skipped = all_pairs(members, threshold=threshold)
    hard = [pair for pair in pairs if of[pair.rejected.token_ids.tobytes()] > of[pair.chosen.token_ids.tobytes()]]
    return Pairs(hard, num_skipped)


def _length(trajectory: Trajectory) -> float:
    """Tokens that were said."""
    return float(sum(sample.num_trained for sample in trajectory.samples))


def decoration(trajectory: Trajectory) -> float:
    """Marks of decoration for each sign of an episode's replies: markup, lists, exclamations."""
    said = "\n".join(turn.reply for turn in trajectory.turns)
    return sum(1 for _ in _DECORATION.finditer(said)) / len(said) if said else 0.0
