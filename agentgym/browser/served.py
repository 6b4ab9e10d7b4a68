"""Web sites that environments serve to their own browser: one small server for each process, on loopback.

An environment is let in as a visitor and gets an origin of its own, ``http://v1-….localhost:PORT``: which visitor a
request is of stands in its host, so that cookies and storage of one environment are none of another's, and a person can
open the same address. Chromium resolves every name under ``localhost`` to the machine itself, and asks no one.

A site is a function from a request to a reply; it is called in a thread of the server, one request of a visitor at a
time. The server is started with the first visitor and closed with the last one.
"""

from __future__ import annotations

import http.server
import itertools
import os
import secrets
import threading
import urllib.parse
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any, NamedTuple, TypeAlias

__all__ = ["Reply", "Request", "Site", "Visitor", "visit"]

_LONGEST = 64 * 1024
"""Bytes of what a form may send."""


class Request(NamedTuple):
    """What a browser asks for."""

    method: str
    path: str
    """With the query."""
    form: Mapping[str, str]
    """What was sent with it; of a name that was sent twice the last."""


class Reply(NamedTuple):
    """What it gets."""

    body: str = ""
    type: str = "text/html; charset=utf-8"
    status: HTTPStatus = HTTPStatus.OK
    location: str = ""
    """Where to go instead."""

    @classmethod
    def redirect(cls, path: str) -> Reply:
        """See there, with GET."""
        return cls(status=HTTPStatus.SEE_OTHER, location=path)


_NOTHING = Reply("there is no such thing", "text/plain; charset=utf-8", HTTPStatus.NOT_FOUND)
"""For what browsers ask for on their own."""
Site: TypeAlias = Callable[[Request], Reply]


class Visitor:
    """One environment's way to its site."""

    def __init__(self, server: _Server, name: str, site: Site) -> None:
        self._server, self._name, self._site = server, name, site
        self.lock = threading.Lock()
        """Held while a request of this visitor is answered."""
        self.broke: BaseException | None = None
        """What the site raised, once it did: no reward may be made of that episode."""
        self.origin = f"http://{name}.localhost:{server.server_address[1]}"

    def reply(self, request: Request) -> Reply:
        """The site's."""
        with self.lock:
            try:
                return self._site(request)
            except Exception as error:
                self.broke = error
                return Reply("the site broke", "text/plain; charset=utf-8", HTTPStatus.INTERNAL_SERVER_ERROR)

    def leave(self) -> None:
        """Be no visitor any more; the last one closes the server."""
        _leave(self._server, self._name)


def visit(site: Site) -> Visitor:
    """Let a visitor in."""
    global _running
    with _opening:
        if _running is None or _running.pid != os.getpid():  # a fork has the object, and not the thread
            _running = _Server()
        name = f"v{next(_running.numbers)}-{secrets.token_hex(8)}"
        visitor = _running.visitors[name] = Visitor(_running, name, site)
        return visitor


def _leave(server: _Server, name: str) -> None:
    global _running
    with _opening:
        if server.visitors.pop(name, None) is None or server.visitors or server.pid != os.getpid():
            return
        if _running is server:
            _running = None
    server.shutdown()
    server.server_close()


class _Server(http.server.ThreadingHTTPServer):
    """The process's."""

    daemon_threads = True
    request_queue_size = 128
    """Connections that may wait; what does not fit is tried again after seconds."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.pid = os.getpid()
        self.numbers = itertools.count(1)
        self.visitors: dict[str, Visitor] = {}
        threading.Thread(target=self.serve_forever, args=(0.05,), name="agentgym-sites", daemon=True).start()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Nothing: a browser that goes away in the middle of a page is no event."""


_opening = threading.Lock()
_running: _Server | None = None


class _Handler(http.server.BaseHTTPRequestHandler):
    """One request; the connection ends with it, so that none is ever sent twice."""

    server: _Server

    def do_GET(self) -> None:
        self._answer({})

    def do_POST(self) -> None:
        told = self.headers.get("Content-Length") or "0"
        length = int(told) if told.isdecimal() else _LONGEST + 1
        if length > _LONGEST:
            self.send_error(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
            return
        sent = self.rfile.read(length).decode(errors="replace")
        self._answer(dict(urllib.parse.parse_qsl(sent, keep_blank_values=True)))

    def _answer(self, form: Mapping[str, str]) -> None:
        visitor = self.server.visitors.get(self.headers.get("Host", "").partition(".")[0])
        if visitor is None:
            self.send_error(HTTPStatus.NOT_FOUND, "no such visitor")
            return
        reply = _NOTHING if self.path == "/favicon.ico" else visitor.reply(Request(self.command, self.path, form))
        body = reply.body.encode()
        self.send_response(reply.status)
        if reply.location:
            self.send_header("Location", reply.location)
        self.send_header("Content-Type", reply.type)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: what was asked for is in the episode's record."""
