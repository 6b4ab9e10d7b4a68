"""Versions such as 1.4.2 or 2.0.0-rc1, compared and chosen."""

from __future__ import annotations

from typing import Any


def parse(text: str) -> list[Any]:
    """Three numbers, missing ones being 0, and what stands behind a dash."""
    numbers, _, label = text.strip().removeprefix("v").partition("-")
    found: list[Any] = [int(part) for part in numbers.split(".")]
    if len(found) > 3:
        raise ValueError("a version has three numbers at most")
    found += [0] * (3 - len(found))
    return [*found, label]


def compare(one: str, other: str) -> int:
    """-1 where the first is older, 1 where it is newer, 0 where both are equal; a label is older than none."""
    left, right = parse(one), parse(other)
    if left[:3] != right[:3]:
        return -1 if left[:3] < right[:3] else 1
    if left[3] == right[3]:
        return 0
    if left[3] == "" or right[3] == "":
        return 1 if left[3] == "" else -1
    return -1 if left[3] < right[3] else 1


def newest(versions: list[str], labels: bool = False) -> str | None:
    """The newest of them, without those that have a label unless labels are wanted."""
    best: str | None = None
    for version in versions:
        if "-" in version and not labels:
            continue
        if best is None or compare(version, best) > 0:
            best = version
    return best


def bumped(text: str, part: int = 2) -> str:
    """The next version: one of its numbers up by one, those behind it 0, and no label."""
    if not 0 <= part <= 2:
        raise ValueError("the part is 0, 1 or 2")
    numbers = parse(text)[:3]
    numbers[part] += 1
    for index in range(part + 1, 3):
        numbers[index] = 0
    return ".".join(str(number) for number in numbers)


def fits(version: str, wanted: str) -> bool:
    """Whether a version is what is wanted: ">=1.2", "<2", or "~1.4" for that and newer with the same first number."""
    if wanted.startswith(">="):
        return compare(version, wanted[2:]) >= 0
    if wanted.startswith("<"):
        return compare(version, wanted[1:]) < 0
    if wanted.startswith("~"):
        base = wanted[1:]
        return parse(version)[0] == parse(base)[0] and compare(version, base) >= 0
    return compare(version, wanted) == 0
