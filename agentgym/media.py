"""Images between an environment and a policy: one form, named by their content, kept once.

An environment shows a Pillow image, an array or the bytes of a PNG or JPEG file; past its boundary an image is a
``Media``: its pixels as PNG, in RGB, and their digest. The same pixels have the same digest however they were shown.
"""

from __future__ import annotations

import functools
import hashlib
import io
import os
import threading
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from agentgym.errors import DataError
from agentgym.types import Media, Message

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["MEDIA", "MediaStore", "as_media", "data_url", "media_in", "pixels_of", "text_of"]

MEDIA = "media"
"""Of the directory, beside episodes, where their images are."""

_PNG = b"\x89PNG\r\n\x1a\n"
_EXPECTED = "expected a Pillow image, an array (height, width, 3) of uint8, or the bytes of a PNG or JPEG file"


def as_media(image: Any) -> Media:
    """``image`` as PNG. Raises ValueError, with what was found and what was expected, for what is no image."""
    if isinstance(image, Media):
        return _as_made(image)
    buffer = io.BytesIO()
    # Level 1: a screenshot is compressed four times faster than by default, to a tenth more bytes.
    _opened(image).convert("RGB").save(buffer, "PNG", compress_level=1)
    return _media(buffer.getvalue())


def _media(data: bytes) -> Media:
    return Media(digest=hashlib.blake2b(data, digest_size=16).hexdigest(), data=data)


def _as_made(media: Media) -> Media:
    """``media``, which anybody can put together, unless its name is not that of its content: files are called so."""
    if not (isinstance(media.data, bytes) and media.data.startswith(_PNG) and _media(media.data) == media):
        raise ValueError(f"a Media of another digest than its content's, or of no PNG, {_EXPECTED}")
    return media


def _opened(image: Any) -> Image:
    from PIL import Image  # takes a while, and most environments show none

    if isinstance(image, Image.Image):
        found: Image.Image = image
    elif isinstance(image, np.ndarray):
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
            raise ValueError(f"an array of {image.dtype} of shape {image.shape}, {_EXPECTED}")
        found = Image.fromarray(np.ascontiguousarray(image)) if image.size else Image.new("RGB", (0, 0))
    elif isinstance(image, bytes | bytearray | memoryview):
        try:
            found = Image.open(io.BytesIO(image), formats=("PNG", "JPEG"))
            found.load()
        except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
            raise ValueError(f"{len(image)} bytes that cannot be read ({error}), {_EXPECTED}") from None
    else:
        raise ValueError(f"{type(image).__name__} {repr(image)[:80]}, {_EXPECTED}")
    if not (found.width and found.height):
        raise ValueError(f"an image of {found.width} x {found.height} pixels, expected at least one")
    return found


def pixels_of(media: Media) -> np.ndarray[Any, Any]:
    """The pixels, uint8 [height, width, 3]."""
    return np.array(_opened(media.data).convert("RGB"))


def data_url(media: Media) -> str:
    """The image as a URL that holds it."""
    import base64

    return f"data:image/png;base64,{base64.b64encode(media.data).decode()}"


# -- in messages -----------------------------------------------------------------------------------------


def media_in(messages: Sequence[Message]) -> list[Media]:
    """The images of a conversation, in the order in which they are shown."""
    return [
        part["image"]
        for message in messages
        if isinstance(message.get("content"), list)
        for part in message["content"]
        if part["type"] == "image"
    ]


def text_of(content: Any) -> str:
    """What a message says in words."""
    if isinstance(content, list):
        return "\n".join(part["text"] for part in content if part["type"] == "text")
    return str(content)


# -- where they are kept ---------------------------------------------------------------------------------


class MediaStore:
    """Images by digest: in memory until there is a ``directory``, then one file each, written once.

    A file is whole or not there. Another process may read and write the same directory.
    """

    def __init__(self, directory: Path | None = None) -> None:
        self.directory = directory
        self._held: dict[str, Media] = {}
        self._written: set[str] = set()

    def move_to(self, directory: Path) -> None:
        """Keep everything in ``directory`` from now on, what was put before among it."""
        held, self._held = self._held, {}
        self.directory = directory
        for media in held.values():
            self.put(media)

    def put(self, media: Media) -> None:
        """Keep an image."""
        if self.directory is None:
            self._held[media.digest] = media
        elif media.digest not in self._written:
            self._write(media, self.directory)
            self._written.add(media.digest)

    def get(self, digest: str) -> Media:
        """The image of that digest. Raises DataError where it is not there or no longer what it was."""
        if self.directory is None:
            if digest not in self._held:
                raise DataError(f"the image {digest} was never shown here")
            return self._held[digest]
        return _read(self._file(digest, self.directory))

    def bring(self, digests: Iterable[str], source: MediaStore) -> None:
        """Keep images of ``source`` here too. Raises DataError where one is not there either."""
        for digest in digests:
            if digest not in self:
                self.put(source.get(digest))

    def __contains__(self, digest: str) -> bool:
        if digest in self._held or digest in self._written:
            return True
        return self.directory is not None and self._file(digest, self.directory).exists()

    @staticmethod
    def _file(digest: str, directory: Path) -> Path:
        return directory / digest[:2] / f"{digest}.png"

    def _write(self, media: Media, directory: Path) -> None:
        file = self._file(media.digest, directory)
        if file.exists():
            return
        file.parent.mkdir(parents=True, exist_ok=True)
        part = file.with_name(f".{file.name}.{os.getpid()}.{threading.get_ident()}")
        part.write_bytes(media.data)
        part.replace(file)


@functools.lru_cache(maxsize=256)
def _read(file: Path) -> Media:
    try:
        media = _media(file.read_bytes())
    except FileNotFoundError:
        raise DataError(f"the image {file} is missing; the episodes that show it cannot be learned from") from None
    if media.digest != file.stem:
        raise DataError(f"the image {file} is damaged: its content is that of {media.digest}")
    return media
