"""Packets come out as they went in, however the stream is cut; what JSON cannot say is named."""

from __future__ import annotations

import itertools
import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentgym.errors import EnvError
from agentgym.hosts.processes.frames import Frames, Packet, framed

TEXT = st.text(st.characters(exclude_categories=[]))  # lone surrogates and NUL too
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)
PACKETS = st.lists(st.builds(Packet, st.dictionaries(TEXT, VALUES, max_size=3), st.binary(max_size=40)), max_size=4)


def received(chunks: list[bytes]) -> list[tuple[dict[str, Any], bytes]]:
    frames = Frames()
    return [(packet.head, bytes(packet.attached)) for chunk in chunks for packet in frames.feed(chunk)]


@given(packets=PACKETS, data=st.data())
def test_packets_come_out_however_they_are_cut(packets: list[Packet], data: st.DataObject) -> None:
    stream = b"".join(map(framed, packets))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    chunks = [stream[i:j] for i, j in itertools.pairwise([0, *cuts, len(stream)])]
    assert received(chunks) == [(packet.head, packet.attached) for packet in packets]


def test_every_cut_of_a_short_stream() -> None:
    packets = [Packet({"a": "é"}, b"\x00\xff"), Packet({})]
    stream = b"".join(map(framed, packets))
    for cut in range(len(stream) + 1):
        assert received([stream[:cut], stream[cut:]]) == [({"a": "é"}, b"\x00\xff"), ({}, b"")]


def test_the_bytes_of_a_frame() -> None:
    assert framed(Packet({"a": 1}, b"xy")) == b"\x00\x00\x00\x07\x00\x00\x00\x02" + b'{"a":1}' + b"xy"


def test_a_long_packet_is_wanted_in_long_pieces() -> None:
    stream = framed(Packet({}, bytes(5_000_000)))
    frames = Frames()
    assert frames.wanted == 1 << 16
    assert list(frames.feed(stream[:1000])) == []
    assert frames.wanted == 1 << 20
    assert list(frames.feed(stream[1000:-100_000])) == []
    assert frames.wanted == 100_000
    assert [len(packet.attached) for packet in frames.feed(stream[-100_000:])] == [5_000_000]
    assert frames.wanted == 1 << 16


def test_numbers_of_numpy_are_numbers() -> None:
    head = {"b": np.bool_(True), "i": np.int16(-3), "f": np.float32(0.5), "s": np.str_("x"), "t": (1, 2), "k": {1: 2}}
    assert received([framed(Packet(head))])[0][0] == {
        "b": True,
        "i": -3,
        "f": 0.5,
        "s": "x",
        "t": [1, 2],
        "k": {"1": 2},
    }


@pytest.mark.parametrize(
    ("value", "named"),
    [
        (object(), r"^info\['x'\] is object <object"),
        ([0, {"y": {1}}], r"^info\['x'\]\[1\]\['y'\] is set \{1\}, which cannot leave its process"),
        ({(1,): 2}, r"^info\['x'\] is dict \{\(1,\): 2\}"),
        ((1, b"z"), r"^info\['x'\]\[1\] is bytes b'z'"),
        ([10**5000], r"^info\['x'\]\[0\] is int \[which"),
    ],
)
def test_what_json_cannot_say_is_named(value: object, named: str) -> None:
    with pytest.raises(EnvError, match=named) as error:
        framed(Packet({"call": "x", "info": {"a": 1, "x": value}}))
    assert len(str(error.value)) < 400


def test_values_too_deep_and_circular_are_refused() -> None:
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    circle: dict[str, Any] = {}
    circle["me"] = circle
    for value in (deep, circle):
        with pytest.raises(EnvError, match="info"):
            framed(Packet({"info": value}))


@pytest.mark.parametrize("data", [b"\xff" * 8, b"printed by mistake", b"\x00\x00\x00\x02\x00\x00\x00\x00{]"])
def test_what_is_no_packet_is_refused(data: bytes) -> None:
    with pytest.raises(EnvError, match="what came"):
        list(Frames().feed(data))


def test_json_that_is_no_object_is_refused() -> None:
    with pytest.raises(EnvError, match=r"what came is \[1\], expected an object of JSON"):
        list(Frames().feed(b"\x00\x00\x00\x03\x00\x00\x00\x00[1]"))


def test_json_of_a_packet_is_json() -> None:
    assert json.loads(framed(Packet({"a": [1, "é"]}))[8:]) == {"a": [1, "é"]}
