"""What apps do with a phone: screens that open and close, and the records that they keep."""

from __future__ import annotations

from agentgym.environments.android_like.state import Frame, Record, State

__all__ = ["Handset"]


class Handset:
    """A state, and what a tap can do to it."""

    def __init__(self, state: State) -> None:
        self.state = state

    def open(self, app: str, screen: str = "list", item: str = "") -> None:
        """Put a screen on top."""
        frame = Frame(app, screen, item)
        self.state.stack.append(frame)
        if frame.key not in self.state.seen:
            self.state.seen.append(frame.key)

    def close(self, count: int = 1) -> None:
        """Take the uppermost screens away."""
        del self.state.stack[-count:]

    def records(self, sort: str) -> dict[str, Record]:
        """Those of a sort, by id."""
        return self.state.contents[sort]

    def ids(self, sort: str) -> list[str]:
        """Of numbered records, the oldest first."""
        return sorted(self.records(sort), key=int)

    def keep(self, sort: str, record: Record, id: str = "") -> None:
        """Have a record hold this; a new one where no id is given."""
        kept = self.records(sort)
        kept[id or str(1 + max(map(int, kept), default=0))] = record

    def drop(self, sort: str, id: str) -> None:
        """Delete a record."""
        del self.records(sort)[id]
