"""How strong the augmentations of an episode are: a number from 0, which is the plain environment, to 1."""

from __future__ import annotations

import numbers
from typing import Any

__all__ = ["STRENGTH", "is_strength"]

STRENGTH = "strength"
"""The option of ``reset`` that says it."""


def is_strength(value: Any) -> bool:
    """Whether ``value`` can be one.

    >>> [is_strength(value) for value in (0, 0.5, 1, 1.5, float("nan"), "all")]
    [True, True, True, False, False, False]
    """
    try:
        return isinstance(value, numbers.Real) and 0 <= float(value) <= 1
    except OverflowError:
        return False
