"""What a screen consists of: the same for the simulator, for what is told of it and for the browser."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple, TypeAlias

__all__ = ["Kind", "Node", "Screen"]

Kind: TypeAlias = Literal[
    "tile", "row", "switch", "choice", "check", "field", "main", "add", "tool", "button", "text", "mine", "theirs"
]
"""An app's tile, a row that opens something, what can be on or off, one of several, done or not, a field, the button
that sends fields off, the one for something new, one in the head of the screen, any other, and what is only read."""


class Node(NamedTuple):
    """One thing on a screen."""

    kind: Kind
    text: str
    id: str = ""
    """By which it is tapped or filled; "" where it can only be read. Of a screen, each once."""
    detail: str = ""
    value: str = ""
    """Of a field."""
    is_on: bool = False
    does: Callable[[], str | None] | None = None
    """What a tap does; it returns what was wrong, or None."""
    beside: Node | None = None
    """What stands in the same row."""


class Screen(NamedTuple):
    """One at a time is on top."""

    title: str
    nodes: tuple[Node, ...]
    is_dialog: bool = False
    """Whether it lies over the one below, which is seen and cannot be reached."""

    @property
    def every(self) -> list[Node]:
        """Those beside others too."""
        return [each for node in self.nodes for each in (node, node.beside) if each is not None]

    def find(self, id: str) -> Node | None:
        """The node of that id."""
        return next((node for node in self.every if node.id == id and id), None)
