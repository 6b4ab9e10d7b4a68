"""Dates of the Gregorian calendar as [year, month, day]."""

from __future__ import annotations

LENGTHS = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]


def leap(year: int) -> bool:
    """Whether a year has 366 days: every fourth, but of the full centuries only every fourth."""
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)


def length(year: int, month: int) -> int:
    """How many days a month has."""
    if not 1 <= month <= 12:
        raise ValueError("a month is 1 to 12")
    if month == 2 and leap(year):
        return 29
    return LENGTHS[month - 1]


def ordinal(year: int, month: int, day: int) -> int:
    """The number of the day in its year, the first of January being 1."""
    if not 1 <= day <= length(year, month):
        raise ValueError("there is no such day")
    return sum(length(year, earlier) for earlier in range(1, month)) + day


def later(date: list[int], days: int = 1) -> list[int]:
    """The date so many days later."""
    year, month, day = date
    for _ in range(days):
        day += 1
        if day > length(year, month):
            day = 1
            month += 1
        if month > 12:
            month = 1
            year += 1
    return [year, month, day]


def between(first: list[int], last: list[int]) -> int:
    """Days from the first date to the last, negative where that is earlier."""
    if first > last:
        return -between(last, first)
    days = 0
    while first != last:
        first = later(first)
        days += 1
    return days


def parse(text: str) -> list[int]:
    """The date in a text such as "2024-02-29"."""
    year, month, day = (int(part) for part in text.split("-"))
    ordinal(year, month, day)
    return [year, month, day]
