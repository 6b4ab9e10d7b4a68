"""Tasks: a phone and what is asked for, both drawn from the task's number, and how far somebody has come.

A hash of the words of what is asked for decides the split, so no two splits have a task in common.
"""

from __future__ import annotations

import collections
import dataclasses
import functools
import hashlib

import numpy as np

from agentgym.environments._options import Split
from agentgym.environments.android_like.contents import Draws, draw_contents
from agentgym.environments.android_like.levels import LEVELS, Level
from agentgym.environments.android_like.phone import Phone
from agentgym.environments.android_like.sorts import SORTS, Wanted
from agentgym.environments.android_like.state import Contents, facts, same

__all__ = ["Task", "draw_task", "split_of"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What is asked for, on which phone."""

    sort: str
    """One of ``SORTS``."""
    wanted: Wanted
    contents: Contents
    """At first."""

    def conditions(self, phone: Phone) -> dict[str, float]:
        """How far it is done, each from 0 to 1.

        - "seen": of the screens that must be read, how many were open;
        - "changed": of the changes that are asked for, how many are made;
        - "untouched": whether all else is as it was;
        - "said": whether the end was said, with the answer where there is a question.
        """
        before, now = facts(self.contents), facts(phone.state.contents)
        reads = [part for part in self.wanted.parts if not part.tap]
        changes = [part for part in self.wanted.parts if part.tap]
        gone = collections.Counter(each for part in changes for each in part.gone)
        come = collections.Counter(each for part in changes for each in part.come)
        lost, new = before - now, now - before
        is_untouched = not (lost - gone) and not (new - come)
        said = phone.state.answer
        return {
            "seen": _share([part.is_done(phone) for part in reads]),
            "changed": _share([part.is_done(phone) for part in changes]),
            "untouched": float(is_untouched),
            "said": float(said is not None and (not self.wanted.answer or same(said, self.wanted.answer))),
        }

    def progress(self, phone: Phone) -> float:
        """The share of all that is to be read, changed and said, and 0 while anything else is changed.

        The potential Φ of dense rewards; 1 is a success, whatever was read for it.
        """
        if self.is_success(phone):
            return 1.0
        told = self.conditions(phone)
        reads = sum(not part.tap for part in self.wanted.parts)
        changes = len(self.wanted.parts) - reads
        done = told["seen"] * reads + told["changed"] * changes + told["said"]
        return told["untouched"] * done / (reads + changes + 1)

    def is_success(self, phone: Phone) -> bool:
        """Whether the phone is as it should be, and the right thing was said; how it came about does not matter."""
        told = self.conditions(phone)
        return all(told[name] == 1 for name in ("changed", "untouched", "said"))


def _share(are_so: list[bool]) -> float:
    return sum(are_so) / len(are_so) if are_so else 1.0


@functools.lru_cache(maxsize=256)  # snapshots come back to the same task again and again
def draw_task(number: int, split: Split, level: Level, seed: int) -> Task:
    """The task of a number: the first of its own draws that belongs to ``split``."""
    rng = np.random.default_rng([seed, int(level[1:]), number])
    draws = Draws(rng)
    while True:
        drawn = draw_contents(LEVELS[level], draws)
        sort = draws.one([*SORTS[level]])
        wanted = SORTS[level][sort](drawn, draws)
        if split_of(wanted.text) == split:
            return Task(sort=sort, wanted=wanted, contents=drawn.contents)


def split_of(text: str) -> Split:
    """Of what can be asked for, six tenths are for training, two tenths each for validation and test."""
    share = int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big") % 10
    return "train" if share < 6 else "validation" if share < 8 else "test"
