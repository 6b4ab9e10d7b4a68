"""Cases and complaints of ``library.days``."""

COMPLAINTS = {
    "leap": "some years are taken for long ones and are not, or the other way round",
    "length": "some months are too long or too short",
    "ordinal": "the position within the year is wrong",
    "later": "moving forward in the calendar leads to the wrong place",
    "between": "the time from one event to another is wrong",
    "parse": "what is written in the calendar's form is misread",
}

CASES = r"""
leap(2024)
leap(2023)
leap(1900)
leap(2000)
leap(2100)
length(2024, 2)
length(2023, 2)
length(2023, 4)
length(2023, 12)
length(2023, 1)
length(2023, 13)
length(2023, 0)
ordinal(2023, 1, 1)
ordinal(2023, 3, 1)
ordinal(2024, 3, 1)
ordinal(2024, 12, 31)
ordinal(2023, 2, 29)
ordinal(2023, 5, 0)
later([2023, 12, 31])
later([2024, 2, 28], 2)
later([2023, 2, 28])
later([2023, 1, 1], 31)
later([2023, 6, 15], 0)
later([2023, 11, 29], 40)
between([2024, 1, 1], [2024, 3, 1])
between([2024, 3, 1], [2024, 2, 28])
between([2023, 5, 5], [2023, 5, 5])
between([2023, 12, 25], [2024, 1, 5])
parse("2024-02-29")
parse("2023-02-29")
parse("1999-12-01")
"""
