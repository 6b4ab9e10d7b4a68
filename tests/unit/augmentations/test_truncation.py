"""Long observations lose their middle, by as much as the strength says."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentgym.augmentations.truncation import Truncation, cut
from agentgym.config import validated
from agentgym.env import Env
from agentgym.errors import ConfigError
from agentgym.registry import plugins
from agentgym.types import Observation


class Long(Env):
    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        return Observation("x" * 50 + "y" * 50, admissible=("go",), tools=({"name": "t"},)), {}


@given(st.text(max_size=60), st.integers(0, 80))
def test_what_is_kept_is_beginning_and_end(text: str, keep: int) -> None:
    found = cut(text, keep)
    if keep >= len(text):
        assert found == text
        return
    head, tail = text[: (keep + 1) // 2], text[len(text) - keep // 2 :]
    assert found == f"{head} [... {len(text) - keep} characters are missing ...] {tail}"


@pytest.mark.parametrize(("strength", "kept"), [(1.0, 20), (0.5, 60), (0.25, 80), (0.0, 100)])
def test_the_strength_is_the_share_of_what_is_beyond_that_is_lost(strength: float, kept: int) -> None:
    env = Truncation(Long(), keep=20)
    seen, _ = env.reset(seed=0, options={"strength": strength})
    assert seen.count("x") + seen.count("y") == kept
    assert (f"[... {100 - kept} characters are missing ...]" in seen) == (kept < 100)
    assert (seen.admissible, seen.tools) == (("go",), ({"name": "t"},))


def test_what_is_short_enough_stays() -> None:
    env = Truncation(Long(), keep=100)
    assert env.reset(seed=0, options={"strength": 1})[0] == "x" * 50 + "y" * 50


@pytest.mark.parametrize("keep", [1, 0, -3, "few", 2.5])
def test_what_cannot_be_kept_is_refused(keep: Any) -> None:
    with pytest.raises(ConfigError, match="keep"):
        validated(plugins("augmentations").settings("truncation"), {"keep": keep})
