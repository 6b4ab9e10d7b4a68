"""What rank 0 of a run tells the other ranks before it does what takes all of them.

Rank 0 is the whole run: it plays, measures, writes and decides. What it does with weights that others have a part of,
or with rows that they compute a share of, they must do at the same time; so it tells them first. What is done within
that is not told again. Where nobody follows nothing is sent.

A message is JSON, and bytes by name beside it; nothing is pickled.
"""

from __future__ import annotations

import contextlib
import contextvars
import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple, TypeAlias

import torch
from torch import distributed

__all__ = ["Channel", "Message", "give_up", "led_by", "telling"]

Facts: TypeAlias = Mapping[str, Any]


class Message(NamedTuple):
    """A command, what goes with it as JSON, and bytes by name."""

    command: str
    facts: dict[str, Any]
    files: dict[str, bytes]


class Channel:
    """From rank 0 to all others, in ``group``: one of gloo's, which waits as long as rank 0 has nothing to tell."""

    def __init__(self, group: Any = None) -> None:
        self.group = group

    def send(self, command: str, facts: Facts, files: Mapping[str, bytes]) -> None:
        """Called by rank 0."""
        sizes = {name: len(content) for name, content in files.items()}
        text = json.dumps({"command": command, "facts": facts, "files": sizes}).encode()
        self._broadcast(torch.tensor([len(text), sum(sizes.values())]))
        self._broadcast(torch.frombuffer(bytearray(b"".join([text, *files.values()])), dtype=torch.uint8))

    def receive(self) -> Message:
        """What rank 0 sends next; called by all others."""
        text_size, size = self._broadcast(torch.zeros(2, dtype=torch.int64)).tolist()
        content = self._broadcast(torch.empty(text_size + size, dtype=torch.uint8)).numpy().tobytes()
        told, at, files = json.loads(content[:text_size]), text_size, {}
        for name, length in told["files"].items():
            files[name] = content[at : at + length]
            at += length
        return Message(told["command"], told["facts"], files)

    def _broadcast(self, values: torch.Tensor) -> torch.Tensor:
        distributed.broadcast(values, 0, group=self.group)
        return values


_channel: contextvars.ContextVar[Channel | None] = contextvars.ContextVar("channel", default=None)
"""To those who follow, as long as they wait to be told something."""


@contextlib.contextmanager
def led_by(channel: Channel) -> Iterator[None]:
    """While entered, others follow this process, and wait at the other end of ``channel``."""
    token = _channel.set(channel)
    try:
        yield
    finally:
        _channel.reset(token)


def give_up() -> None:
    """Nobody follows any more: nothing is told from here on."""
    _channel.set(None)


@contextlib.contextmanager
def telling(
    command: str, facts: Callable[[], Facts] = dict, files: Callable[[], Mapping[str, bytes]] = dict
) -> Iterator[None]:
    """Tell those who follow of ``command``, which they do while this is entered."""
    channel = _channel.get()
    if channel is None:
        yield
        return
    channel.send(command, facts(), files())
    token = _channel.set(None)
    try:
        yield
    finally:
        _channel.reset(token)
