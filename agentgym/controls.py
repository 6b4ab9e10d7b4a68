"""The control tokens of a tokenizer, and texts in which nothing is read as one.

Control tokens are those that are flagged special, those that mean an image, and added ones that the chat template
uses, flagged or not: ``<tool_response>`` is a word to the tokenizer of Qwen3, and an environment's answer to the model.
Such a text is parted by a blank, so that it can still be read.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from agentgym.template import TemplateFacts, source_of

__all__ = ["Controls"]

_REPLIES_OWN = frozenset({"<think>", "</think>", "<tool_call>", "</tool_call>"})
"""What a reply is made of: it may say them, tokenized anew too, and nobody else may."""

_MARK = re.compile("<[|\uff5c].*[|\uff5c]>", re.DOTALL)
"""The form of tokens that are nobody's words, whether or not a template uses them."""


class Controls:
    """``parted`` is for what environments say, ``parted_turns`` for who may speak of thoughts and calls."""

    def __init__(self, hf: Any, facts: TemplateFacts, markers: Iterable[str] = ()) -> None:
        added: Mapping[int, Any] = getattr(hf, "added_tokens_decoder", {})
        # Llama 3's header tokens, for one, are special by their flag and in no list.
        flagged = {i: str(token) for i, token in added.items() if token.special}
        special = {**dict(zip(hf.all_special_ids, hf.all_special_tokens, strict=True)), **flagged}
        plain = {i: str(token) for i, token in added.items() if i not in special and _is_mark(str(token))}
        turns = {i: text for i, text in plain.items() if text in facts.around and text not in _REPLIES_OWN}
        written = source_of(hf) + facts.around + facts.opened
        used = {
            i: text for i, text in plain.items() if text in written or text in _REPLIES_OWN or _MARK.fullmatch(text)
        }
        self.ids: dict[int, str] = {**special, **used}
        """Control tokens by their id."""
        own = {i for i, text in special.items() if text in _REPLIES_OWN}
        self.turn_ids = {*special, *turns} - own
        """Those that open or close a turn, and any other that is special."""
        self._markers, self._turns = {*markers}, {self.ids[i] for i in self.turn_ids} | {*markers}
        self._all = {*self.ids.values(), *markers}
        self._normalize = _normalizer(hf, [added[i] for i in self.ids if i in added])
        self._spared: list[str] = []
        self._compile()

    def spare(self, text: str) -> None:
        """Leave ``text`` as it is wherever it stands."""
        if text and text not in self._spared:
            self._spared.append(text)
            self._compile()

    def _compile(self) -> None:
        self._find_marker = _any_of(self._markers)
        self._find_turn, self._find = (_any_of(texts, self._spared) for texts in (self._turns, self._all))

    def parted(self, text: str) -> str:
        """``text`` with a blank inside whatever would be read as a control token."""
        return self._parted(self._find, text)

    def parted_turns(self, text: str) -> str:
        """The same for what opens and closes turns."""
        return self._parted(self._find_turn, text)

    def parted_markers(self, text: str) -> str:
        """The same for what means an image."""
        return self._find_marker.sub(_parted, text)

    def has_turns(self, text: str) -> bool:
        """Whether ``text`` would open or close a turn."""
        return self.parted_turns(text) != text

    def _parted(self, find: re.Pattern[str], text: str) -> str:
        done = find.sub(_parted, text)
        if self._normalize is None:
            return done
        normal = self._normalize(done)  # which is what such a tokenizer looks for tokens in
        parted = find.sub(_parted, normal)
        return done if parted == normal else parted


def _is_mark(text: str) -> bool:
    """Whether an added token may mean something, and is no word or space of its own."""
    return bool(text.strip()) and not text.strip().replace("_", "").isalnum()


def _normalizer(hf: Any, tokens: Iterable[Any]) -> Callable[[str], str] | None:
    """How a tokenizer changes texts before it looks for ``tokens``, if it does."""
    found = getattr(getattr(hf, "backend_tokenizer", None), "normalizer", None)
    if found is None or not any(token.normalized for token in tokens):
        return None
    normalize: Callable[[str], str] = found.normalize_str
    return normalize


def _any_of(texts: Iterable[str], spared: Iterable[str] = ()) -> re.Pattern[str]:
    """Finds any of ``texts``, the longest first; ``spared`` ones as a group of their own."""
    ordered = sorted({text for text in texts if text.strip()}, key=lambda text: (-len(text), text))
    kept = [f"({'|'.join(map(re.escape, spared))})"] if spared else []
    return re.compile("|".join([*kept, *map(re.escape, ordered)]) or r"(?!)")


def _parted(found: re.Match[str]) -> str:
    if found.lastindex:  # spared
        return found[0]
    return f"{found[0][:-1]} {found[0][-1]}" if len(found[0]) > 1 else " "
