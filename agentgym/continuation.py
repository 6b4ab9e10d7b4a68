"""Token ids of a text that stands after another.

Tokenizers in SentencePiece's way put a space mark in front of a text that they are given alone: "▁The" where the policy
that goes on says "The". With these a text is encoded together with what stands before it, and what that is alone is
taken off. Where the border would be inside a token, less stands before it: a single mark at last.
"""

from __future__ import annotations

import functools
from typing import Any

__all__ = ["encoded_after"]


def encoded_after(hf: Any, before: str, text: str) -> list[int]:
    """Token ids of ``text`` where ``before`` stands before it, by the tokenizer ``hf``.

    Of a tokenizer whose pieces do not depend on that, and of a text that nothing stands before, they are those of
    ``text`` alone.
    """
    alone = _ids(hf, text)
    if not (before and text and _marks_beginnings(hf)):
        return alone
    for context in (before, before[-1], "\n", ">"):
        prefix, whole = _ids(hf, context), _ids(hf, context + text)
        if whole[: len(prefix)] == prefix:
            return whole[len(prefix) :]
    return alone


@functools.lru_cache(maxsize=4)
def _marks_beginnings(hf: Any) -> bool:
    """Whether a text that begins has other tokens than one that goes on after a line break."""
    return _ids(hf, "\na") != [*_ids(hf, "\n"), *_ids(hf, "a")]


def _ids(hf: Any, text: str) -> list[int]:
    return list(hf.encode(text, add_special_tokens=False))
