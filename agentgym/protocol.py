"""How observations become chat messages and how a reply becomes an action.

Protocols live in ``agentgym/protocols``, one file each; any of them works with any environment it fits.
"""

from __future__ import annotations

import abc
import copy
import re
from collections.abc import Sequence
from typing import ClassVar, Self

from pydantic import BaseModel

from agentgym.conversation import keep_last
from agentgym.errors import ConfigError, ParseError
from agentgym.prompt import PromptSettings, filled, listed, pieces
from agentgym.types import Action, Message, Observation

__all__ = ["Protocol"]

_THOUGHTS = {"<think>": "</think>", "[THINK]": "[/THINK]"}
"""Beginning and end of what a policy thinks before it speaks."""
_BEGUN = re.compile(rf"^[ \t]*(?:{'|'.join(map(re.escape, _THOUGHTS))})", re.MULTILINE)
_ENDED = re.compile("|".join(map(re.escape, _THOUGHTS.values())))


class Protocol(abc.ABC):
    """The form of a conversation. ``parse(format(action)) == action``, or ``format`` refuses the action."""

    plugin_kind: ClassVar[str] = "protocols"
    shared_settings: ClassVar[type[BaseModel]] = PromptSettings
    """Options that each protocol has beside its own; the registry gives them to ``take``."""
    prompt: PromptSettings = PromptSettings()
    """What the user says of the prompt."""
    rules: str = ""
    """How to reply, in the words the policy is told."""
    keep_observations: int | None = None
    """Newest observations that stay in the conversation, earlier ones are left out of it; None: all."""
    thought_end: str = ""
    """What ends a thought that the chat template begins before every reply; "" where it begins none."""

    def suited(self, template: str, prompt: str) -> Self:
        """The same for policies with the chat template ``template``, which writes ``prompt`` before a reply.

        A protocol with a form that depends on the template overrides this.
        """
        twin = copy.copy(self)
        begun = (end for begin, end in _THOUGHTS.items() if prompt.rstrip().endswith(begin))
        twin.thought_end = next(begun, "")
        return twin

    def take(self, prompt: PromptSettings) -> None:
        """Take up what the user says of the prompt."""
        self.prompt = prompt

    # -- what a conversation is made of: for authors to override -------------------------------------

    def opening(self, instructions: str) -> list[Message]:
        """The messages before the first observation, where the user does not write them."""
        content = "\n".join(part for part in (instructions, self.rules) if part)
        return [{"role": "system", "content": content}] if content else []

    def show(self, observation: Observation) -> Message:
        """What the policy sees this turn; where there are images the content is a list of parts, images first."""
        if not observation.images:
            return {"role": "user", "content": str(observation)}
        images = [{"type": "image", "image": image} for image in observation.images]
        return {"role": "user", "content": [*images, {"type": "text", "text": str(observation)}]}

    def complain(self, error: str) -> Message:
        """What the policy is told when its reply cannot be read."""
        return {"role": "user", "content": error}

    def said(self, reply: str) -> Message:
        """The policy's own reply as a message, verbatim."""
        return {"role": "assistant", "content": reply}

    # -- the same as the user wants it: for callers ---------------------------------------------------

    def prologue(self, instructions: str, preface: str = "") -> list[Message]:
        """All that comes before the first observation: the opening or the user's system message, and the examples.

        ``preface`` belongs to one episode; a system message without its {instructions} has it at its end.
        """
        prompt, known = self.prompt, "\n\n".join(filter(None, (instructions, preface)))
        kept = prompt.kept.shots if prompt.kept else []
        if prompt.system is None:
            episodes = "a whole episode" if len(kept) == 1 else f"{len(kept)} whole episodes"
            shots = f"This conversation begins with {episodes} as an example; yours comes after that." if kept else ""
            opening = _extended(self.opening(known), [self._worked, shots])
        else:
            rules = "\n".join(filter(None, (self.rules, self._worked)))
            text = filled(prompt.system, instructions=known, rules=rules)
            opening = _extended([], [text, "" if "{instructions}" in prompt.system else preface])
        return [*opening, *(dict(message) for shot in kept for message in shot)]

    @property
    def own_texts(self) -> list[str]:
        """What is said to the policy in nobody's name but ours and the user's: control tokens in it are meant."""
        written = pieces(self.prompt.system or "")
        return [self.rules, *(text for text in written if len(text.split()) > 1)]  # a word could be an observation's

    @property
    def _worked(self) -> str:
        """The worked example, if there is to be one."""
        example = self.prompt.kept.example if self.prompt.kept else ""
        return f"For example:\n{example}" if example else ""

    def shown(self, observation: Observation, *, had_no_effect: bool = False) -> Message:
        """``show``, with the actions that the environment lists where the policy is to be told them."""
        wanted = self.prompt.actions == "shown" or (had_no_effect and self.prompt.actions == "errors")
        told = listed(observation) if wanted else ""
        if not told:
            return self.show(observation)
        return self.show(Observation("\n\n".join(filter(None, (str(observation), told))), images=observation.images))

    def refused(self, error: str, observation: Observation) -> Message:
        """``complain`` of a reply to ``observation``, with the actions that the environment lists, likewise."""
        told = "" if self.prompt.actions == "hidden" else listed(observation)
        return self.complain("\n\n".join(filter(None, (error, told))))

    def kept(self, messages: Sequence[Message], num_opening: int) -> list[Message]:
        """What stays of a conversation whose last message is a new observation; what was told of replies goes with it.

        ``num_opening`` messages are its prologue, and stay.
        """
        num = self.keep_observations
        return list(messages) if num is None else keep_last(messages, num_opening, num)

    # -- replies -------------------------------------------------------------------------------------

    def answer(self, reply: str) -> str:
        """What of ``reply`` was said rather than thought: all after the last thought's end.

        For ``parse`` to begin with: an action that was only thought of is none. Raises ParseError where a thought has
        no end, which is how a reply looks that was cut off within one.
        """
        ends = list(_ENDED.finditer(reply))
        said = reply[ends[-1].end() :] if ends else reply
        begun = _BEGUN.search(said)
        spoken = said[: begun.start()] if begun else said
        if (self.thought_end and not ends) or (begun and not spoken.strip()):
            end = self.thought_end or _THOUGHTS[begun[0].strip() if begun else "<think>"]
            raise ParseError(f"Your thought has no end. Think shorter, write {end}, and only then reply. {self.rules}")
        return spoken

    def example(self, action: Action) -> str:
        """A reply that says ``action``, to show how replies are written."""
        return self.format(action)

    @abc.abstractmethod
    def parse(self, reply: str) -> Action:
        """The action in ``reply``, after its thought. Raises ParseError, whose text the policy is shown."""

    @abc.abstractmethod
    def format(self, action: Action) -> str:
        """A reply that says ``action``: how an expert would put it. Raises ConfigError where none can."""

    def first(self, action: Action) -> str:
        """``format`` for the first reply of an episode; the same, unless a protocol begins in another way."""
        return self.format(action)

    def checked(self, reply: str, action: Action) -> str:
        """``reply``, if it is read as ``action``; the last line of a ``format``. A thought already begun is ended."""
        ended = [f"{self.thought_end}\n\n{reply}"] if self.thought_end else []
        for said in (*ended, reply):
            if self._understands(said, action):
                return said
        name = type(self).__name__.lower()
        raise ConfigError(f"the protocol {name} cannot say the action {str(action)!r}; choose another --protocol")

    def _understands(self, reply: str, action: Action) -> bool:
        try:
            return self.parse(reply) == action
        except ParseError:
            return False


def _extended(opening: list[Message], parts: list[str]) -> list[Message]:
    """``opening`` with more at the end of its system message, which is made where there is none."""
    more = "\n\n".join(filter(None, parts))
    if not more:
        return opening
    if opening and opening[0]["role"] == "system":
        return [{**opening[0], "content": f"{opening[0]['content']}\n\n{more}"}, *opening[1:]]
    return [{"role": "system", "content": more}, *opening]
