"""Who may ask a server: what a web page sends, who knows the token, and how long a request may be."""

from __future__ import annotations

import asyncio
import base64
import json
import socket
from typing import Any

import pytest

from agentgym.environments.openenv.guard import MAX_BODY, guarded, is_local, names_of


class Asked:
    """An application that reads its request, and what came back."""

    def __init__(self, **how: Any) -> None:
        self.read: list[bytes] = []
        self.sent: list[dict[str, Any]] = []
        self.app = guarded(self.answer, **how)

    async def answer(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            body, more = b"", True
            while more:
                message = await receive()
                body, more = body + message["body"], message["more_body"]
            self.read.append(body)
            await send({"type": "http.response.start", "status": 200, "headers": []})
        else:
            self.read.append(scope["type"].encode())

    def __call__(self, host: str, *parts: bytes, kind: str = "http", **headers: str) -> int:
        """The status; of a connection 101, or the code it is closed with."""
        named = {"host": host, **{name.replace("_", "-"): value for name, value in headers.items()}}
        scope = {"type": kind, "headers": [(name.encode(), value.encode("latin-1")) for name, value in named.items()]}
        messages = [{"type": "http.request", "body": part, "more_body": True} for part in parts]
        rest = iter([*messages, {"type": "http.request", "body": b"", "more_body": False}])

        async def receive() -> Any:
            return next(rest)

        async def send(message: Any) -> None:
            self.sent.append(message)

        self.sent.clear()
        asyncio.run(self.app(scope, receive, send))
        if kind == "http":
            return int(self.sent[0]["status"])
        return int(self.sent[0]["code"]) if self.sent else 101

    @property
    def told(self) -> str:
        return str(json.loads(self.sent[-1]["body"])["detail"])


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:8000", 200),
        ("localhost:8000", 200),
        ("LOCALHOST", 200),
        ("box.localhost", 200),
        ("[::1]:8000", 200),
        ("192.0.2.7:8000", 200),  # an address is nobody's page
        ("mine.example:8000", 200),
        ("Mine.Example", 200),
        ("evil.example", 403),
        ("evil.example:8000", 403),
        ("localhost.evil.example", 403),
        ("127.0.0.1.evil.example", 403),
        ("evil.example@127.0.0.1", 200),  # what is before the @ is no host
        ("127.0.0.1@evil.example", 403),
        ("", 403),
        ("[::1", 403),
    ],
)
def test_a_name_that_was_pointed_at_this_machine_is_refused(host: str, status: int) -> None:
    asked = Asked(hosts=["mine.example"])
    assert asked(host) == status
    assert asked(host, kind="websocket") == {200: 101, 403: 1008}[status]
    assert len(asked.read) == (2 if status == 200 else 0)


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        ("http://localhost:8000", 200),
        ("https://LOCALHOST:8000", 200),
        ("http://localhost:8001", 403),
        ("http://localhost", 403),
        ("http://evil.example", 403),
        ("http://localhost:8000.evil.example", 403),
        ("null", 403),
        ("http://[", 403),  # no address at all
        ("", 403),
    ],
)
def test_the_page_of_another_site_is_refused(origin: str, status: int) -> None:
    asked = Asked()
    assert asked("localhost:8000", origin=origin) == status
    assert asked("localhost:8000", origin=origin, kind="websocket") == {200: 101, 403: 1008}[status]


def basic(text: bytes) -> str:
    return f"Basic {base64.b64encode(text).decode()}"


@pytest.mark.parametrize(
    ("authorization", "status"),
    [
        ("Bearer secret", 200),
        ("bearer  secret ", 200),
        (basic(b":secret"), 200),
        (basic(b"anybody:secret"), 200),
        ("", 401),
        ("secret", 401),
        ("Bearer", 401),
        ("Bearer secre", 401),
        ("Bearer secret2", 401),
        ("Bearer s\xe9cret", 401),
        (basic(b"secret:"), 401),
        (basic(b"\xff"), 401),
        ("Basic !", 401),
        ("Digest secret", 401),
    ],
)
def test_where_there_is_a_token_it_is_asked_for(authorization: str, status: int) -> None:
    asked = Asked(token="secret")
    assert asked("localhost", authorization=authorization) == status
    assert asked("localhost", authorization=authorization, kind="websocket") == {200: 101, 401: 1008}[status]
    assert Asked()("localhost", authorization=authorization) == 200


def test_a_refusal_says_what_to_do() -> None:
    asked = Asked(token="secret")
    asked("evil.example")
    assert asked.told == (
        'the request is for the host "evil.example"; where that is this server, start it with --allow-host NAME'
    )
    asked("localhost")
    assert asked.told == "this server asks for a token; send the header: Authorization: Bearer TOKEN"
    assert (b"www-authenticate", b"Bearer") in asked.sent[0]["headers"]
    asked("localhost", origin="http://evil.example")
    assert asked.told == 'the request comes from a page of "http://evil.example", which may not ask this server'


def test_a_request_has_an_end() -> None:
    asked, half = Asked(), bytes(MAX_BODY // 2)
    assert asked("localhost", half, half) == 200
    assert [len(body) for body in asked.read] == [MAX_BODY]
    assert asked("localhost", half, half, b"!") == 413
    assert asked.told == "the request is longer than 16 MiB"
    assert asked("localhost", content_length=str(MAX_BODY + 1)) == 413
    assert asked("localhost", content_length="many") == 200
    assert len(asked.read) == 2


def test_what_is_no_request_passes() -> None:
    asked = Asked(token="secret")
    asked("nowhere", kind="lifespan")
    assert asked.read == [b"lifespan"]


def test_what_a_server_is_called(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: "box")
    monkeypatch.setattr(socket, "getfqdn", lambda: "box.example")
    assert names_of("127.0.0.1") == {"127.0.0.1"}
    assert names_of("0.0.0.0") == {"0.0.0.0", "box", "box.example"}
    assert [is_local(host) for host in ("::1", "127.0.0.2", "localhost", "0.0.0.0", "box")] == [
        True,
        True,
        True,
        False,
        False,
    ]
