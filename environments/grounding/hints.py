"""What is behind an answer that is no point."""

from __future__ import annotations

from agentgym.hint import Hint

__all__ = ["HINTS"]

HINTS = (
    Hint("", r"takes \d numbers", "Each way of looking closer has its own count of numbers, and nothing else in it."),
    Hint("", r"an answer is a point", "Two numbers are wanted: how far from the left, and how far from the top."),
)
