"""What is behind an action that the shop does not take."""

from __future__ import annotations

from agentgym.hint import Hint

__all__ = ["HINTS"]

HINTS = (
    Hint(
        r"search\[", "nothing to click|an action is", "A search begins on the page with the search bar; go back to it."
    ),
    Hint("", "searching by attribute", "Words are searched for, without a mark in front of them."),
    Hint(
        r"click\[\s*buy",
        "nothing to click",
        "A product is bought on its own page, and that is opened by its id in the results.",
    ),
    Hint("", "nothing to click", "A name must be written as on this page; other pages have other buttons and options."),
    Hint(
        "",
        "an action is",
        "An action is one of the two words with something in square brackets, and nothing around it.",
    ),
)
