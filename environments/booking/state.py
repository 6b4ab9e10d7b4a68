"""What one guest has done so far: all there is to an episode, small and plain enough for JSON."""

from __future__ import annotations

import dataclasses

from agentgym.environments.booking.urls import Address
from agentgym.environments.booking.wish import Wish

__all__ = ["State"]


@dataclasses.dataclass(slots=True, kw_only=True)
class State:
    """What one guest has done so far."""

    task: int
    at: Address = dataclasses.field(default_factory=Address)
    search: dict[str, str]
    """What the fields of the search hold."""
    guest: dict[str, str]
    """What the fields of the form hold."""
    news: str = ""
    """What the field of the pop-up holds."""
    overlays: list[str] = dataclasses.field(default_factory=list)
    """What lies over the page, the last on top: "calendar", or the name of a pop-up."""
    to_come: list[str]
    """Pop-ups that were not shown yet."""
    month: int = 1
    """That the calendar shows."""
    screen: int = 0
    """How often the page was scrolled down."""
    has_asked: bool = False
    notice: str = ""
    """What the last command brought beside the page."""

    @classmethod
    def at_first(cls, task: int, wish: Wish, *, has_calendar: bool) -> State:
        """Before the first command."""
        search = {"place": "", "date": "", "people": "2" if has_calendar else ""}
        return cls(task=task, search=search, guest=dict.fromkeys(wish.guest, ""), to_come=list(wish.popups))

    @classmethod
    def of(cls, fields: dict[str, object]) -> State:
        """From what was JSON."""
        made = cls(**fields)  # type: ignore[arg-type]  # as ``as_json`` wrote them
        made.at = Address(*made.at)
        made.search, made.guest = dict(made.search), dict(made.guest)
        made.overlays, made.to_come = list(made.overlays), list(made.to_come)
        return made

    def as_json(self) -> dict[str, object]:
        """Plain JSON; ``State.of(state.as_json())`` is the same state."""
        return {**dataclasses.asdict(self), "at": list(self.at)}
