"""Hints are found by what was said and by what came of it."""

from __future__ import annotations

from agentgym.hint import Hint, hints_for

HINTS = (
    Hint("open", "locked", "A key is needed."),
    Hint("", "locked", "It is shut."),
    Hint("eat", "^no food", "Only food can be eaten."),
)


def test_the_first_that_fits_a_line_counts_and_each_once() -> None:
    told = "The door is LOCKED.\nno food here\nlocked\nThere is no food"
    assert hints_for(HINTS, "Open door, eat it", told) == ["A key is needed.", "Only food can be eaten."]
    assert hints_for(HINTS, "look", told) == ["It is shut."]


def test_where_nothing_fits_there_is_no_hint() -> None:
    assert hints_for(HINTS, "open door", "It opens.") == []
    assert hints_for(HINTS, "eat", "") == []
    assert hints_for((), "open", "locked") == []
