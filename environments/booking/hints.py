"""What is behind a command that the site does not take."""

from __future__ import annotations

from agentgym.hint import Hint

__all__ = ["HINTS"]

HINTS = (
    Hint("", r"expected CLICK", "A reply is one command alone, its ids and texts in square brackets."),
    Hint("", r"there is no element", "An id is what stands in brackets on this page; other pages have other ids."),
    Hint("", r"lies over the page", "A pop-up or a calendar takes all commands until it is closed or answered."),
    Hint("", r"is chosen in a calendar", "Dates that are not typed are clicked on, in the month that they are in."),
    Hint("", r"is no field", "Text goes into fields, and only they can be emptied; other elements are clicked on."),
    Hint("", r"is a field: type", "A click on a field does nothing; what belongs there is typed."),
    Hint("", r"this is no form", "A form is sent off by its button, and only a page with fields has one."),
    Hint("", r"is empty", "A form can be sent off once each of its fields holds something, and emptied only then."),
    Hint("", r"there is no (?!element|table|such)", "Months have 28 to 31 days."),
    Hint("", r"date cannot be read|only dates in", "A date is a month by its name and a day, with no more words."),
    Hint("", r"is over: today", "Only days from today on can be booked."),
    Hint("", r"people is a number", "Typing adds to what a field holds; what should not be in it is cleared first."),
    Hint("", r"takes \d+ characters", "Typing adds to what a field holds; what should not be in it is cleared first."),
    Hint("", r"no e-mail address|no phone number", "What the user did not say can be asked for."),
    Hint("", r"there is no table", "A time that is sold out for so many people may be free for fewer, or later."),
    Hint("", r"nothing at this|stays at|no such|nothing is booked", "Addresses are those that the pages have."),
    Hint("", r"does not go on further", "A page that is seen whole has nothing to scroll to."),
)
