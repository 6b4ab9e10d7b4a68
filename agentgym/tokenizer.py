"""Messages ↔ text ↔ token ids, around any Hugging Face tokenizer.

The tokenizer is handed in, so nothing here imports transformers. What an environment says is data: the text of a
control token inside it is defused before rendering, so it can neither open nor close a turn, a thought or a call, nor
pass for an image. Control tokens are those that are flagged special, and added ones that the template uses. What the
template does with a conversation is found out first (``agentgym.template``); one that leaves images out of a role's
messages is given them in a message of the user's.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from agentgym import template
from agentgym.continuation import encoded_after
from agentgym.controls import Controls
from agentgym.errors import DataError, UserError
from agentgym.media import MediaStore, text_of
from agentgym.processor import Images
from agentgym.types import Media, Message

__all__ = ["SHOWS_TOOLS", "ChatTokenizer", "fingerprint_of"]


def fingerprint_of(vocabulary: Mapping[str, int]) -> str:
    """Names a vocabulary, token → id: two with the same name give the same meaning to every id."""
    return hashlib.blake2b(json.dumps(sorted(vocabulary.items())).encode(), digest_size=8).hexdigest()


class ChatTokenizer:
    """What a token stream needs of a tokenizer; with ``images``, of a policy that sees.

    Without them a message's images are left out: such a policy gets the text alone. ``stops`` are tokens that end a
    reply as the model's own settings have it. Raises UserError for a tokenizer without a chat template, or with one
    that leaves messages out, or images for a policy that sees.
    """

    def __init__(self, hf: Any, images: Images | None = None, *, stops: Iterable[int] = ()) -> None:
        if not getattr(hf, "chat_template", None):
            raise UserError(
                f'the tokenizer of "{getattr(hf, "name_or_path", "?")}" has no chat template; choose an instruct/chat '
                "model, or save one with the tokenizer (tokenizer.chat_template = ...; tokenizer.save_pretrained(DIR)) "
                "and pass --model DIR"
            )
        self.hf, self.images = hf, images
        self.store = MediaStore() if images is None else images.store
        """Where the images that the policy is shown are kept."""
        self.facts = template.probe(hf)
        """What the chat template does."""
        if not getattr(hf, "init_kwargs", {}).get(SHOWS_TOOLS, True):
            self.facts = dataclasses.replace(self.facts, writes_tools=True)  # it is to see none
        self._shown: dict[str, bool] = {}
        self._controls = Controls(hf, self.facts, images.markers if images else ())
        self.stop_token_ids = self._stop_token_ids(stops)
        if images is not None and not self._shows_images("user"):
            raise UserError(
                f'the chat template of "{hf.name_or_path}" leaves images out: it does not write {images.placeholder!r} '
                "for the part {'type': 'image'} of a user's message; choose a template that does"
            )

    @property
    def sees_images(self) -> bool:
        """Whether images get to the policy."""
        return self.images is not None

    @property
    def control_ids(self) -> frozenset[int]:
        """Tokens that nothing an environment says becomes."""
        return frozenset(self._controls.ids)

    def spare(self, rules: str) -> None:
        """Let ``rules``, a text of our own and not of an environment's, stand as it is wherever it is said."""
        self._controls.spare(rules)

    def _applied(self, messages: Sequence[Message], **options: Any) -> str:
        try:
            return template.apply(self.hf, messages, **options)
        except Exception as error:  # templates raise what they like
            roles = ", ".join(dict.fromkeys(str(message["role"]) for message in messages))
            raise UserError(
                f'the chat template of "{self.hf.name_or_path}" refuses a conversation of the roles {roles}: '
                f"{type(error).__name__}: {error}; choose another --protocol or --model"
            ) from error

    def _stop_token_ids(self, stops: Iterable[int]) -> tuple[int, ...]:
        """The end-of-turn tokens: the one that the template closes a reply with, the tokenizer's own, ``stops``.

        Where a template closes no reply, the next turn's opening ends it.
        """
        tails = [self.hf.encode(tail, add_special_tokens=False) for tail in self.facts.after_reply]
        ends = [i for tail in tails for i in tail if i in self._controls.ids][:1]
        own = [] if self.hf.eos_token_id is None else [self.hf.eos_token_id]
        known = [int(i) for i in stops if self.hf.convert_ids_to_tokens(int(i)) is not None]
        if not (ends or own or known):
            raise UserError(
                f'"{self.hf.name_or_path}" has no end-of-turn token: neither an eos token nor one in its chat template'
            )
        return tuple(dict.fromkeys([*ends, *own, *known]))

    @functools.cached_property
    def fingerprint(self) -> str:
        """Names the vocabulary."""
        return fingerprint_of(self.hf.get_vocab())

    def render(self, messages: Sequence[Message], tools: Sequence[Mapping[str, Any]] = ()) -> str:
        """The conversation as text, up to where the assistant speaks next, with one placeholder an image."""
        defused = [self._defused_message(message) for message in messages]
        schemas = json.loads(self._defused(json.dumps(list(tools), ensure_ascii=False)))
        told = template.fitted(self._routed(defused), self.facts, schemas)
        return self._applied(told, tools=schemas or None, add_generation_prompt=True)

    def retold(self, messages: Sequence[Message]) -> list[Message]:
        """``messages`` for tokenizing anew: there too the policy's replies neither open nor close a turn."""
        return [
            {**message, "content": self._controls.parted_turns(message["content"])}
            if message.get("role") == "assistant" and isinstance(message.get("content"), str)
            else message
            for message in messages
        ]

    @functools.cached_property
    def speech(self) -> tuple[str, str]:
        """What a protocol is suited to: the chat template's text, and what it writes when a reply comes next."""
        template = self.hf.chat_template
        text = "\n".join(template.values()) if isinstance(template, Mapping) else str(template)
        return text, self.render([{"role": "user", "content": "a"}])

    def encode(self, text: str, media: Sequence[Media] = (), *, after: str = "") -> list[int]:
        """Token ids of text that stands ``after`` other, with the tokens of each of ``media`` for its placeholder.

        Raises UserError when the text has more or fewer placeholders.
        """
        ids = encoded_after(self.hf, after, text)
        if self.images is None:
            return ids
        try:
            return self.images.expanded(ids, media)
        except DataError as error:
            raise UserError(f'the chat template of "{self.hf.name_or_path}" wrote {error}') from None

    def encode_reply(self, text: str, *, after: str = "") -> list[int]:
        """Token ids of a reply to ``after`` that no policy sampled.

        Whatever it says, it shows no image and ends no turn.
        """
        if self.facts.lead.isspace() and not text.startswith(self.facts.lead):
            text = self.facts.lead + text
        spoken = self._controls.parted_markers(text)
        if not self._controls.has_turns(spoken):
            return self.encode(spoken, after=after)
        ids = [int(i) for i in self.hf.encode(spoken, add_special_tokens=False, split_special_tokens=True)]
        return (
            self.encode(self._controls.parted_turns(text), after=after) if self._controls.turn_ids & set(ids) else ids
        )

    def decode(self, token_ids: Sequence[int]) -> str:
        """The exact text of sampled tokens, the one that ended the turn included."""
        return self.decode_reply(token_ids) + self._end(token_ids)

    def decode_reply(self, token_ids: Sequence[int]) -> str:
        """What the policy said: the tokens without the one that ended the turn."""
        spoken = list(token_ids[:-1] if self._end(token_ids) else token_ids)
        return str(self.hf.decode(spoken, skip_special_tokens=False, clean_up_tokenization_spaces=False))

    def _end(self, token_ids: Sequence[int]) -> str:
        ended = bool(token_ids) and token_ids[-1] in self.stop_token_ids
        return str(self.hf.convert_ids_to_tokens(token_ids[-1])) if ended else ""

    # -- messages --------------------------------------------------------------------------------------

    def _defused_message(self, message: Message) -> Message:
        """Without control tokens in what others said.

        A policy's own words are kept, but they show no image; so are marks in instructions, but they open no turn.
        """
        role, content = message["role"], message.get("content")
        roles = {"assistant": self._controls.parted_markers, "system": self._controls.parted_turns}
        defuse = roles.get(role, self._defused)
        if isinstance(content, list):
            if self.images is None:
                return {**message, "content": defuse(text_of(content))}
            return {**message, "content": _defused_parts(content, defuse)}
        return {**message, "content": defuse(content)} if isinstance(content, str) else message

    def _defused(self, text: str) -> str:
        """``text`` with a blank inside whatever would be read as a control token."""
        return self._controls.parted(text)

    def _routed(self, messages: Sequence[Message]) -> list[Message]:
        """Images of messages that the template would leave them out of, in a message of the user's after each."""
        if self.images is None:
            return list(messages)
        routed: list[Message] = []
        for message in messages:
            content = message.get("content")
            images = [part for part in content if part["type"] == "image"] if isinstance(content, list) else []
            if images and not self._shows_images(message["role"]):
                routed += [{**message, "content": text_of(content)}, {"role": "user", "content": images}]
            else:
                routed.append(message)
        return routed

    def _shows_images(self, role: str) -> bool:
        """Whether the template writes a placeholder for an image in a message of ``role``: found out once."""
        if role not in self._shown:
            shown = {"role": role, "content": [{"type": "image"}, {"type": "text", "text": _PROBE}]}
            asked: list[Message] = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]
            try:
                text = template.apply(self.hf, template.fitted([*(asked if role != "user" else []), shown], self.facts))
            except Exception:  # templates raise what they like for roles and forms that they do not know
                text = ""
            assert self.images is not None
            self._shown[role] = text.count(self.images.placeholder) == 1 and _PROBE in text
        return self._shown[role]


_PROBE = "probe"

SHOWS_TOOLS = "shows_tools"
"""The tokenizer's own setting, saved with it: False for a policy that is to see no schemas of tools."""


def _defused_parts(parts: Sequence[Any], defuse: Callable[[str], str]) -> list[Any]:
    """Parts whose texts hold no control token, nor do two or more that stand side by side."""
    told: list[Any] = []
    before = ""
    for part in parts:
        if part["type"] != "text":
            before = ""
            told.append(part)
            continue
        text = defuse(part["text"])
        if before and defuse(before + text) != before + text:
            text = f" {text}"
        before += text
        told.append({**part, "text": text})
    return told
