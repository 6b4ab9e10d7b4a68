"""Groups: which of them teach anything."""

from __future__ import annotations

import pytest

from agentgym.groups import is_informative


@pytest.mark.parametrize(
    ("rewards", "informative"),
    [([], False), ([1.0], False), ([1.0, 1.0], False), ([0.1 + 0.2, 0.3], False), ([0.0, 0.0, 1e-6], True)],
)
def test_groups_whose_rewards_do_not_differ_teach_nothing(rewards: list[float], informative: bool) -> None:
    assert is_informative(rewards) is informative
