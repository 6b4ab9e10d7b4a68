"""What is behind a command that the phone does not take."""

from __future__ import annotations

from agentgym.hint import Hint

__all__ = ["HINTS"]

HINTS = (
    Hint("", r"a time is written", "A time has two digits for the hours, a colon, and two for the minutes."),
    Hint("", r"needs a (name|title)", "A form can be saved once its first field holds something."),
    Hint("", r"of that name already", "A contact that exists is changed on its own page, by its edit button."),
    Hint("", r"has digits", "A phone number consists of digits and blanks, and of at least four of them."),
    Hint("", r"nothing to (send|add)", "What is to be sent or added is typed into the field beside the button first."),
    Hint("", r"is covered by", "A question that lies over the screen is answered first, or left by the Back button."),
    Hint("", r"another one now|not on the page", "Each screen has ids of its own: take them from the one shown last."),
    Hint("", r"cannot be opened", "A phone has no addresses: apps are opened from the home screen."),
)
