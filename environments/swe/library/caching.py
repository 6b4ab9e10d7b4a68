"""A cache of limited size that forgets what was not used for longest."""

from __future__ import annotations

from collections import OrderedDict


class Cache:
    """Keys and values, at most so many; two unless another limit is given."""

    def __init__(self, limit: int = 2) -> None:
        if limit < 1:
            raise ValueError("the limit is 1 at least")
        self.limit = limit
        self.values: OrderedDict[str, int] = OrderedDict()
        self.hits = 0
        self.misses = 0

    def put(self, key: str, value: int) -> str | None:
        """Keep a value as the newest; the key that had to go for it, or None."""
        self.values[key] = value
        self.values.move_to_end(key)
        if len(self.values) > self.limit:
            gone, _ = self.values.popitem(last=False)
            return gone
        return None

    def get(self, key: str, default: int = 0) -> int:
        """The value of a key, which counts as used now; the default where there is none."""
        if key not in self.values:
            self.misses += 1
            return default
        self.hits += 1
        self.values.move_to_end(key)
        return self.values[key]

    def drop(self, key: str) -> bool:
        """Forget a key; whether it was there."""
        if key in self.values:
            del self.values[key]
            return True
        return False

    def keys(self) -> list[str]:
        """All keys, the newest first."""
        return list(reversed(self.values))

    def rate(self) -> int:
        """Percent of the lookups that found something, rounded down; 0 before the first."""
        asked = self.hits + self.misses
        if asked == 0:
            return 0
        return 100 * self.hits // asked
