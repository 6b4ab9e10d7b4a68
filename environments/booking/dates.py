"""Days of one year, as people write them: "march 14"."""

from __future__ import annotations

import datetime
import re

__all__ = ["MONTHS", "YEAR", "days_in", "read_date", "told"]

YEAR = 2026
"""The site knows no other."""
MONTHS = (
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
)

_WORDS = (
    re.compile(r"(?P<month>[a-z]{3,9}) (?P<day>[0-9]{1,2})(?:,? (?P<year>[0-9]{4}))?"),
    re.compile(r"(?P<day>[0-9]{1,2}) (?P<month>[a-z]{3,9})(?:,? (?P<year>[0-9]{4}))?"),
)
_ISO = re.compile(r"(?P<year>[0-9]{4})-(?P<month>[0-9]{2})-(?P<day>[0-9]{2})")


def told(date: datetime.date) -> str:
    """The day without its year.

    >>> told(datetime.date(2026, 3, 14))
    'march 14'
    """
    return f"{MONTHS[date.month - 1]} {date.day}"


def days_in(month: int) -> int:
    """Days of a month, 1 to 12."""
    return (datetime.date(YEAR + month // 12, month % 12 + 1, 1) - datetime.timedelta(days=1)).day


def read_date(text: str) -> datetime.date:
    """The day that ``text`` names. Raises ValueError, which says what is wrong, where there is none.

    >>> [str(read_date(text)) for text in ("March 14", "14 mar", "2026-03-14")]
    ['2026-03-14', '2026-03-14', '2026-03-14']
    """
    words = " ".join(text.lower().split())
    found = next(filter(None, (form.fullmatch(words) for form in (*_WORDS, _ISO))), None)
    month = _month(found["month"]) if found else 0
    if found is None or not month:
        raise ValueError("the date cannot be read: write a month and a day")
    if int(found["year"] or YEAR) != YEAR:
        raise ValueError(f"there are only dates in {YEAR}")
    day = int(found["day"])
    if not 1 <= day <= days_in(month):
        raise ValueError(f"there is no {MONTHS[month - 1]} {day}")
    return datetime.date(YEAR, month, day)


def _month(name: str) -> int:
    """Its number, 0 for none; three letters are enough."""
    if name.isdecimal():
        return int(name) if 1 <= int(name) <= 12 else 0
    return next((number for number, month in enumerate(MONTHS, 1) if month.startswith(name)), 0)
