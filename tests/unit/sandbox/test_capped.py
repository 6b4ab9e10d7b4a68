"""What is kept of an output that is longer than the limit: its beginning, its end, and a line between them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentgym.sandbox.inside.capped import Capped


def text_of(pieces: list[bytes], limit: int) -> Capped:
    capped = Capped(limit)
    for piece in pieces:
        capped.add(piece)
    return capped


@pytest.mark.parametrize(
    ("pieces", "kept", "left_out"),
    [
        ([], b"", 0),
        ([b"abcdef"], b"abcdef", 0),
        ([b"abcdefg"], b"abc\n[... 1 bytes left out ...]\nefg", 1),
        ([b"a", b"bc", b"d", b"efghij"], b"abc\n[... 4 bytes left out ...]\nhij", 4),
    ],
)
def test_the_middle_is_left_out(pieces: list[bytes], kept: bytes, left_out: int) -> None:
    capped = text_of(pieces, 6)
    assert (capped.text, capped.left_out) == (kept, left_out)


@given(st.lists(st.binary(max_size=90_000), max_size=5), st.integers(1, 400).map(lambda half: 2 * half))
def test_it_is_the_same_however_it_comes(pieces: list[bytes], limit: int) -> None:
    whole, capped = b"".join(pieces), text_of(pieces, limit)
    if len(whole) <= limit:
        assert capped.text == whole
    else:
        mark = f"\n[... {len(whole) - limit} bytes left out ...]\n".encode()
        assert capped.text == whole[: limit // 2] + mark + whole[-limit // 2 :]


def test_what_is_held_is_bounded() -> None:
    capped = Capped(100)
    for _ in range(1000):
        capped.add(b"x" * 65_536)
    assert len(capped._last) + len(capped._first) < 200_000
