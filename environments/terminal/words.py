"""The words that tasks are made of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np

__all__ = ["COLORS", "FRUITS", "THINGS", "some"]

COLORS = ("red", "blue", "green", "black", "white", "gold", "gray", "pink", "brown", "silver", "orange", "violet")
THINGS = ("apple", "bread", "chair", "door", "eagle", "fish", "glass", "horse", "iron", "jar", "kite", "lamp")
FRUITS = ("fig", "lime", "melon", "olive", "peach", "pear", "plum", "quince")

T = TypeVar("T")


def some(rng: np.random.Generator, words: Sequence[T], number: int) -> list[T]:
    """So many different ones, in any order."""
    return [words[i] for i in rng.choice(len(words), size=number, replace=False)]
