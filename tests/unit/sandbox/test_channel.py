"""What a channel takes for an answer, and what for its end."""

from __future__ import annotations

import errno
import json
from typing import Any

import pytest

from agentgym.sandbox.channel import Channel, Lost
from agentgym.sandbox.inside import source
from agentgym.sandbox.inside.frames import LENGTHS, packed


class Played:
    """A stream whose other end says what it is told to of each request's head."""

    def __init__(self, *answers: Any) -> None:
        self._answers, self._buffer, self.sent, self.is_closed = list(answers), b"", list[bytes](), False

    def send(self, data: bytes, deadline: float) -> None:
        self.sent.append(data)
        if data == source():
            return
        length = LENGTHS.unpack(data[:8])[0]
        head = json.loads(data[8 : 8 + length])
        answer = self._answers.pop(0)
        self._buffer += answer(head) if callable(answer) else answer

    def receive(self, size: int, deadline: float) -> bytes:
        if len(self._buffer) < size:
            raise Lost("it has ended")
        taken, self._buffer = self._buffer[:size], self._buffer[size:]
        return taken

    def close(self) -> None:
        self.is_closed = True


def plain(head: dict[str, Any], **more: Any) -> bytes:
    return packed({"id": head["id"], "word": head["word"], **more}, b"body")


def test_an_answer_has_a_head_and_a_body() -> None:
    channel = Channel(Played(lambda head: plain(head, x=1)), max_body=10)
    head, body = channel.ask("ping", seconds=1)
    assert (head["x"], body) == (1, b"body")


@pytest.mark.parametrize(
    "answer",
    [
        lambda head: plain({**head, "word": "0" * 32}),
        lambda head: plain({**head, "id": head["id"] + 1}),
        lambda head: packed({"id": head["id"]}),
        lambda head: packed({"id": head["id"], "word": head["word"]}, b"x" * 11),
        LENGTHS.pack(2, 0) + b"[]",
        LENGTHS.pack(2, 0) + b"\xff\xff",
        LENGTHS.pack(1 << 31, 0),
        b"garbage!" * 4,
        b"",
    ],
)
def test_anything_else_is_the_end(answer: Any) -> None:
    with pytest.raises(Lost):
        Channel(Played(answer), max_body=10).ask("ping", seconds=1)


def test_an_error_of_the_kernel_s_comes_through() -> None:
    channel = Channel(Played(lambda head: packed({**head, "errno": errno.ENOENT, "path": "/work/a"})), max_body=10)
    with pytest.raises(FileNotFoundError, match="/work/a"):
        channel.ask("read", seconds=1)


def test_each_channel_has_a_word_of_its_own() -> None:
    heads: list[dict[str, Any]] = []

    def answered(head: dict[str, Any]) -> bytes:
        heads.append(head)
        return plain(head)

    for _ in range(2):
        Channel(Played(answered), max_body=10).ask("ping", seconds=1)
    assert len({head["word"] for head in heads}) == 2
    assert all(len(head["word"]) == 32 for head in heads)
