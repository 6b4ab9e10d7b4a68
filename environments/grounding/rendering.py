"""Screens as the browser draws them, and where each thing came to stand: drawn once, then kept.

A file in the cache is a PNG that carries the boxes with it, named by a digest of all that made it; it is written at
once or not at all, so that any number of processes may share the folder.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import os
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from agentgym.browser import PageLost, Window
from agentgym.environments.grounding.screens import Screen
from agentgym.errors import UserError

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["Rendered", "Renderer", "default_cache"]

_RECIPE = 1
"""Raised when the same document would be measured otherwise."""

_BOXES = """() => [...document.querySelectorAll("[data-thing]")].flatMap((thing) => {
    const box = thing.getBoundingClientRect();
    const corners = [[1, 1], [box.width - 1, 1], [1, box.height - 1], [box.width - 1, box.height - 1]];
    const center = [box.width / 2, box.height / 2];
    const shows = ([x, y]) => {
        const top = document.elementFromPoint(box.left + x, box.top + y);
        return top === thing || thing.contains(top);
    };
    const isIn = box.left >= 0 && box.top >= 0 && box.right <= innerWidth && box.bottom <= innerHeight;
    const isRound = parseFloat(getComputedStyle(thing).borderRadius) > 2;
    const isSeen = isIn && shows(center) && (isRound || corners.every(shows));
    return isSeen ? [[thing.dataset.thing, [box.left, box.top, box.right, box.bottom]]] : [];
})"""
"""Things that are seen whole: what is cut off or covered cannot be asked for."""


class Rendered(NamedTuple):
    """A screen as it is seen."""

    image: Image
    boxes: Mapping[int, tuple[float, float, float, float]]
    """Number of a thing that is seen whole → left, top, right, bottom in pixels."""


def default_cache() -> Path:
    """The folder of screens in the user's cache."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "agentgym" / "grounding"


class Renderer:
    """Shows screens in a browser of its own, which is started with the first one that is not kept yet."""

    def __init__(self, cache: Path) -> None:
        self.cache = cache
        self._window: Window | None = None
        self._size = (0, 0)

    def __call__(self, screen: Screen) -> Rendered:
        """The screen. Raises MissingExtraError without a browser, EnvError where it fails, UserError for the folder."""
        file = self.cache / f"{_digest(screen)}.png"
        if not file.exists():
            self._keep(file, *self._drawn(screen))
        return _read(file)

    def close(self) -> None:
        """Give the browser back."""
        if self._window is not None:
            self._window.close()
            self._window = None

    def _drawn(self, screen: Screen) -> tuple[Image, Mapping[str, list[float]]]:
        window = self._window_of(screen.width, screen.height)
        window.goto(f"data:text/html;base64,{base64.b64encode(screen.html.encode()).decode()}")
        if not window.look().is_still:
            raise PageLost("a screen that has no script is not still")
        boxes = dict(window.evaluate(_BOXES))
        return window.screenshot(), boxes

    def _window_of(self, width: int, height: int) -> Window:
        if self._window is None or self._size != (width, height):
            self.close()
            self._window, self._size = Window(width=width, height=height), (width, height)
            self._window.open()  # one page for all: a screen has no script, and leaves nothing behind
        return self._window

    def _keep(self, file: Path, image: Image, boxes: Mapping[str, list[float]]) -> None:
        from PIL.PngImagePlugin import PngInfo

        about = PngInfo()
        about.add_text("boxes", json.dumps(boxes))
        part = file.with_name(f".{file.name}.{os.getpid()}.{threading.get_ident()}")
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            image.save(part, "PNG", pnginfo=about)
            part.replace(file)
        except OSError as error:
            raise UserError(
                f"cannot keep screens in {self.cache}: {error}; choose another folder with --env.cache"
            ) from error


def _read(file: Path) -> Rendered:
    from PIL import Image

    with Image.open(io.BytesIO(file.read_bytes())) as image:
        boxes = json.loads(image.text["boxes"])  # type: ignore[attr-defined]  # of a PNG
        return Rendered(image.convert("RGB"), {int(number): tuple(box) for number, box in boxes.items()})


def _digest(screen: Screen) -> str:
    made = repr((_RECIPE, screen.width, screen.height, screen.html))
    return hashlib.blake2b(made.encode(), digest_size=16).hexdigest()
