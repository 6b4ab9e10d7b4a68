"""What is a strength."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from agentgym.strength import is_strength


@pytest.mark.parametrize("value", [0, 1, 0.5, True, np.float32(0.25)])
def test_numbers_from_0_to_1_are(value: Any) -> None:
    assert is_strength(value)


@pytest.mark.parametrize("value", [-1e-9, 1.0001, math.nan, math.inf, 10**400, "0.5", None, [0.5], 1j])
def test_all_else_is_none(value: Any) -> None:
    assert not is_strength(value)
