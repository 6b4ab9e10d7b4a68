"""Requests to a server: how long is waited before one is sent again, which are, and how many are under way."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from agentgym.actors.openai import capped
from agentgym.actors.openai import client as module
from agentgym.actors.openai.client import BadStatus, Client, NoAnswer, Unreachable
from agentgym.errors import EngineError
from tests.kit import until
from tests.openai_server import FakeServer, Fault
from tests.unit.actors.kit import one_loop, run

pytest.importorskip("openai", reason="needs the extra openai")

__all__ = ["one_loop"]


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeServer]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with FakeServer() as server:
        yield server


@pytest.fixture
def connect(server: FakeServer) -> Iterator[Callable[..., Client]]:
    made: list[Client] = []

    def connected(**changes: Any) -> Client:
        options: dict[str, Any] = {"api_key": "key", "timeout": 60.0, "max_retries": 3, "max_requests": 8}
        made.append(Client(server.url, **{**options, **changes}))
        return made[-1]

    yield connected
    for client in made:
        run(client.close)


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What is slept, which takes no time."""
    slept: list[float] = []
    sleep = asyncio.sleep

    async def noted(seconds: float) -> None:
        if seconds:
            slept.append(seconds)
        await sleep(0)

    monkeypatch.setattr(asyncio, "sleep", noted)
    return slept


def failing(times: int, **fault: Any) -> Callable[[Any], Fault | None]:
    return lambda asked: Fault(**fault) if asked.attempt < times else None


BODY = {"model": "tiny", "prompt": [1, 2], "max_tokens": 1, "temperature": 1.0}


@pytest.mark.parametrize(
    ("header", "wait"),
    [("7.5", 7.5), ("29.9", 29.9), ("30", 30.0), ("31", 30.0), ("3600", 30.0)],
)
def test_it_waits_as_long_as_the_server_asks_and_half_a_minute_at_most(
    server: FakeServer, connect: Callable[..., Client], waits: list[float], header: str, wait: float
) -> None:
    server.fault = failing(1, status=429, headers={"retry-after": header})
    run(lambda: connect().post("/completions", BODY))
    assert waits == [wait]


@pytest.mark.parametrize("header", ["-5", "soon", "Wed, 21 Oct 2026 07:28:00 GMT", "0.01"])
def test_it_waits_twice_as_long_each_time_where_the_server_asks_for_less(
    server: FakeServer, connect: Callable[..., Client], waits: list[float], header: str
) -> None:
    """Between half of and all of 1/2, 1 and 2 seconds."""
    client = connect()
    server.fault = failing(3, status=503, headers={"retry-after": header})
    run(lambda: client.post("/completions", BODY))
    assert [0.25 <= waits[0] <= 0.5, 0.5 <= waits[1] <= 1.0, 1.0 <= waits[2] <= 2.0] == [True] * 3
    assert len(waits) == client.num_retries == 3
    assert len({wait / 2**i for i, wait in enumerate(waits)}) == 3  # not all at the same moment


def test_a_wait_is_half_a_minute_at_most_however_often_it_failed(
    server: FakeServer, connect: Callable[..., Client], waits: list[float]
) -> None:
    server.fault = failing(9, drop="before")
    run(lambda: connect(max_retries=9).get("/models"))
    assert waits[-2:] == [30.0, 30.0]  # 32 and 64 seconds, or the upper half of it


@pytest.mark.parametrize("retries", [0, 2])
def test_after_the_last_attempt_the_failure_is_told(
    server: FakeServer, connect: Callable[..., Client], waits: list[float], retries: int
) -> None:
    client = connect(max_retries=retries)
    server.fault = failing(9, status=500)
    with pytest.raises(BadStatus, match="the server answered /completions with 500: scripted") as told:
        run(lambda: client.post("/completions", BODY))
    assert (told.value.status, told.value.said) == (500, "scripted")
    assert len(server.asked) == retries + 1
    assert len(waits) == client.num_retries == retries


def test_a_command_that_was_answered_is_final_and_one_that_was_not_is_sent_again(
    server: FakeServer, connect: Callable[..., Client], waits: list[float]
) -> None:
    client = connect()
    server.fault = failing(1, status=503)
    with pytest.raises(BadStatus, match=r"answered .*/resume with 503"):
        run(lambda: client.command(f"{client.root}/resume"))
    assert len(server.asked) == 1
    server.forget()
    server.fault = failing(1, drop="before")
    assert "resumed" in run(lambda: client.command(f"{client.root}/resume"))
    assert [asked.body for asked in server.asked] == [{}, {}]
    assert len(waits) == 1


def test_no_answer_in_time_is_not_asked_for_again(server: FakeServer, connect: Callable[..., Client]) -> None:
    client = connect(timeout=0.3)
    server.fault = lambda asked: Fault(delay=60)
    with pytest.raises(NoAnswer, match=r"gave no answer to /completions in 0\.3 s; a longer time is --engine\.timeout"):
        run(lambda: client.post("/completions", BODY))
    assert client.num_retries == 0


