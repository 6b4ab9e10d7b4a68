"""Looking closer: what comes back, to the pixel."""

from __future__ import annotations

import pytest
from PIL import Image

from agentgym.environments.grounding.visual import Look, look_of


def picture() -> Image.Image:
    """Red on the left, blue on the right; 100 by 50."""
    image = Image.new("RGB", (100, 50), "red")
    image.paste("blue", (50, 0, 100, 50))
    return image


def look(said: str) -> Look:
    found = look_of(said, picture())
    assert isinstance(found, Look)
    return found


def test_a_part_is_cut_out_and_cut_off_at_the_edges() -> None:
    found = look("I want to see: crop(40, 10, 60, 30)")
    assert found.text == "the part from (40, 10) to (60, 30):"
    assert found.image.size == (20, 20)
    assert [found.image.getpixel(at) for at in ((9, 0), (10, 0))] == [(255, 0, 0), (0, 0, 255)]
    assert look("crop(-10, -10, 500, 20)").image.size == (100, 20)


def test_a_zoom_is_as_large_as_the_picture_and_stays_inside() -> None:
    found = look("zoom(50, 25, 2)")
    assert found.text == "the part from (25, 12) to (75, 38), 2 times as large:"
    assert found.image.size == (100, 50)
    assert look("zoom(0, 0, 4)").text.startswith("the part from (0, 0) to (25, 12)")
    assert look("zoom(99, 49, 4)").text.startswith("the part from (75, 38) to (100, 50)")
    assert look("zoom(50, 25, 1)").image.size == (100, 50)


def test_a_mark_and_a_line_are_drawn_on_a_copy() -> None:
    image = picture()
    marked, measured = look_of("mark(20, 20)", image), look_of("measure(10, 10, 40, 50)", image)
    assert isinstance(marked, Look)
    assert isinstance(measured, Look)
    assert image.tobytes() == picture().tobytes()
    assert marked.image.getpixel((20, 20)) == (230, 30, 90) != picture().getpixel((20, 20))
    assert marked.image.getpixel((90, 45)) == picture().getpixel((90, 45))
    assert measured.text == "50 pixels, 30 across and 40 down:"
    assert measured.image.getpixel((25, 30)) == (230, 30, 90)


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("crop(1, 2, 3)", "crop takes 4 numbers, found 3"),
        ("zoom()", "zoom takes 3 numbers, found 0"),
        ("crop(60, 10, 40, 30)", "at least"),
        ("crop(10, 10, 12, 40)", "8 pixels wide"),
        ("zoom(10, 10, 0.5)", "a factor is from 1 to 8"),
        ("zoom(10, 10, 9)", "a factor is from 1 to 8"),
    ],
)
def test_what_cannot_be_done_is_told(said: str, told: str) -> None:
    found = look_of(said, picture())
    assert isinstance(found, str)
    assert told in found


def test_an_answer_is_no_look() -> None:
    assert look_of("click(3, 4)", picture()) is None
