"""What a person says of the prompt: options that every protocol has beside its own, ``--protocol.system`` and others.

An author of a protocol does nothing for them: ``Protocol`` puts them around what ``opening``, ``show`` and
``complain`` say.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, Field, field_validator, model_validator

from agentgym.config import Settings
from agentgym.errors import ConfigError, did_you_mean
from agentgym.types import Message, Observation

__all__ = ["Kept", "PromptSettings", "checked_shot", "filled", "listed", "pieces", "text_of_option"]

SLOTS = ("instructions", "rules")
"""What may stand in braces in the text of the system message."""
_SLOT = re.compile(r"\{([A-Za-z_]+)\}")
_FILE = re.compile(r"\S+\.(txt|md|prompt)|\S*/\S+\.\w+", re.IGNORECASE)
"""What a person means as the name of a file, whether or not there is one."""


class Kept(BaseModel):
    """What was made of ``example`` and ``shots`` when a run began."""

    example: str = ""
    """A reply in the protocol's form."""
    shots: list[list[Message]] = Field(default_factory=list)
    """The messages of each episode."""


class PromptSettings(Settings):
    """What the policy is told beside what happens."""

    system: str | None = None
    """The system message, or a file with it, in place of the environment's instructions and the protocol's rules;
    {instructions} and {rules} in it stand for these."""
    example: str = ""
    """An action that is shown in the form of a reply, behind the rules; "auto" takes one of the first training task."""
    actions: Literal["hidden", "errors", "shown"] = "hidden"
    """Whether the policy is told the actions that the environment lists: never, where a reply could not be read or had
    no effect, or under every observation."""
    shots: int = Field(0, ge=0)
    """Whole episodes shown as examples before the task: the expert's of the first training tasks, or of shots_from."""
    shots_from: Path | None = None
    """Where else they come from: a run, an archive or a JSONL file of episodes, or a JSON or JSONL file of
    conversations, {"messages": [...]}."""
    kept: Kept | None = None
    """What was made of example and shots; a run keeps it here, so that the prompt stays the same."""

    @field_validator("system")
    @classmethod
    def _knows_its_slots(cls, text: str | None) -> str | None:
        for name in _SLOT.findall(text or ""):
            if name not in SLOTS and (hint := did_you_mean(name, SLOTS)):
                raise ValueError(f"found {{{name}}}.{hint} Known: {', '.join(f'{{{slot}}}' for slot in SLOTS)}")
        return text

    @model_validator(mode="after")
    def _has_effect(self) -> PromptSettings:
        if self.shots_from is not None and not self.shots:
            raise ValueError("shots_from has no effect without shots; add --protocol.shots 2")
        if self.example and self.system is not None and "{rules}" not in self.system:
            raise ValueError("example has no effect: it stands behind the rules, and system has no {rules}; add it")
        return self


def filled(text: str, **slots: str) -> str:
    """``text`` with what its slots stand for, as it is: other braces are the user's own.

    >>> filled('{rules} Say {"a": 1} or {b}.', rules="Be brief.")
    'Be brief. Say {"a": 1} or {b}.'
    """
    return _SLOT.sub(lambda found: slots.get(found[1], found[0]), text)


def pieces(text: str) -> list[str]:
    """What of ``text`` stands between its slots."""
    return re.split("|".join(rf"\{{{slot}\}}" for slot in SLOTS), text)


def listed(observation: Observation) -> str:
    """The actions that the environment lists, for the policy; "" where it lists none."""
    if observation.admissible is None:
        return ""
    return "\n".join(["Possible actions:", *(f"- {action}" for action in observation.admissible or ["none"])])


def text_of_option(value: Any, key: str = "protocol.system") -> Any:
    """What an option such as ``--protocol.system`` says: the text itself, or that of the file that it names.

    Raises ConfigError for a file that is not there.
    """
    if not isinstance(value, str | Path) or "\n" in str(value) or len(str(value)) > 1000:
        return value
    file, is_meant = Path(value), isinstance(value, Path) or _FILE.fullmatch(value)
    try:
        if file.is_file():
            return file.read_text(encoding="utf-8").rstrip("\n")
    except (OSError, ValueError) as error:
        if is_meant:
            raise ConfigError(f"{key}: cannot read {value}: {error}") from None
    if is_meant:
        raise ConfigError(f'{key}: there is no file "{value}"; expected a text, or a file that holds one')
    return value


def checked_shot(messages: Any) -> list[Message]:
    """A conversation of a file as messages. Raises ValueError, which says what was found and expected."""
    expected = "expected messages of user and assistant in turn, the assistant's last"
    if not isinstance(messages, Sequence) or isinstance(messages, str) or not messages:
        raise ValueError(f"found {messages!r:.80}, {expected}")
    shot: list[Message] = []
    for number, message in enumerate(messages):
        if not isinstance(message, Mapping):
            raise ValueError(f"message {number} is {message!r:.80}, {expected}")
        role, content = message.get("role"), message.get("content")
        if role == "system":
            raise ValueError(f"message {number} is a system message, which is --protocol.system; leave it out")
        if role != ("user", "assistant")[number % 2] or not isinstance(content, str):
            raise ValueError(f"message {number} has the role {role!r} and the content {content!r:.80}, {expected}")
        shot.append({"role": role, "content": content})
    if len(shot) % 2:
        raise ValueError(f"the last message is the user's, {expected}")
    return shot
