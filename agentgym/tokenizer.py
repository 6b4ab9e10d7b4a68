"""Messages ↔ text ↔ token ids, around any Hugging Face tokenizer.

The tokenizer is handed in, so nothing here imports transformers. What an environment says is data: a
special-token string inside it is defused before rendering, so it can neither open nor close a turn, nor pass for an
image. What shows images to a policy is found out by rendering one: a template that leaves them out of a role's
messages is given them in a message of the user's.
"""

from __future__ import annotations

import functools
import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from agentgym.continuation import encoded_after
from agentgym.errors import DataError, UserError
from agentgym.media import MediaStore, text_of
from agentgym.processor import Images
from agentgym.types import Media, Message

__all__ = ["ChatTokenizer"]


class ChatTokenizer:
    """What a token stream needs of a tokenizer; with ``images``, of a policy that sees.

    Without them a message's images are left out: such a policy gets the text alone. Raises UserError for a tokenizer
    without a chat template, or with one that shows no images to a policy that sees.
    """

    def __init__(self, hf: Any, images: Images | None = None) -> None:
        if not getattr(hf, "chat_template", None):
            raise UserError(
                f'the tokenizer of "{getattr(hf, "name_or_path", "?")}" has no chat template; choose an instruct/chat '
                "model, or save one with the tokenizer (tokenizer.chat_template = ...; tokenizer.save_pretrained(DIR)) "
                "and pass --model DIR"
            )
        self.hf, self.images = hf, images
        self.store = MediaStore() if images is None else images.store
        """Where the images that the policy is shown are kept."""
        self._shown: dict[str, bool] = {}
        self._wants_parts = images is not None and _PROBE not in self._tried([{"role": "user", "content": _PROBE}])
        # Llama 3's header tokens, for one, are special by their flag and in no list.
        flagged = {i: str(token) for i, token in getattr(hf, "added_tokens_decoder", {}).items() if token.special}
        special = {**dict(zip(hf.all_special_ids, hf.all_special_tokens, strict=True)), **flagged}
        self.stop_token_ids = self._stop_token_ids(special)
        markers = images.markers if images else []
        self._special, self._markers = _any_of({*special.values(), *markers}), _any_of(markers)
        if images is not None and not self._shows_images("user"):
            raise UserError(
                f'the chat template of "{hf.name_or_path}" leaves images out: it does not write {images.placeholder!r} '
                "for the part {'type': 'image'} of a user's message; choose a template that does"
            )

    @property
    def sees_images(self) -> bool:
        """Whether images get to the policy."""
        return self.images is not None

    def _applied(self, messages: Sequence[Message], **options: Any) -> str:
        return str(self.hf.apply_chat_template(list(messages), tokenize=False, **options))

    def _tried(self, messages: Sequence[Message]) -> str:
        """The same, or nothing: templates raise what they like for roles and forms that they do not know."""
        try:
            return self._applied(messages)
        except Exception:
            return ""

    def _stop_token_ids(self, special: Mapping[int, str]) -> tuple[int, ...]:
        """The end-of-turn tokens: the tokenizer's own and the one its template closes a reply with."""
        closed = self._applied(self._formed([{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]))
        tail = self.hf.encode(closed.rpartition("b")[2], add_special_tokens=False)
        ends = [i for i in tail if i in special][:1]
        own = [] if self.hf.eos_token_id is None else [self.hf.eos_token_id]
        if not (ends or own):
            raise UserError(
                f'"{self.hf.name_or_path}" has no end-of-turn token: neither an eos token nor one in its chat template'
            )
        return tuple(dict.fromkeys([*ends, *own]))

    @functools.cached_property
    def fingerprint(self) -> str:
        """Names the vocabulary: two tokenizers with the same one give the same meaning to every token id."""
        vocabulary = json.dumps(sorted(self.hf.get_vocab().items()))
        return hashlib.blake2b(vocabulary.encode(), digest_size=8).hexdigest()

    def render(self, messages: Sequence[Message], tools: Sequence[Mapping[str, Any]] = ()) -> str:
        """The conversation as text, up to where the assistant speaks next, with one placeholder an image."""
        defused = [self._defused_message(message) for message in messages]
        return self._applied(
            self._formed(self._routed(defused)),
            tools=json.loads(self._defused(json.dumps(list(tools), ensure_ascii=False))) or None,
            add_generation_prompt=True,
        )

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
        """Token ids of a reply to ``after`` that no policy sampled: it shows no image, whatever it says."""
        return self.encode(self._without_markers(text), after=after)

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
        """Without special tokens in what others said; a policy's own words are kept, but they show no image."""
        content = message.get("content")
        defuse = self._without_markers if message["role"] == "assistant" else self._defused
        if isinstance(content, list):
            parts = [{**part, "text": defuse(part["text"])} if part["type"] == "text" else part for part in content]
            return {**message, "content": parts}
        return {**message, "content": defuse(content)} if isinstance(content, str) else message

    def _defused(self, text: str) -> str:
        """``text`` with a blank inside whatever would be read as a special token."""
        return self._special.sub(_parted, text)

    def _without_markers(self, text: str) -> str:
        return self._markers.sub(_parted, text)

    def _formed(self, messages: Sequence[Message]) -> list[Message]:
        """Contents as the template wants them: text or parts, the parts bare."""
        return [{**message, "content": self._formed_content(message.get("content"))} for message in messages]

    def _formed_content(self, content: Any) -> Any:
        if self.images is None:
            return text_of(content) if isinstance(content, list) else content
        if isinstance(content, list):
            return [{"type": "image"} if part["type"] == "image" else part for part in content]
        return [{"type": "text", "text": content}] if self._wants_parts and isinstance(content, str) else content

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
            text = self._tried(self._formed([*(asked if role != "user" else []), shown]))
            assert self.images is not None
            self._shown[role] = text.count(self.images.placeholder) == 1 and _PROBE in text
        return self._shown[role]


_PROBE = "probe"


def _any_of(texts: Iterable[str]) -> re.Pattern[str]:
    """Finds any of ``texts``, the longest first."""
    ordered = sorted({text for text in texts if text.strip()}, key=lambda text: (-len(text), text))
    return re.compile("|".join(map(re.escape, ordered)) or r"(?!)")


def _parted(found: re.Match[str]) -> str:
    return f"{found[0][:-1]} {found[0][-1]}" if len(found[0]) > 1 else " "
