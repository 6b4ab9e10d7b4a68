"""Who may ask a server: no web page of another site, whoever knows the token where there is one, nobody without end.

A browser lets any page send requests to this machine. It tells in ``Origin`` which page does, and a page whose name was
pointed at this machine (DNS rebinding) shows in ``Host``: both must be the server's own. Programs send no ``Origin``.
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
import json
import secrets
import socket
from collections.abc import Collection, Mapping
from typing import Any
from urllib.parse import urlsplit

__all__ = ["MAX_BODY", "guarded", "is_local", "names_of"]

MAX_BODY = 2**24
"""Bytes of a request that are read at most; messages of a connection have the same limit."""


class _TooLong(Exception):
    """A body without an end in sight."""


def guarded(app: Any, *, hosts: Collection[str] = (), token: str | None = None) -> Any:
    """``app`` for those alone who may ask it. ``hosts`` are further names of this server beside addresses."""
    known = {host.lower() for host in hosts}

    async def guard(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] not in ("http", "websocket"):
            await app(scope, receive, send)
            return
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        if refusal := _refusal(headers, known, token):
            await _refuse(scope, receive, send, *refusal)
        elif scope["type"] == "websocket":
            await app(scope, receive, send)
        else:
            await _with_an_end(app, scope, receive, send, headers)

    return guard


def names_of(host: str) -> set[str]:
    """What a server that listens on ``host`` is called, beside its address."""
    return {host} if is_local(host) else {host, socket.gethostname(), socket.getfqdn()}


def _refusal(headers: Mapping[str, str], hosts: Collection[str], token: str | None) -> tuple[int, str] | None:
    """Status and reason where it may not ask."""
    host, origin = headers.get("host", ""), headers.get("origin")
    if not _is_own(host, hosts):
        return 403, f'the request is for the host "{host}"; where that is this server, start it with --allow-host NAME'
    if origin is not None and _place(origin) != host.lower():
        return 403, f'the request comes from a page of "{origin}", which may not ask this server'
    if token is not None and not _knows(headers.get("authorization", ""), token):
        return 401, "this server asks for a token; send the header: Authorization: Bearer TOKEN"
    return None


def _place(origin: str) -> str:
    """Host and port of a page; of what is no address, nothing."""
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return ""


def _is_own(host: str, hosts: Collection[str]) -> bool:
    """Whether that is a name of this server: an address is, for no page has one for its name."""
    try:
        name = (urlsplit(f"//{host}").hostname or "").lower()
    except ValueError:
        return False
    return name in hosts or is_local(name) or _is_address(name)


def is_local(name: str) -> bool:
    """Whether only this machine is called so."""
    if name == "localhost" or name.endswith(".localhost"):
        return True
    return _is_address(name) and ipaddress.ip_address(name).is_loopback


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _knows(authorization: str, token: str) -> bool:
    """Whether it is the token as ``Bearer``, or the password of ``Basic``, as clients write a URL's user part."""
    kind, _, value = authorization.partition(" ")
    if kind.lower() == "basic":
        try:
            value = base64.b64decode(value, validate=True).decode().partition(":")[2]
        except (binascii.Error, UnicodeDecodeError):
            return False
    elif kind.lower() != "bearer":
        return False
    return secrets.compare_digest(value.strip().encode(), token.encode())


async def _refuse(scope: Any, receive: Any, send: Any, status: int, why: str) -> None:
    if scope["type"] == "websocket":
        await receive()  # the request to connect
        await send({"type": "websocket.close", "code": 1008, "reason": why[:100]})
        return
    body = json.dumps({"detail": why}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    if status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _with_an_end(app: Any, scope: Any, receive: Any, send: Any, headers: Mapping[str, str]) -> None:
    """Give ``app`` the request unless its body is longer than ``MAX_BODY``."""
    size, has_begun = 0, False

    async def counted() -> Any:
        nonlocal size
        message = await receive()
        size += len(message.get("body", b""))
        if size > MAX_BODY:
            raise _TooLong
        return message

    async def told(message: Any) -> None:
        nonlocal has_begun
        has_begun = True
        await send(message)

    try:
        if _number(headers.get("content-length", "0")) > MAX_BODY:
            raise _TooLong
        await app(scope, counted, told)
    except _TooLong:
        if not has_begun:
            await _refuse(scope, receive, send, 413, f"the request is longer than {MAX_BODY >> 20} MiB")


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 20 else 0
