"""What a page showed at one moment: its elements in reading order, as data."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

__all__ = ["Node", "Seen"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """An element, or a text between elements, which has no role."""

    depth: int
    role: str = ""
    name: str = ""
    text: str = ""
    ref: str = ""
    """By which actions name it; "" for what cannot be acted on."""
    acts: bool = False
    """Whether it does something, or takes something in."""
    value: str | None = None
    states: tuple[str, ...] = ()
    """Such as "checked", "disabled", "expanded", "focused"."""
    level: str = ""
    """Of a heading."""
    color: str = ""
    """Of what is told by its looks alone."""
    hint: str = ""
    """What its author calls an element without a name: its id and classes."""
    box: tuple[int, int, int, int] = (0, 0, 0, 0)
    """Left, top, width, height in pixels of what is in view."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A page at one moment."""

    url: str
    title: str
    page: str
    """A name for the document, for as long as it is there."""
    nodes: tuple[Node, ...]
    scroll: tuple[int, int, int, int, int, int]
    """Left and top of what is in view, width and height of the whole, width and height of what is in view."""
    news: tuple[str, ...] = ()
    """What came up: dialogs, new pages, refused downloads."""
    is_still: bool = True
    """False where the page was still changing when it was looked at."""
    probed: Any = None
    """What the environment's own script returned."""

    @classmethod
    def of(cls, found: Mapping[str, Any], *, news: list[str], is_still: bool, probed: Any = None) -> Seen:
        """From what the script in the page returned."""
        return cls(
            url=found["url"],
            title=found["title"],
            page=found["page"],
            nodes=tuple(map(_node, found["nodes"])),
            scroll=tuple(map(round, found["scroll"])),
            news=tuple(news),
            is_still=is_still,
            probed=probed,
        )

    def find(self, ref: str) -> Node | None:
        """The element of that ref."""
        return next((node for node in self.nodes if node.ref == ref), None)


def _node(found: Mapping[str, Any]) -> Node:
    lists = {name: tuple(found[name]) for name in ("states", "box") if name in found}
    return Node(**{**found, **lists})
