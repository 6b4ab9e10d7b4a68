"""Who may ask the server: whoever knows the token of its address, by a name that only this machine has.

What an episode printed is on the page, and a web page of anybody may send requests to this machine. So the address has
a random token in it, which is checked with each request; requests by another name than this machine's own are refused,
for a page whose name was pointed here (DNS rebinding) comes by that name; and the browser is told to run nothing and
to load nothing but what the server itself sends.
"""

from __future__ import annotations

import secrets
from typing import Any
from urllib.parse import urlsplit

__all__ = ["POLICY", "guarded"]

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
)
"""What the browser may load and run."""
_HEADERS = (
    ("content-security-policy", POLICY),
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    ("cache-control", "no-store"),
)
_OWN = ("127.0.0.1", "localhost", "::1")


def guarded(app: Any, token: str) -> Any:
    """``app`` for those alone whose path begins with ``token``; it sees the rest of the path."""

    async def guard(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await app(scope, receive, send)
        elif scope["type"] == "http":
            await _answer(app, token, scope, receive, send)

    return guard


async def _answer(app: Any, token: str, scope: Any, receive: Any, send: Any) -> None:
    async def told(message: Any) -> None:
        if message["type"] == "http.response.start":
            own = [(name.encode(), value.encode()) for name, value in _HEADERS]
            message = {**message, "headers": [*message.get("headers", []), *own]}
        await send(message)

    status, why = _refusal(scope, token)
    if status:
        headers = [(b"content-type", b"text/plain; charset=utf-8")]
        await told({"type": "http.response.start", "status": status, "headers": headers})
        await told({"type": "http.response.body", "body": why.encode()})
        return
    rest = scope["path"][len(token) + 1 :]
    await app({**scope, "path": rest, "raw_path": rest.encode(), "root_path": ""}, receive, told)


def _refusal(scope: Any, token: str) -> tuple[int, str]:
    """Status and reason where it may not ask; 0 where it may."""
    headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
    if _name(headers.get("host", "")) not in _OWN:
        return 403, "this server answers to 127.0.0.1 and localhost alone"
    if headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
        return 403, "a page of another site may not ask this server"
    given, slash, _ = scope["path"].removeprefix("/").partition("/")
    if not (slash and secrets.compare_digest(given.encode(), token.encode())):
        return 403, "the address lacks its token; open the one that agentgym view printed"
    return 0, ""


def _name(host: str) -> str:
    try:
        return (urlsplit(f"//{host}").hostname or "").lower()
    except ValueError:
        return ""
