"""Sites on loopback: who is a visitor, what a visitor is answered, and that nothing is left behind."""

from __future__ import annotations

import http.client
import os
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from agentgym.browser import served
from agentgym.browser.served import Reply, Request, Visitor, visit


def ask(
    visitor: Visitor, path: str = "/", *, method: str = "GET", body: str | None = None, host: str = ""
) -> http.client.HTTPResponse:
    name, _, port = visitor.origin.removeprefix("http://").partition(":")
    connection = http.client.HTTPConnection("127.0.0.1", int(port), timeout=10)
    connection.request(method, path, body, {"Host": host or f"{name}:{port}"})
    return connection.getresponse()


@pytest.fixture(autouse=True)
def _nothing_is_left() -> Iterator[None]:
    yield
    assert served._running is None
    assert not any(thread.name == "agentgym-sites" for thread in threading.enumerate())


def echo(request: Request) -> Reply:
    return Reply(f"{request.method} {request.path} {dict(request.form)}")


def test_a_visitor_is_answered_by_its_own_site() -> None:
    one, other = visit(echo), visit(lambda _: Reply("other"))
    assert one.origin != other.origin
    assert one.origin.partition(".")[2] == other.origin.partition(".")[2]  # one server
    assert ask(one, "/a?b=c").read() == b"GET /a?b=c {}"
    assert ask(other).read() == b"other"
    sent = ask(one, "/f", method="POST", body="x=1&y=a+b&y=%C3%A9&z=")
    assert sent.read().decode() == "POST /f {'x': '1', 'y': 'é', 'z': ''}"
    one.leave()
    assert ask(other).read() == b"other"
    assert ask(other, host=one.origin.removeprefix("http://")).status == 404
    other.leave()
    other.leave()  # twice is as good as once


def test_what_a_reply_says_goes_into_the_headers() -> None:
    replies = {"/to": Reply.redirect("/there"), "/style": Reply("x", "text/css"), "/": Reply("é")}
    visitor = visit(lambda request: replies[request.path])
    to, style, page = (ask(visitor, path) for path in ("/to", "/style", "/"))
    assert (to.status, to.getheader("Location")) == (303, "/there")
    assert (style.getheader("Content-Type"), style.getheader("Cache-Control")) == ("text/css", "no-store")
    assert (page.getheader("Cache-Control"), page.getheader("Content-Length")) == ("no-store", "2")
    assert ask(visitor, "/favicon.ico").status == 404
    visitor.leave()


def test_a_site_that_breaks_is_told_to_the_environment_and_not_to_the_policy() -> None:
    def broken(request: Request) -> Reply:
        raise ValueError("a secret of the machine")

    visitor = visit(broken)
    answer = ask(visitor)
    assert answer.status == 500
    assert b"secret" not in answer.read()
    assert isinstance(visitor.broke, ValueError)
    visitor.leave()


def test_a_visitor_is_answered_one_thing_at_a_time() -> None:
    inside, most = 0, 0

    def counting(request: Request) -> Reply:
        nonlocal inside, most
        inside += 1
        most = max(most, inside)
        threading.Event().wait(0.01)
        inside -= 1
        return Reply("x")

    visitor = visit(counting)
    with ThreadPoolExecutor(4) as pool:
        assert [answer.status for answer in pool.map(lambda _: ask(visitor), range(8))] == [200] * 8
    assert most == 1
    visitor.leave()


@pytest.mark.parametrize("length", ["70000", "-1", "nonsense"])
def test_what_is_too_long_or_no_length_is_refused(length: str) -> None:
    visitor = visit(echo)
    name, _, port = visitor.origin.removeprefix("http://").partition(":")
    connection = http.client.HTTPConnection("127.0.0.1", int(port), timeout=10)
    connection.putrequest("POST", "/", skip_host=True)
    connection.putheader("Host", f"{name}:{port}")
    connection.putheader("Content-Length", length)
    connection.endheaders()
    assert connection.getresponse().status == 413
    visitor.leave()


def test_many_connections_at_once_are_not_kept_waiting() -> None:
    """A connection that finds no room in the queue is tried again after a second, and then after three."""
    visitor = visit(echo)
    name, _, port = visitor.origin.removeprefix("http://").partition(":")
    server = served._running
    assert server is not None
    server.shutdown()  # it listens on, and takes nobody in
    connections = [socket.create_connection(("127.0.0.1", int(port)), timeout=0.9) for _ in range(40)]
    threading.Thread(target=server.serve_forever, args=(0.05,), name="agentgym-sites", daemon=True).start()
    for connection in connections:
        connection.sendall(f"GET / HTTP/1.0\r\nHost: {name}\r\n\r\n".encode())
        assert b"200 OK" in connection.recv(100)
        connection.close()
    visitor.leave()


def test_it_listens_on_loopback_alone() -> None:
    visitor = visit(echo)
    assert served._running is not None
    assert served._running.server_address[0] == "127.0.0.1"
    visitor.leave()


def test_a_fork_has_a_server_of_its_own() -> None:
    visitor = visit(echo)
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        own = visit(lambda _: Reply("the child's"))
        said = f"{own.origin.rpartition(':')[2]} {ask(own).read().decode()}"
        own.leave()
        visitor.leave()  # is the parent's, and stays
        os.write(writing, said.encode())
        os._exit(0)
    os.waitpid(child, 0)
    port, _, text = os.read(reading, 100).decode().partition(" ")
    for descriptor in (reading, writing):
        os.close(descriptor)
    assert text == "the child's"
    assert port != visitor.origin.rpartition(":")[2]
    assert ask(visitor, "/x").read() == b"GET /x {}"
    visitor.leave()
