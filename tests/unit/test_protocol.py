"""What every protocol says of a conversation, and when a reply says an action."""

from __future__ import annotations

import numpy as np
import pytest

from agentgym.errors import ConfigError, ParseError
from agentgym.protocol import Protocol
from agentgym.types import Action, Observation

PICTURE = np.zeros((2, 2, 3), dtype=np.uint8)


class Shouting(Protocol):
    """Hears in capitals."""

    rules = "Shout."

    def parse(self, reply: str) -> Action:
        if not reply:
            raise ParseError("Say something.")
        return Action(reply.upper())

    def format(self, action: Action) -> str:
        return self.checked(action.lower(), action)


class Quiet(Shouting):
    """Has no rules."""

    rules = ""


def test_the_opening_holds_the_instructions_and_then_the_rules_where_there_are_any() -> None:
    assert Shouting().opening("Climb.") == [{"role": "system", "content": "Climb.\nShout."}]
    assert Shouting().opening("") == [{"role": "system", "content": "Shout."}]
    assert Quiet().opening("Climb.") == [{"role": "system", "content": "Climb."}]
    assert Quiet().opening("") == []


def test_an_observation_is_the_users_words_with_its_images_first() -> None:
    assert Shouting().show(Observation("here")) == {"role": "user", "content": "here"}
    other = PICTURE + 1
    assert Shouting().show(Observation("here", images=[PICTURE, other]))["content"] == [
        {"type": "image", "image": PICTURE},
        {"type": "image", "image": other},
        {"type": "text", "text": "here"},
    ]
    assert Shouting().show(Observation("here", images=[PICTURE]))["role"] == "user"


def test_complaints_are_the_users_and_replies_the_assistants_word_for_word() -> None:
    assert Shouting().complain("No.") == {"role": "user", "content": "No."}
    assert Shouting().said(" up\n") == {"role": "assistant", "content": " up\n"}


def test_a_reply_that_is_read_as_something_else_does_not_say_the_action() -> None:
    assert Shouting().format(Action("UP")) == "up"
    for action in ("Up", ""):
        with pytest.raises(
            ConfigError, match=f"^the protocol shouting cannot say the action '{action}'; choose another --protocol$"
        ):
            Shouting().format(Action(action))
