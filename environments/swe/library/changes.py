"""What is different between two lists, and how alike they are."""

from __future__ import annotations


def common(one: list[str], other: list[str]) -> list[str]:
    """A longest list that both have in this order."""
    lengths = [[0] * (len(other) + 1) for _ in range(len(one) + 1)]
    for i in range(len(one) - 1, -1, -1):
        for j in range(len(other) - 1, -1, -1):
            if one[i] == other[j]:
                lengths[i][j] = lengths[i + 1][j + 1] + 1
            else:
                lengths[i][j] = max(lengths[i + 1][j], lengths[i][j + 1])
    found, i, j = [], 0, 0
    while i < len(one) and j < len(other):
        if one[i] == other[j]:
            found.append(one[i])
            i, j = i + 1, j + 1
        elif lengths[i + 1][j] >= lengths[i][j + 1]:
            i += 1
        else:
            j += 1
    return found


def diff(one: list[str], other: list[str]) -> list[str]:
    """Lines with a sign in front: " " for both, "-" for the first alone, "+" for the second alone."""
    lines: list[str] = []
    i = j = 0
    for shared in [*common(one, other), None]:
        while i < len(one) and one[i] != shared:
            lines.append("-" + one[i])
            i += 1
        while j < len(other) and other[j] != shared:
            lines.append("+" + other[j])
            j += 1
        if shared is not None:
            lines.append(" " + shared)
            i, j = i + 1, j + 1
    return lines


def distance(one: str, other: str) -> int:
    """The fewest letters to put in, take out or replace to make one word the other."""
    row = list(range(len(other) + 1))
    for i, left in enumerate(one, 1):
        before, row[0] = row[0], i
        for j, right in enumerate(other, 1):
            cost = before if left == right else 1 + min(before, row[j], row[j - 1])
            before, row[j] = row[j], cost
    return row[-1]


def closest(word: str, words: list[str], most: int = 2) -> str | None:
    """The word at the smallest distance, the first of equals; None where all are farther than ``most``."""
    best = min(words, key=lambda known: distance(word, known), default=None)
    if best is None or distance(word, best) > most:
        return None
    return best
