"""What can be done is listed in another order each turn, so that a policy goes by what stands there, not by where.

The list of admissible actions is shuffled, and so are lists of them in the text: buttons, options, the products of a
page with what is said of each. The strength is the probability that an observation is shuffled. A list is three
actions or more at equal distances, in parts of the text that a line break, a comma or WebShop's mark divides; what is
no such list stays as it is, and nothing is added or left out.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Collection

import numpy as np

from agentgym.augmentation import Augmentation
from agentgym.registry import register
from agentgym.types import Observation

__all__ = ["ShuffledLayout", "lists_in", "shuffled"]

_SEPARATORS = (" [SEP] ", "\n", ", ")
_MARKS = re.compile(r"^\s*\[[^\]]*\]\s*|\s*\[[^\]]*\]\s*$")
"""Around what can be clicked, in WebShop's rich text."""
_LEAST = 3
"""Items that make a list: two are at equal distances anyway."""


@register
class ShuffledLayout(Augmentation):
    """Actions, options and products are listed in a random order."""

    def misfit(self, seen: Observation) -> str:
        return "" if seen.admissible is not None else "its first observation lists no actions"

    def observation(self, seen: Observation) -> str:
        rng = self.rng()
        if not seen.admissible or rng.random() >= self.strength:
            return seen
        text = shuffled(seen, {_name(action) for action in seen.admissible}, rng)
        order = rng.permutation(len(seen.admissible))
        admissible = [seen.admissible[index] for index in order]
        return Observation(text, admissible=admissible, tools=seen.tools, images=seen.images)


def shuffled(text: str, names: Collection[str], rng: np.random.Generator) -> str:
    """``text`` with its lists of ``names`` in a random order, each name with what stands behind it.

    >>> shuffled("go: left, right, wait, up, or not", {"right", "wait", "up", "or not"}, np.random.default_rng(0))
    'go: left, up, right, wait, or not'
    """
    for separator in _SEPARATORS:
        parts = text.split(separator)
        found = lists_in([_MARKS.sub("", part).strip() in names for part in parts])
        for first, size, num in found:
            blocks = [parts[at : at + size] for at in range(first, first + size * num, size)]
            parts[first : first + size * num] = [part for index in rng.permutation(num) for part in blocks[index]]
        if found:
            return separator.join(parts)
    return text


def lists_in(is_name: list[bool]) -> list[tuple[int, int, int]]:
    """(first part, parts of an item, items) of each list, the longest first; ``is_name`` of each part.

    Where something else stands behind a list of names alone, its last name may belong to that, and is left where it is.

    >>> lists_in([False, True, True, False, False, True, False, False, True, False, False])
    [(2, 3, 3)]
    """
    places = [place for place, is_one in enumerate(is_name) if is_one]
    steps = [after - before for before, after in itertools.pairwise(places)]
    runs, at = list[tuple[int, int, int]](), 0
    for size, same in itertools.groupby(steps):
        num = len(list(same)) + 1
        first, end = places[at], places[at] + size * num
        at += num - 1
        num -= end > len(is_name) or (size == 1 and end < len(is_name))
        runs.append((first, size, num))
    found, taken = list[tuple[int, int, int]](), set[int]()
    for first, size, num in sorted(runs, key=lambda run: -run[2]):
        parts = range(first, first + size * num)
        if num >= _LEAST and taken.isdisjoint(parts):
            found.append((first, size, num))
            taken.update(parts)
    return found


def _name(action: str) -> str:
    """What stands on the page for an action: the name within its brackets, where it has some."""
    found = re.fullmatch(r"\w+\[(.*)\]", action, re.DOTALL)
    return found[1] if found else action
