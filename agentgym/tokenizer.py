"""Messages ↔ text ↔ token ids, around any Hugging Face tokenizer.

The tokenizer is handed in, so nothing here imports transformers. What an environment says is data: a
special-token string inside it is defused before rendering, so it can neither open nor close a turn.
"""

from __future__ import annotations

import functools
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from agentgym.errors import UserError
from agentgym.types import Message

__all__ = ["ChatTokenizer"]


class ChatTokenizer:
    """What a token stream needs of a tokenizer. Raises UserError for one without a chat template."""

    def __init__(self, hf: Any) -> None:
        if not getattr(hf, "chat_template", None):
            raise UserError(
                f'the tokenizer of "{getattr(hf, "name_or_path", "?")}" has no chat template; choose an instruct/chat '
                "model, or save one with the tokenizer (tokenizer.chat_template = ...; tokenizer.save_pretrained(DIR)) "
                "and pass --model DIR"
            )
        self.hf = hf
        # Llama 3's header tokens, for one, are special by their flag and in no list.
        flagged = {i: str(token) for i, token in getattr(hf, "added_tokens_decoder", {}).items() if token.special}
        special = {**dict(zip(hf.all_special_ids, hf.all_special_tokens, strict=True)), **flagged}
        self.stop_token_ids = self._stop_token_ids(special)
        texts = sorted({text for text in special.values() if text.strip()}, key=len, reverse=True)
        self._special = re.compile("|".join(map(re.escape, texts)) or r"(?!)")

    def _stop_token_ids(self, special: Mapping[int, str]) -> tuple[int, ...]:
        """The end-of-turn tokens: the tokenizer's own and the one its template closes a reply with."""
        closed = self.hf.apply_chat_template(
            [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}], tokenize=False
        )
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
        """The conversation as text, up to where the assistant speaks next."""
        rendered = self.hf.apply_chat_template(
            [self._defused_message(message) for message in messages],
            tools=json.loads(self._defused(json.dumps(list(tools), ensure_ascii=False))) or None,
            tokenize=False,
            add_generation_prompt=True,
        )
        return str(rendered)

    def encode(self, text: str) -> list[int]:
        """Token ids of rendered text."""
        return list(self.hf.encode(text, add_special_tokens=False))

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

    def _defused_message(self, message: Message) -> Message:
        content = message.get("content")
        if message["role"] == "assistant" or not isinstance(content, str) or not self._special.search(content):
            return message
        return {**message, "content": self._defused(content)}

    def _defused(self, text: str) -> str:
        """``text`` with a blank inside whatever would be read as a special token."""
        return self._special.sub(lambda found: f"{found[0][:-1]} {found[0][-1]}" if len(found[0]) > 1 else " ", text)
