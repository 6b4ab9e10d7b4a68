"""Gymnasium spaces for text of any length and any characters.

Departs from ``gymnasium.spaces.Text``, which refuses blanks by default, needs a maximal length, and
comes back as zeros from ``AsyncVectorEnv``'s shared memory. This one is refused there by Gymnasium
with an error instead: use ``AsyncVectorEnv(..., shared_memory=False)``.
"""

from __future__ import annotations

import string
from collections.abc import Sequence
from typing import Any

import gymnasium
import numpy as np

__all__ = ["TextSpace"]

_ALPHABET = string.ascii_lowercase + string.digits + " []"


class TextSpace(gymnasium.Space[str]):
    """Every ``str``. Sampling draws one of ``examples`` if given, otherwise random characters."""

    def __init__(self, examples: Sequence[str] = (), *, seed: int | np.random.Generator | None = None) -> None:
        super().__init__(shape=None, dtype=None, seed=seed)
        self.examples = tuple(examples)

    @property
    def is_np_flattenable(self) -> bool:
        return False

    def sample(self, mask: Any | None = None, probability: Any | None = None) -> str:
        """A random text; masks have no meaning here and are refused."""
        if mask is not None or probability is not None:
            raise ValueError("TextSpace.sample takes neither a mask nor probabilities")
        if self.examples:
            return self.examples[int(self.np_random.integers(len(self.examples)))]
        length = int(self.np_random.integers(1, 17))
        return "".join(_ALPHABET[i] for i in self.np_random.integers(len(_ALPHABET), size=length))

    def contains(self, x: Any) -> bool:
        return isinstance(x, str)

    def __repr__(self) -> str:
        return f"TextSpace({list(self.examples)})" if self.examples else "TextSpace()"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TextSpace) and self.examples == other.examples

    def __hash__(self) -> int:
        return hash(("TextSpace", self.examples))
