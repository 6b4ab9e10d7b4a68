"""What both sides play: an environment that says a line, a model that says a line. Needs the standard library alone."""

from __future__ import annotations

from typing import Literal, TypeAlias

Form: TypeAlias = Literal["text", "tokens"]

MODEL = "scripted"
OPENING = "A hall with nine doors. Say which you open."
REPLY = "I open the next door."
CONCURRENCY = 64
MAX_TOKENS = 64


def line(turn: int) -> str:
    """What the environment says after the reply of ``turn``, counted from 1."""
    return f"Behind door {turn}: a hall with nine doors."


RESERVED = ("<think>", "</think>", "<tool_call>", "</tool_call>", "<tool_response>", "</tool_response>")
"""Special tokens that the renderer for Qwen3's template asks of a tokenizer."""
