"""Amounts of money, in cents."""

from __future__ import annotations


def parse(text: str) -> int:
    """The cents in a text such as "12.50", "7" or "-0.05"; more than two decimals are an error."""
    text = text.strip()
    negative = text.startswith("-")
    whole, _, part = text.lstrip("-").partition(".")
    if not whole.isdigit() or len(part) > 2:
        raise ValueError("this is no amount")
    cents = 100 * int(whole) + int(part.ljust(2, "0"))
    return -cents if negative else cents


def shown(cents: int, grouped: bool = True) -> str:
    """The amount in words of digits: thousands apart by commas, always two decimals."""
    sign = "-" if cents < 0 else ""
    whole, part = divmod(abs(cents), 100)
    number = f"{whole:,}" if grouped else str(whole)
    return f"{sign}{number}.{part:02d}"


def shares(cents: int, people: int) -> list[int]:
    """The amount in equal parts, the first of which are a cent larger where it does not go up."""
    if people < 1:
        raise ValueError("there is nobody to share with")
    part, left = divmod(cents, people)
    return [part + 1 if index < left else part for index in range(people)]


def discounted(cents: int, percent: int, least: int = 0) -> int:
    """The price less so many percent, rounded down in the buyer's favor, but never under the least."""
    if not 0 <= percent <= 100:
        raise ValueError("a discount is 0 to 100 percent")
    return max(cents * (100 - percent) // 100, least)


def change(cents: int, coins: list[int]) -> list[int]:
    """The coins to pay with, the largest first as long as it fits."""
    paid: list[int] = []
    for coin in sorted(coins, reverse=True):
        while cents >= coin:
            paid.append(coin)
            cents -= coin
    return paid
