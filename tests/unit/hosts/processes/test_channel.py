"""One end of a socket: what is sent arrives in order and whole, and its end is told once."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable

from agentgym.hosts.processes.channel import Channel, connected_pair
from agentgym.hosts.processes.frames import Frames, Packet, framed
from tests.kit import until
from tests.unit.hosts.kit import finishes


class Line:
    """A channel, what it was given and told, and the other end of its socket."""

    def __init__(self) -> None:
        ours, self.other = connected_pair()
        self.heard: list[int] = []
        self.ends = 0
        self.descriptor = ours.fileno()
        self.channel = Channel(ours, lambda packet: self.heard.append(packet.head["n"]), self.end)

    def end(self) -> None:
        self.ends += 1

    async def received(self) -> bytes:
        """What arrives at the other end next."""
        data = await asyncio.get_running_loop().sock_recv(self.other, 1 << 20)
        if not data:
            raise EOFError("the channel was closed")
        return data

    def say(self, *numbers: int) -> None:
        self.other.sendall(b"".join(framed(Packet({"n": number})) for number in numbers))


def on_a_line(go: Callable[[Line], Awaitable[None]]) -> None:
    async def run() -> None:
        line = Line()
        try:
            await go(line)
        finally:
            line.channel.close()
            line.other.close()

    finishes(run())


def test_packets_come_in_order_and_the_end_is_told_once() -> None:
    async def go(line: Line) -> None:
        line.say(1, 2)
        await until(lambda: line.heard == [1, 2])
        assert (line.channel.is_open, line.ends) == (True, 0)
        line.say(3)
        line.other.close()
        await until(lambda: line.ends > 0)
        assert (line.heard, line.channel.is_open) == ([1, 2, 3], False)
        line.channel.end()
        line.channel.close()
        assert line.ends == 1

    on_a_line(go)


def test_closing_says_nothing_and_lets_go_of_the_socket() -> None:
    async def go(line: Line) -> None:
        line.channel.close()
        assert (line.channel.is_open, line.ends) == (False, 0)
        assert line.other.recv(10) == b""
        line.channel.send(b"nothing")  # to nobody
        line.channel.drain()
        assert line.heard == []

    on_a_line(go)


def test_what_is_no_packet_ends_it() -> None:
    async def go(line: Line) -> None:
        line.say(1)
        await until(lambda: line.heard == [1])
        line.other.sendall(b"printed by mistake")
        await until(lambda: line.ends > 0)
        assert (line.heard, line.ends, line.channel.is_open) == ([1], 1, False)

    on_a_line(go)


def test_what_came_whole_before_what_is_no_packet_is_heard() -> None:
    async def go(line: Line) -> None:
        whole = b"".join(framed(Packet({"n": number})) for number in (1, 2))
        line.other.sendall(whole + b"printed by mistake")
        await until(lambda: line.ends > 0)
        assert (line.heard, line.ends, line.channel.is_open) == ([1, 2], 1, False)

    on_a_line(go)


def test_a_connection_that_is_reset_is_an_end() -> None:
    async def go(line: Line) -> None:
        line.channel.send(b"unread")
        line.other.close()  # with words unread: the system says so
        await until(lambda: line.ends > 0)
        assert line.ends == 1

    on_a_line(go)


def test_what_has_come_is_taken_in_at_once_when_it_is_drained() -> None:
    async def go(line: Line) -> None:
        line.say(1, 2)
        line.say(3)
        line.channel.drain()  # the loop did not run
        assert (line.heard, line.ends) == ([1, 2, 3], 0)
        line.say(4)
        line.other.close()
        line.channel.drain()
        assert (line.heard, line.ends) == ([1, 2, 3, 4], 1)

    on_a_line(go)


def test_more_than_the_system_holds_arrives_whole_and_in_order_while_the_loop_goes_on() -> None:
    async def go(line: Line) -> None:
        line.other.setblocking(False)
        for number in range(3):
            line.channel.send(framed(Packet({"n": number}, bytes(5_000_000))))
        frames, packets = Frames(), list[Packet]()
        while len(packets) < 3:
            packets += frames.feed(await line.received())
        assert [(packet.head["n"], len(packet.attached)) for packet in packets] == [
            (0, 5_000_000),
            (1, 5_000_000),
            (2, 5_000_000),
        ]
        line.channel.send(framed(Packet({"n": 3})))  # and what comes after it goes at once
        assert [packet.head["n"] for packet in frames.feed(line.other.recv(1 << 16))] == [3]

    on_a_line(go)


def is_open(sock: socket.socket) -> bool:
    return sock.fileno() != -1


def test_a_gift_goes_along_and_is_closed_here() -> None:
    async def go(line: Line) -> None:
        here, there = socket.socketpair()
        line.channel.send(b"take this", there)
        assert not is_open(there)
        data, [gift], _, _ = socket.recv_fds(line.other, 100, 4)
        os.write(gift, b"through it")
        os.close(gift)
        assert (data, here.recv(100), here.recv(100)) == (b"take this", b"through it", b"")
        here.close()

    on_a_line(go)


def test_a_gift_that_waits_goes_with_its_own_words() -> None:
    """Those before it are still on their way: it must not go with them, nor twice."""

    async def go(line: Line) -> None:
        line.other.setblocking(False)
        here, there = socket.socketpair()
        line.channel.send(bytes(9_000_000))
        line.channel.send(b"!", there)
        assert is_open(there)
        loop, received, gifts = asyncio.get_running_loop(), 0, list[int]()
        while received < 9_000_001:
            arrived: asyncio.Event = asyncio.Event()
            loop.add_reader(line.other, arrived.set)
            await arrived.wait()
            loop.remove_reader(line.other)
            data, more, _, _ = socket.recv_fds(line.other, 1 << 20, 4)
            assert data
            received += len(data)
            gifts += more
        assert len(gifts) == 1
        assert not is_open(there)
        os.close(gifts[0])
        here.close()

    on_a_line(go)


def test_a_gift_goes_with_the_first_of_a_long_message() -> None:
    async def go(line: Line) -> None:
        here, there = socket.socketpair()
        line.channel.send(framed(Packet({"n": 1}, bytes(5_000_000))), there)
        data, [gift], _, _ = socket.recv_fds(line.other, 1 << 20, 4)
        line.other.setblocking(False)
        frames, packets = Frames(), list[Packet]()
        packets += frames.feed(data)
        while not packets:
            packets += frames.feed(await line.received())
        assert len(packets[0].attached) == 5_000_000
        os.close(gift)
        assert here.recv(10) == b""
        here.close()

    on_a_line(go)


def test_a_gift_that_cannot_be_given_is_closed() -> None:
    async def go(line: Line) -> None:
        gifts = [socket.socketpair() for _ in range(3)]
        line.channel.send(bytes(9_000_000))
        line.channel.send(b"waits", gifts[0][1])
        line.channel.close()
        line.channel.send(b"too late", gifts[1][1])
        assert [is_open(there) for _, there in gifts[:2]] == [False, False]
        other = Line()
        other.other.close()
        other.channel.send(b"to nobody", gifts[2][1])
        assert not is_open(gifts[2][1])
        other.channel.close()
        for here, _ in gifts:
            here.close()

    on_a_line(go)


def test_who_hangs_up_still_hears() -> None:
    async def go(line: Line) -> None:
        line.channel.hang_up()
        assert line.other.recv(10) == b""
        line.say(5)
        await until(lambda: line.heard == [5])
        assert line.channel.is_open
        line.other.close()
        await until(lambda: line.ends == 1)

    on_a_line(go)


def test_hanging_up_on_who_is_gone_is_fine() -> None:
    async def go(line: Line) -> None:
        line.other.close()
        line.channel.hang_up()
        line.channel.hang_up()

    on_a_line(go)


def test_the_loop_watches_nothing_of_a_closed_one() -> None:
    async def go(line: Line) -> None:
        line.channel.send(bytes(9_000_000))  # it waits for room
        line.channel.close()
        loop = asyncio.get_running_loop()
        assert not loop.remove_reader(line.descriptor)
        assert not loop.remove_writer(line.descriptor)

    on_a_line(go)


def test_the_loop_waits_for_room_only_while_something_waits() -> None:
    """A watcher that is left would wake the loop without end."""

    async def go(line: Line) -> None:
        line.other.setblocking(False)
        line.channel.send(bytes(9_000_000))
        loop, received = asyncio.get_running_loop(), 0
        while received < 9_000_000:
            received += len(await line.received())
        assert not loop.remove_writer(line.descriptor)

    on_a_line(go)
