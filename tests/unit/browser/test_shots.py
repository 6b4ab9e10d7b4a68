"""Pictures: made smaller, and marked where an element can be acted on."""

from __future__ import annotations

import pytest
from PIL import Image, ImageColor

from agentgym.browser import Node, Seen
from agentgym.browser.shots import MARKS, marked, scaled

WHITE = (255, 255, 255)


@pytest.mark.parametrize(
    ("size", "most", "expected"),
    [
        ((200, 100), None, (200, 100)),
        ((200, 100), 200, (200, 100)),
        ((200, 100), 400, (200, 100)),
        ((200, 100), 50, (50, 25)),
        ((9, 900), 10, (1, 10)),
    ],
)
def test_a_picture_is_made_smaller_in_its_shape(
    size: tuple[int, int], most: int | None, expected: tuple[int, int]
) -> None:
    assert scaled(Image.new("RGB", size), most).size == expected


def test_what_can_be_acted_on_is_framed_and_numbered() -> None:
    nodes = (
        Node(depth=0, role="button", ref="1", box=(20, 30, 60, 20)),
        Node(depth=0, role="heading", box=(0, 0, 10, 10)),
        Node(depth=0, role="button", ref="2", box=(500, 30, 60, 20)),
        Node(depth=0, role="button", ref="3", box=(-5, -5, 20, 20)),
    )
    seen = Seen(url="", title="", page="a", nodes=nodes, scroll=(0, 0, 100, 100, 100, 100))
    plain = Image.new("RGB", (100, 100), WHITE)
    image = marked(plain, seen)
    first, second = (ImageColor.getrgb(color) for color in MARKS[:2])
    assert image.getpixel((20, 45)) == first, "the left side of its frame"
    assert image.getpixel((79, 30)) == first, "its label"
    assert image.getpixel((50, 40)) == WHITE, "its inside"
    assert image.getpixel((15, 10)) == second, "of the next in view"
    assert image.getpixel((5, 9)) == WHITE, "a heading has none"
    assert plain.getcolors() == [(10_000, WHITE)], "the picture itself is as it was"
