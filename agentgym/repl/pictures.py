"""Images at a terminal: drawn where it can (kitty's protocol, iTerm2's, sixel), else saved and named.

Which of them a terminal takes is known from its environment variables; whether it takes sixels it can be asked. In
tmux and screen none is drawn unless they answer that they can: they pass the others on to nobody.

Sources: sw.kovidgoyal.net/kitty/graphics-protocol, iterm2.com/documentation-images.html, the manual of DEC's
VT340 (sixel).
"""

from __future__ import annotations

import base64
import io
import itertools
import os
import select
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np

from agentgym.errors import UserError
from agentgym.types import Media

__all__ = ["Form", "drawn", "form_of", "saved", "terminal_form"]

Form: TypeAlias = Literal["kitty", "iterm2", "sixel"]

_CHUNK = 4096
"""Bytes of base64 that kitty takes at once."""
_MAX_SIXELS = 800
"""Pixels of the longer side of what is drawn as sixels, six rows at a time in plain Python."""
_COLORS = 255
_ANSWER_SECONDS = 0.2


def form_of(environ: Mapping[str, str], attributes: str = "") -> Form | None:
    """What a terminal with these variables takes; ``attributes`` is its answer to the question what it is (DA1).

    >>> form_of({"TERM": "xterm-kitty"}), form_of({"TERM": "xterm"}), form_of({"TERM": "xterm"}, "?62;4;22c")
    ('kitty', None, 'sixel')
    """
    term, program = environ.get("TERM", ""), environ.get("TERM_PROGRAM", "")
    if not ("TMUX" in environ or term.startswith(("screen", "tmux"))):
        if "KITTY_WINDOW_ID" in environ or term in ("xterm-kitty", "xterm-ghostty") or program == "ghostty":
            return "kitty"
        if program in ("iTerm.app", "WezTerm") or environ.get("LC_TERMINAL") == "iTerm2":
            return "iterm2"
    takes_sixels = "4" in attributes.lstrip("\x1b[?").rstrip("c").split(";")[1:]
    return "sixel" if takes_sixels or term.startswith(("mlterm", "foot", "yaft")) else None


def terminal_form() -> Form | None:
    """What the process's own terminal takes; None where nobody sits there."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()) or os.environ.get("TERM", "dumb") == "dumb":
        return None
    return form_of(os.environ) or form_of(os.environ, _asked())


def _asked() -> str:
    """What the terminal says that it is; "" where it does not answer."""
    import termios
    import tty

    answer, descriptor = "", sys.stdin.fileno()
    before = termios.tcgetattr(descriptor)
    try:
        tty.setcbreak(descriptor)
        sys.stdout.write("\x1b[c")
        sys.stdout.flush()
        while not answer.endswith("c") and select.select([descriptor], [], [], _ANSWER_SECONDS)[0]:
            answer += os.read(descriptor, 64).decode("ascii", "replace")
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)
    return answer


def drawn(media: Media, form: Form) -> str:
    """What has a terminal that takes ``form`` draw the image."""
    if form == "kitty":
        return _as_kitty(media.data)
    if form == "iterm2":
        return f"\x1b]1337;File=inline=1;size={len(media.data)}:{base64.b64encode(media.data).decode()}\x07"
    return _as_sixels(media)


def _as_kitty(png: bytes) -> str:
    data = base64.b64encode(png).decode()
    chunks = [data[i : i + _CHUNK] for i in range(0, len(data), _CHUNK)]
    last = len(chunks) - 1
    heads = [("a=T,f=100," if i == 0 else "") + f"m={int(i < last)}" for i in range(len(chunks))]
    return "".join(f"\x1b_G{head};{chunk}\x1b\\" for head, chunk in zip(heads, chunks, strict=True))


def _as_sixels(media: Media) -> str:
    from PIL import Image

    with Image.open(io.BytesIO(media.data)) as opened:
        image = opened.convert("RGB")
    image.thumbnail((_MAX_SIXELS, _MAX_SIXELS))
    flat = image.quantize(_COLORS)
    width, height = flat.size
    levels = list(flat.getpalette() or [])
    colors = [levels[i : i + 3] for i in range(0, len(levels), 3)]
    palette = "".join(
        f"#{i};2;{';'.join(str(level * 100 // 255) for level in color)}" for i, color in enumerate(colors)
    )
    pixels = np.asarray(flat)
    bands = (_band(pixels[top : top + 6]) for top in range(0, height, 6))
    return f'\x1bP0;1q"1;1;{width};{height}{palette}{"-".join(bands)}\x1b\\'


def _band(rows_HW: np.ndarray[Any, Any]) -> str:
    """Six rows: each color once over the whole width, one after the other on the same line."""
    weights_H1 = (1 << np.arange(len(rows_HW)))[:, None]
    return "$".join(
        f"#{color}{_packed(((rows_HW == color) * weights_H1).sum(0).tolist())}" for color in np.unique(rows_HW).tolist()
    )


def _packed(bits: list[int]) -> str:
    """Sixels, runs of more than three as their number."""
    runs = ((chr(63 + bit), sum(1 for _ in same)) for bit, same in itertools.groupby(bits))
    return "".join(f"!{num}{sixel}" if num > 3 else sixel * num for sixel, num in runs)


def saved(media: Media, directory: Path | None = None) -> Path:
    """Where the image now is as a file; it is called by its digest, and written once.

    Raises UserError where the disk refuses.
    """
    folder = directory or Path(tempfile.gettempdir()) / "agentgym-pictures"
    file = folder / f"{media.digest}.png"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not file.exists():
            file.write_bytes(media.data)
    except OSError as error:
        raise UserError(f"cannot write the picture {file}: {error.strerror}; make room there") from None
    return file
