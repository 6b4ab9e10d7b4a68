"""A queue in which what is most urgent comes first."""

from __future__ import annotations


class Queue:
    """Tasks with a priority; a smaller number is more urgent, and equals keep their order."""

    def __init__(self) -> None:
        self.heap: list[tuple[int, int, str]] = []
        self.added = 0

    def push(self, name: str, priority: int = 5) -> int:
        """Add a task, of priority 5 unless another is given; how many there are now."""
        self.heap.append((priority, self.added, name))
        self.added += 1
        self._rise(len(self.heap) - 1)
        return len(self.heap)

    def pop(self) -> str:
        """Take the most urgent task out."""
        if not self.heap:
            raise IndexError("the queue is empty")
        first = self.heap[0]
        last = self.heap.pop()
        if self.heap:
            self.heap[0] = last
            self._sink(0)
        return first[2]

    def peek(self) -> str | None:
        """The most urgent task, which stays; None where there is none."""
        return self.heap[0][2] if self.heap else None

    def urgent(self, limit: int) -> list[str]:
        """Names of the tasks whose priority is at most the limit, the most urgent first."""
        return [name for priority, _, name in sorted(self.heap) if priority <= limit]

    def drain(self) -> list[str]:
        """Take all tasks out, the most urgent first."""
        names = []
        while self.heap:
            names.append(self.pop())
        return names

    def _rise(self, index: int) -> None:
        while index > 0:
            parent = (index - 1) // 2
            if self.heap[parent] <= self.heap[index]:
                break
            self.heap[parent], self.heap[index] = self.heap[index], self.heap[parent]
            index = parent

    def _sink(self, index: int) -> None:
        while True:
            child = 2 * index + 1
            if child + 1 < len(self.heap) and self.heap[child + 1] < self.heap[child]:
                child += 1
            if child >= len(self.heap) or self.heap[index] <= self.heap[child]:
                break
            self.heap[child], self.heap[index] = self.heap[index], self.heap[child]
            index = child
