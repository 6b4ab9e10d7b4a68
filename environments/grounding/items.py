"""What is asked: one picture, one instruction, one box."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from agentgym.pointing import Box

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["Element", "Item", "fitted"]


class Element(NamedTuple):
    """Something on a screen, as a policy that reads is told it."""

    role: str
    label: str
    box: tuple[float, float, float, float]
    """Left, top, right, bottom in pixels."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One question."""

    instruction: str
    image: Image
    box: tuple[float, float, float, float]
    """Left, top, right, bottom in pixels of the image."""
    elements: Sequence[Element] = ()
    """What is known to be on the screen; nothing where only the box is."""
    kind: str = ""
    """"text" or "icon", or whatever a file says."""

    @property
    def target(self) -> Box:
        """The box from 0 to 1."""
        left, top, right, bottom = self.box
        width, height = self.image.size
        return Box(left / width, top / height, right / width, bottom / height)

    @property
    def center(self) -> tuple[float, float]:
        """Of the box, in pixels."""
        left, top, right, bottom = self.box
        return (left + right) / 2, (top + bottom) / 2

    def share(self, point: tuple[float, float]) -> tuple[float, float]:
        """A point in pixels as one from 0 to 1."""
        return point[0] / self.image.width, point[1] / self.image.height


def fitted(item: Item, longest: int) -> Item:
    """The item with a picture whose longer side has at most that many pixels; all boxes are of that picture."""
    factor = longest / max(item.image.size)
    if factor >= 1:
        return item
    width, height = (max(1, round(side * factor)) for side in item.image.size)
    across, down = width / item.image.width, height / item.image.height

    def scaled(box: tuple[float, float, float, float]) -> tuple[float, float, float, float]:
        return box[0] * across, box[1] * down, box[2] * across, box[3] * down

    return dataclasses.replace(
        item,
        image=item.image.resize((width, height)),
        box=scaled(item.box),
        elements=[element._replace(box=scaled(element.box)) for element in item.elements],
    )
