"""What people type into fields: when it is well formed, and when it means the same."""

from __future__ import annotations

import re

from agentgym.environments.booking.dates import read_date

__all__ = ["digits", "is_email", "plain", "same"]

_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[a-z]+")


def same(name: str, typed: str, wanted: str) -> bool:
    """Whether a field holds what is wanted, as far as the site cares.

    >>> same("email", "Moss42 @mail. net", "moss42@mail.net"), same("phone", "555 0107", "5550107")
    (True, True)
    """
    if name == "phone":
        return digits(typed) == digits(wanted)
    if name == "email":
        return "".join(typed.lower().split()) == wanted
    if name == "date":
        try:
            return read_date(typed) == read_date(wanted)
        except ValueError:
            return False
    return plain(typed) == plain(wanted)


def plain(text: str) -> str:
    """In lower case, with single blanks."""
    return " ".join(text.lower().split())


def digits(text: str) -> str:
    """Those of ``text``."""
    return re.sub(r"[^0-9]", "", text)


def is_email(text: str) -> bool:
    """Whether it has the form of an address; blanks do not matter."""
    return bool(_EMAIL.fullmatch("".join(text.lower().split())))
