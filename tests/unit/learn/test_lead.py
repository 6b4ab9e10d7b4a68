"""What rank 0 tells the others, and what it does not."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from agentgym.learn.distributed import World
from agentgym.learn.lead import Channel, give_up, led_by, telling
from tests.kit import one_thread
from tests.ranks import in_ranks

__all__ = ["one_thread"]


class Heard(Channel):
    """Keeps what is sent."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[tuple[str, Mapping[str, Any]]] = []

    def send(self, command: str, facts: Mapping[str, Any], files: Mapping[str, bytes]) -> None:
        self.sent.append((command, facts))


def test_what_is_done_within_is_not_told_again() -> None:
    channel = Heard()
    with led_by(channel):
        with telling("study", lambda: {"update": 3}), telling("weights"):
            pass
        with pytest.raises(KeyError), telling("save"):
            raise KeyError
        with telling("end"):
            pass
        give_up()
        with telling("close"):
            pass
    with telling("weights"):
        pass
    assert channel.sent == [("study", {"update": 3}), ("save", {}), ("end", {})]


def test_where_nobody_follows_nothing_is_even_asked() -> None:
    def asked() -> dict[str, Any]:
        raise AssertionError

    with telling("study", asked, asked):
        pass


FILES = {"a": b"\x00\xff", "empty": b"", "b": bytes(range(256))}


def _spoken(world: World) -> list[Any]:
    channel = Channel()
    if world.is_first:
        channel.send("begin", {"é": [1.5, None]}, FILES)
        channel.send("end", {}, {})
        return []
    one, two = channel.receive(), channel.receive()
    assert one.files == FILES
    return [one.command, one.facts, two.command, two.facts, list(two.files)]


def test_all_others_hear_the_same(tmp_path: Path) -> None:
    first, *others = in_ranks(_spoken, tmp_path, 3)
    assert first == []
    assert others == [["begin", {"é": [1.5, None]}, "end", {}, []]] * 2
