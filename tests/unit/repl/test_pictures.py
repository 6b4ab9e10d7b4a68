"""Images at a terminal: which form it takes, and what is written in each."""

from __future__ import annotations

import base64
import io
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from agentgym.errors import UserError
from agentgym.media import as_media
from agentgym.repl.pictures import drawn, form_of, saved
from agentgym.repl.screen import Screen

PIXELS = np.zeros((13, 20, 3), np.uint8)
PIXELS[:7, :10] = (255, 0, 0)
PIXELS[7:, 10:] = (0, 0, 255)
PICTURE = as_media(PIXELS)


@pytest.mark.parametrize(
    ("environ", "attributes", "form"),
    [
        ({"TERM": "xterm-kitty"}, "", "kitty"),
        ({"TERM": "xterm", "KITTY_WINDOW_ID": "1"}, "", "kitty"),
        ({"TERM": "xterm-ghostty"}, "", "kitty"),
        ({"TERM": "xterm", "TERM_PROGRAM": "iTerm.app"}, "", "iterm2"),
        ({"TERM": "xterm", "TERM_PROGRAM": "WezTerm"}, "", "iterm2"),
        ({"TERM": "xterm", "LC_TERMINAL": "iTerm2"}, "", "iterm2"),
        ({"TERM": "foot"}, "", "sixel"),
        ({"TERM": "xterm"}, "\x1b[?62;4;22c", "sixel"),
        ({"TERM": "xterm"}, "\x1b[?62;22c", None),
        ({"TERM": "xterm"}, "\x1b[?4c", None),  # a VT132, not one that has attribute 4
        ({"TERM": "xterm"}, "", None),
        ({}, "", None),
        ({"TERM": "tmux-256color", "TMUX": "x", "KITTY_WINDOW_ID": "1"}, "", None),
        ({"TERM": "screen", "TERM_PROGRAM": "iTerm.app"}, "", None),
        ({"TERM": "tmux", "TMUX": "x"}, "\x1b[?1;2;4c", "sixel"),
    ],
)
def test_what_a_terminal_takes(environ: dict[str, str], attributes: str, form: str | None) -> None:
    assert form_of(environ, attributes) == form


def test_kitty_is_given_the_png_in_chunks() -> None:
    noise = as_media(np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8))
    chunks = re.findall(r"\x1b_G(.*?);(.*?)\x1b\\", drawn(noise, "kitty"))
    assert [head for head, _ in chunks] == ["a=T,f=100,m=1", *["m=1"] * (len(chunks) - 2), "m=0"]
    assert len(chunks) > 2
    assert all(len(data) <= 4096 for _, data in chunks)
    assert base64.b64decode("".join(data for _, data in chunks)) == noise.data
    assert drawn(PICTURE, "kitty").startswith("\x1b_Ga=T,f=100,m=0;")


def test_iterm2_is_given_the_png_with_its_size() -> None:
    found = re.fullmatch(r"\x1b\]1337;File=inline=1;size=(\d+):(.*)\x07", drawn(PICTURE, "iterm2"))
    assert found is not None
    assert (int(found[1]), base64.b64decode(found[2])) == (len(PICTURE.data), PICTURE.data)


def decoded(sixels: str) -> np.ndarray:
    """The pixels that a terminal would show."""
    found = re.fullmatch(r'\x1bP0;1q"1;1;(\d+);(\d+)(.*)\x1b\\', sixels, re.DOTALL)
    assert found is not None
    width, height, rest = int(found[1]), int(found[2]), found[3]
    colors, pixels = {}, np.zeros((height + 6, width, 3), np.uint8)
    x = y = color = 0
    for token in re.findall(r"#\d+(?:;2;\d+;\d+;\d+)?|!\d+.|[-$]|[?-~]", rest):
        if token.startswith("#"):
            number, *levels = map(int, token[1:].split(";"))
            color = number
            if levels:
                colors[number] = [round(level * 2.55) for level in levels[1:]]
        elif token == "-":
            x, y = 0, y + 6
        elif token == "$":
            x = 0
        else:
            num, bits = (int(token[1:-1]), ord(token[-1]) - 63) if token[0] == "!" else (1, ord(token) - 63)
            for row in range(6):
                if bits >> row & 1:
                    pixels[y + row, x : x + num] = colors[color]
            x += num
    return pixels[:height]


def test_sixels_show_the_picture() -> None:
    assert np.array_equal(decoded(drawn(PICTURE, "sixel")), PIXELS)
    large = as_media(Image.new("RGB", (1600, 30), (0, 255, 0)))
    seen = decoded(drawn(large, "sixel"))
    assert seen.shape == (15, 800, 3)
    assert (seen == (0, 255, 0)).all()


def test_a_picture_is_saved_by_its_digest_once(tmp_path: Path) -> None:
    file = saved(PICTURE, tmp_path / "new")
    assert file == tmp_path / "new" / f"{PICTURE.digest}.png"
    assert file.read_bytes() == PICTURE.data
    before = file.stat().st_mtime_ns
    assert saved(PICTURE, tmp_path / "new") == file
    assert file.stat().st_mtime_ns == before
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="cannot write the picture"):
        saved(PICTURE, tmp_path / "file")


def test_the_screen_draws_where_it_can_and_names_a_file_elsewhere(tmp_path: Path) -> None:
    out = io.StringIO()
    console = Console(file=out, width=200)
    Screen(console, form="iterm2").pictures([PICTURE])
    assert out.getvalue() == drawn(PICTURE, "iterm2") + "\n"
    out.truncate(0)
    out.seek(0)
    Screen(console, folder=tmp_path).pictures([PICTURE])
    assert out.getvalue().replace("\n", "") == f"picture: {tmp_path / PICTURE.digest}.png"
    assert (tmp_path / f"{PICTURE.digest}.png").is_file()
