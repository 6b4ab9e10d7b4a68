"""Goods in a store: what is there, what is promised, and what must be ordered."""

from __future__ import annotations


class Store:
    """Counts of goods by name; ``low`` is the count at which more are to be ordered."""

    def __init__(self, low: int = 3) -> None:
        self.low = low
        self.counts: dict[str, int] = {}
        self.promised: dict[str, int] = {}

    def receive(self, name: str, count: int = 1) -> int:
        """Put goods in, one unless told otherwise; how many there are now."""
        if count < 1:
            raise ValueError("nothing is received")
        self.counts[name] = self.counts.get(name, 0) + count
        return self.counts[name]

    def free(self, name: str) -> int:
        """How many are there that nobody was promised."""
        return self.counts.get(name, 0) - self.promised.get(name, 0)

    def promise(self, name: str, count: int) -> bool:
        """Keep goods for somebody; False, and nothing is kept, where fewer are free."""
        if count > self.free(name):
            return False
        self.promised[name] = self.promised.get(name, 0) + count
        return True

    def ship(self, name: str, count: int) -> int:
        """Send goods that were promised, at most as many as were; how many are left."""
        sent = min(count, self.promised.get(name, 0))
        self.promised[name] = self.promised.get(name, 0) - sent
        self.counts[name] = self.counts.get(name, 0) - sent
        return self.counts[name]

    def to_order(self) -> list[str]:
        """Names of the goods of which no more than ``low`` are free, by the alphabet."""
        return sorted(name for name in self.counts if self.free(name) <= self.low)

    def report(self) -> dict[str, list[int]]:
        """For each kind of goods: there, promised, free."""
        return {
            name: [count, self.promised.get(name, 0), self.free(name)] for name, count in sorted(self.counts.items())
        }
