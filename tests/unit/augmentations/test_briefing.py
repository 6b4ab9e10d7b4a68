"""A text stands before the first observation, in as many episodes as the strength says."""

from __future__ import annotations

from typing import Any

import pytest

import agentgym
from agentgym.augmentations.briefing import Briefing
from agentgym.env import Env
from agentgym.errors import ConfigError, UserError
from agentgym.launch.resolving import in_full


class Desk(Env):
    """Says what it sees."""

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        return agentgym.Observation("A customer.", admissible=("refund", "refuse")), {}

    def step(self, action: str) -> Any:
        return agentgym.Observation("The customer goes.", admissible=()), 1.0, False, False, {}


def test_the_text_is_shown_once_and_first() -> None:
    env = Briefing(Desk(), text="No refunds.\n")
    seen, _ = env.reset(seed=0, options={"strength": 1})
    assert seen == "No refunds.\n\nA customer."
    assert seen.admissible == ("refund", "refuse")
    assert env.step("refuse")[0] == "The customer goes."
    assert env.reset(seed=0)[0] == "A customer."


def test_the_strength_is_the_share_of_the_episodes_that_have_it() -> None:
    env = Briefing(Desk(), text="No refunds.")
    shown = [env.reset(seed=seed, options={"strength": 0.3})[0] != "A customer." for seed in range(1000)]
    assert sum(shown) / 1000 == pytest.approx(0.3, abs=0.05)


def test_without_a_text_there_is_nothing_to_show() -> None:
    env = Briefing(Desk(), text=" ")
    with pytest.raises(UserError, match=r"does not fit .*: there is no text to show; type such as --augment.briefing"):
        env.reset(seed=0, options={"strength": 1})
    env.reset(seed=0)


def test_the_text_may_be_in_a_file(tmp_path: Any) -> None:
    (tmp_path / "rules.md").write_text("No refunds.\n")
    full = in_full({"env": "blocksworld", "augment": {"briefing": {"text": str(tmp_path / "rules.md")}}})
    assert full["augment"]["briefing"] == {"text": "No refunds."}
    with pytest.raises(ConfigError, match=r'augment\.briefing\.text: there is no file "gone\.md"'):
        in_full({"env": "blocksworld", "augment": {"briefing": {"text": "gone.md"}}})
