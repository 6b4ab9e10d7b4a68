"""Questions and their boxes, by hand."""

from __future__ import annotations

import pytest
from PIL import Image

from agentgym.environments.grounding.items import Element, Item, fitted
from agentgym.pointing import Box


def test_boxes_are_scaled_with_their_picture() -> None:
    item = Item(
        instruction="x",
        image=Image.new("RGB", (200, 100)),
        box=(20, 10, 60, 40),
        elements=[Element("button", "x", (0, 0, 200, 100))],
    )
    assert item.target == Box(0.1, 0.1, 0.3, 0.4)
    assert [item.center, item.share((50, 50))] == [(40, 25), (0.25, 0.5)]
    assert fitted(item, 200) is item
    smaller = fitted(item, 50)
    assert smaller.image.size == (50, 25)
    assert smaller.box == pytest.approx((5, 2.5, 15, 10))
    assert smaller.elements[0].box == pytest.approx((0, 0, 50, 25))
    assert smaller.target == pytest.approx(item.target)
