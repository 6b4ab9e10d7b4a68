"""Images: what is taken for one, what it is called, and where it is kept."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image

import agentgym
from agentgym.conversation import keep_last
from agentgym.errors import DataError, EnvError
from agentgym.media import MediaStore, as_media, data_url, media_in, pixels_of, text_of
from agentgym.protocols.plain import Plain
from agentgym.rollout.context import SUMMARY_REQUEST, asked_to_summarize, resumed_from
from agentgym.types import Media, Observation

PIXELS = arrays.arrays(np.uint8, st.tuples(st.integers(1, 6), st.integers(1, 6), st.just(3)))
PICTURE = np.arange(60, dtype=np.uint8).reshape(4, 5, 3)


def encoded(pixels: Any, form: str) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, form)
    return buffer.getvalue()


@given(PIXELS)
def test_the_same_pixels_are_the_same_image_however_they_come(pixels: Any) -> None:
    forms = [pixels, np.asfortranarray(pixels), Image.fromarray(pixels), encoded(pixels, "PNG"), as_media(pixels)]
    assert len({as_media(form).digest for form in forms}) == 1
    assert np.array_equal(pixels_of(as_media(pixels)), pixels)


@given(PIXELS, PIXELS)
def test_other_pixels_are_another_image(one: Any, other: Any) -> None:
    assert (as_media(one) == as_media(other)) == (one.shape == other.shape and bool((one == other).all()))


def test_a_jpeg_is_an_image() -> None:
    assert pixels_of(as_media(encoded(PICTURE, "JPEG"))).shape == (4, 5, 3)


@pytest.mark.parametrize(
    ("image", "found"),
    [
        (np.zeros((4, 5, 3)), r"an array of float64 of shape \(4, 5, 3\), expected a Pillow image"),
        (np.zeros((4, 5), np.uint8), r"an array of uint8 of shape \(4, 5\)"),
        (np.zeros((0, 5, 3), np.uint8), "an image of 0 x 0 pixels"),
        (b"\x89PNG\r\n\x1a\n....", r"12 bytes that cannot be read \(.*\), expected"),
        (encoded(PICTURE, "PNG")[:40], r"40 bytes that cannot be read"),
        (b"GIF89a", "6 bytes that cannot be read"),
        (Media(digest="../../x", data=as_media(PICTURE).data), "a Media of another digest than its content's"),
        (Media(digest=hashlib.blake2b(b"x", digest_size=16).hexdigest(), data=b"x"), "a Media .* or of no PNG"),
        ("page.png", "str 'page.png', expected a Pillow image, an array"),
        (None, "NoneType None, expected"),
    ],
    ids=["floats", "gray", "empty", "no png", "cut", "gif", "its name", "its data", "path", "none"],
)
def test_what_is_no_image_is_told_at_the_boundary(image: Any, found: str) -> None:
    class Shows(agentgym.Env):
        def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
            return Observation("look", images=[PICTURE, image]), {}

    with pytest.raises(EnvError, match=rf"Shows: images\[1\] is {found}"):
        Shows().reset(seed=0)


# -- where they are kept ----------------------------------------------------------------------------------


def test_images_are_kept_in_memory_and_then_in_a_directory_once(tmp_path: Path) -> None:
    store, media = MediaStore(), as_media(PICTURE)
    store.put(media)
    assert store.get(media.digest) == media
    store.move_to(tmp_path)
    (file,) = (path for path in tmp_path.rglob("*") if path.is_file())
    assert (file.stem, file.read_bytes()) == (media.digest, media.data)
    written = file.stat().st_mtime_ns
    for again in (store, MediaStore(tmp_path)):
        again.put(media)
        assert again.get(media.digest) == media
    assert file.stat().st_mtime_ns == written


def test_what_is_missing_or_damaged_is_told(tmp_path: Path) -> None:
    media, other = as_media(PICTURE), as_media(PICTURE[:2])
    with pytest.raises(DataError, match=f"the image {media.digest} was never shown here"):
        MediaStore().get(media.digest)
    store = MediaStore(tmp_path)
    with pytest.raises(DataError, match="is missing"):
        store.get(media.digest)
    store.put(media)
    next(tmp_path.rglob("*.png")).write_bytes(other.data)
    with pytest.raises(DataError, match=f"is damaged: its content is that of {other.digest}"):
        MediaStore(tmp_path).get(media.digest)


# -- in messages ------------------------------------------------------------------------------------------


def test_an_observation_with_images_is_shown_in_parts() -> None:
    images = [as_media(PICTURE), as_media(PICTURE[:1])]
    message = Plain().show(Observation("look", images=images))
    assert media_in([message]) == images
    assert text_of(message["content"]) == "look"
    assert Plain().show(Observation("look"))["content"] == "look"


def test_contexts_that_are_shortened_keep_what_belongs_to_what_stays() -> None:
    first, second = (
        Plain().show(Observation(name, images=[as_media(PICTURE[:n])])) for name, n in (("a", 1), ("b", 2))
    )
    said = Plain().said("hm")
    assert media_in(keep_last([first, said, second], 0, 1)) == [as_media(PICTURE[:2])]
    *_, last = asked_to_summarize([first, said, second])
    assert (media_in([last]), text_of(last["content"])) == ([as_media(PICTURE[:2])], f"b\n\n\n{SUMMARY_REQUEST}")
    (resumed,) = resumed_from("I saw a.", [], second)
    assert media_in([resumed]) == [as_media(PICTURE[:2])]
    assert text_of(resumed["content"]).endswith("I saw a.\n\n\nb")


def test_a_url_holds_the_image() -> None:
    assert data_url(as_media(PICTURE)).startswith("data:image/png;base64,iVBORw0KGgo")
