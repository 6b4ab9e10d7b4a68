"""Ranges of whole numbers, [start, end], both ends included."""

from __future__ import annotations


def merge(ranges: list[list[int]]) -> list[list[int]]:
    """Join ranges that overlap or share an end, in order of their starts."""
    merged: list[list[int]] = []
    for start, end in sorted(ranges):
        if start > end:
            raise ValueError("a range ends before it starts")
        if merged and start <= merged[-1][1]:
            merged[-1][1] = max(merged[-1][1], end)
        else:
            merged.append([start, end])
    return merged


def covers(ranges: list[list[int]], point: int) -> bool:
    """Whether a point lies in one of the ranges, their ends included."""
    return any(start <= point <= end for start, end in ranges)


def gaps(ranges: list[list[int]], first: int, last: int) -> list[list[int]]:
    """The parts of [first, last] that no range covers, as ranges themselves."""
    found: list[list[int]] = []
    free = first
    for start, end in merge(ranges):
        if end < first or start > last:
            continue
        if start > free:
            found.append([free, start - 1])
        free = max(free, end + 1)
    if free <= last:
        found.append([free, last])
    return found


def total(ranges: list[list[int]]) -> int:
    """How many numbers the ranges cover, each counted once."""
    return sum(end - start + 1 for start, end in merge(ranges))


def shifted(ranges: list[list[int]], by: int = 1) -> list[list[int]]:
    """The ranges moved to the right, by one unless another distance is given."""
    return [[start + by, end + by] for start, end in ranges]
