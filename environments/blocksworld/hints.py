"""What is behind an operation that cannot be done: the preconditions of the four operators."""

from __future__ import annotations

from agentgym.hint import Hint

__all__ = ["HINTS"]

HINTS = (
    Hint("", r"^expected ", "A reply is one action alone, in one of the four forms, with blocks by their names."),
    Hint("", r"^there is no block", "Only the blocks in the observation exist, and the table is none of them."),
    Hint("", r"^the hand does not hold", "Only what the hand holds can be put somewhere; it must be taken up first."),
    Hint("", r"^the hand is not empty", "The hand holds one block at a time; what it holds must be let go of first."),
    Hint("", r" is in the hand$", "Nothing can stand on a block that is in the hand."),
    Hint(
        "pick +up",
        r" is on ",
        'A block is picked up from the table alone, with nothing on it; from another block it is taken with "unstack".',
    ),
    Hint("unstack", r" is on ", "The top of a tower is unstacked, and from the block that it stands on now."),
    Hint("stack", r" is on ", "A block can be stacked only on one that has nothing on it."),
)