def test_a_refused_connection_is_told_from_no_answer_and_tried_again(waits: list[float]) -> None:
    client = Client("http://127.0.0.1:9/v1", api_key="k", timeout=60.0, max_retries=2, max_requests=1)
    with pytest.raises(Unreachable, match=r"no connection to http://127\.0\.0\.1:9/v1: Connect"):
        run(lambda: client.get("/models"))
    assert len(waits) == client.num_retries == 2
    run(client.close)


def test_a_long_refusal_is_cut_and_one_that_is_no_json_is_told_as_it_is(
    server: FakeServer, connect: Callable[..., Client]
) -> None:
    client = connect()
    for body, said in (("x" * 600, "x" * 500), ('{"error": {"message": "full"}}', "full"), ("null", "nothing")):
        refusal = Fault(status=400, body=body)
        server.fault = lambda asked, refusal=refusal: refusal  # type: ignore[misc]
        with pytest.raises(BadStatus) as told:
            run(lambda: client.post("/completions", BODY))
        assert told.value.said == said


def test_completions_stand_in_line_and_other_requests_do_not(
    server: FakeServer, connect: Callable[..., Client]
) -> None:
    client = connect(max_requests=3)

    async def main() -> None:
        await client.command(f"{client.root}/pause?mode=keep")  # completions are held now
        await until(lambda: server.num_in_flight == 0)
        before = len(server.asked)
        held = [asyncio.create_task(client.post("/completions", {**BODY, "prompt": [i]})) for i in range(5)]
        await until(lambda: server.num_in_flight == 3)
        assert "tiny" in await client.get("/models")
        assert len(server.asked) - before == 3 + 1
        held[0].cancel()  # which lets the next one go
        await until(lambda: len(server.bodies("/v1/completions")) == 4)
        await client.command(f"{client.root}/resume")
        await asyncio.gather(*held[1:])
        assert server.max_in_flight == 3 + 1

    run(main)


def test_closing_cancels_what_is_under_way_waits_for_it_and_refuses_the_rest(
    server: FakeServer, connect: Callable[..., Client]
) -> None:
    client = connect(max_requests=1)

    async def main() -> None:
        await client.command(f"{client.root}/pause?mode=keep")
        before = asyncio.all_tasks()
        held = [asyncio.create_task(client.post("/completions", {**BODY, "prompt": [i]})) for i in range(2)]
        await until(lambda: len(server.bodies("/v1/completions")) == 1)
        await client.close()
        assert asyncio.all_tasks() - before <= set(held)
        told = await asyncio.gather(*held, return_exceptions=True)
        assert [type(one) for one in told] == [asyncio.CancelledError] * 2
        for late in (client.get("/models"), client.post("/completions", BODY), client.command("/resume")):
            with pytest.raises(EngineError, match="the engine is closed"):
                await late

    run(main)
    run(lambda: until(lambda: server.num_abandoned == 1))


def test_the_address_is_taken_with_and_without_a_stroke_at_its_end(connect: Callable[..., Client]) -> None:
    for address, root in (("http://a/v1/", "http://a"), ("http://a/v1", "http://a"), ("http://a/b", "http://a/b")):
        client = Client(address, api_key="k", timeout=1.0, max_retries=0, max_requests=1)
        assert (client.base_url, client.root) == (address.rstrip("/"), root)
        run(client.close)


def test_a_machine_that_is_there_answers_at_once(connect: Callable[..., Client]) -> None:
    assert module.CONNECT_TIMEOUT == 10.0


def test_an_answer_has_an_end(
    server: FakeServer, connect: Callable[..., Client], waits: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(capped, "MAX_BYTES", 2**20)
    client = connect()
    server.fault = lambda asked: Fault(body="x" * 2**20)
    assert run(lambda: client.get("/models")) == "x" * 2**20
    for status in (200, 400):
        server.fault = lambda asked, status=status: Fault(status=status, body="x" * (2**20 + 1))  # type: ignore[misc]
        with pytest.raises(EngineError, match=r"to /models is not read: it is longer than 1 MiB; look at") as raised:
            run(lambda: client.get("/models"))
        assert not isinstance(raised.value, NoAnswer | BadStatus)
    assert waits == [], "it would be as long the next time"


def test_an_answer_that_is_packed_is_as_long_as_it_is_unpacked(
    connect: Callable[..., Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A thousandth of it would pass."""
    packed = gzip.compress(bytes(2**24))
    assert len(packed) < 2**15

    async def main() -> str:
        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            head = f"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: {len(packed)}\r\n\r\n"
            writer.write(head.encode() + packed)
            await writer.drain()

        async with await asyncio.start_server(answer, "127.0.0.1", 0) as served:
            port = served.sockets[0].getsockname()[1]
            options: dict[str, Any] = {"api_key": "key", "timeout": 60.0, "max_retries": 0, "max_requests": 1}
            client = Client(f"http://127.0.0.1:{port}/v1", **options)
            try:
                return await client.get("/models")
            finally:
                await client.close()

    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    assert run(main) == "\0" * 2**24
    monkeypatch.setattr(capped, "MAX_BYTES", 2**20)
    with pytest.raises(EngineError, match="it is longer than 1 MiB"):
        run(main)
