"""Plans that cannot be say so."""

from __future__ import annotations

from typing import Any

import pytest

from agentgym.errors import ConfigError
from tests.unit.simulation.kit import plan


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"actors": 0}, "actors is 0, expected 1 or more"),
        ({"engines": 0}, "engines is 0, expected 1 or more"),
        ({"max_staleness": -1, "updates": 9}, "max_staleness is -1, expected 0 or more"),
        ({"in_order": False}, "fully-async has no effect where nothing is played ahead; type: --max_staleness 1"),
        ({"max_staleness": 2, "updates": 7}, "7 updates are too few .* of 2 settles; type: --updates 8"),
    ],
)
def test_what_cannot_be_is_told(changes: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        plan(**changes)


def test_what_is_measured_is_neither_the_beginning_nor_the_end() -> None:
    assert plan(updates=8).steady == range(2, 7)
    assert plan(max_staleness=2, updates=8).steady == range(4, 6)
    assert plan(groups=3, group_size=4).per_update == 12
