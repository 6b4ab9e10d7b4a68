"""What a page may ask for: its own places, and nothing else of this machine or of the network.

It is held twice. A proxy that is not there gets all that goes to another host or port, whatever in the page asks,
workers and WebSockets among it; and every request that no place permits, files among them, is refused and counted.
"""

from __future__ import annotations

import collections
import dataclasses
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

__all__ = ["Lock"]

_NOWHERE = "http://127.0.0.1:1"
"""A proxy that nobody listens at."""

_INLINE = ("about:", "data:", "blob:")
"""Addresses that hold what they stand for, or that the page itself has made."""


@dataclasses.dataclass(slots=True, kw_only=True)
class Lock:
    """Origins such as "http://127.0.0.1:8000" and folders of files that a window may see."""

    origins: Sequence[str] = ()
    folders: Sequence[Path] = ()
    refused: collections.Counter[str] = dataclasses.field(default_factory=collections.Counter)
    """Addresses that were asked for and not given, and how often."""

    def permits(self, url: str) -> bool:
        """Whether ``url`` may be asked for."""
        return re.match(self.pattern, url) is None

    @property
    def pattern(self) -> str:
        """A regular expression, in the syntax of Python and JavaScript, that what is refused matches."""
        starts = [re.escape(start) for start in _INLINE]
        starts += [re.escape(_place(origin)) + r"(?:[/?#]|$)" for origin in self.origins]
        starts += [re.escape(f"{folder.resolve().as_uri()}/") for folder in self.folders]
        return rf"^(?!{'|'.join(starts)})"

    @property
    def proxy(self) -> dict[str, str]:
        """For Playwright: all goes nowhere, loopback too, but for the origins; of these rules the last counts."""
        return {"server": _NOWHERE, "bypass": ",".join(["<-loopback>", *(_host(origin) for origin in self.origins)])}

    async def refuse(self, route: Any) -> None:
        """Answer a request that is not permitted."""
        self.refused[route.request.url] += 1
        await route.abort("blockedbyclient")


def _place(origin: str) -> str:
    parts = urlsplit(origin)
    return f"{parts.scheme}://{parts.netloc}"


def _host(origin: str) -> str:
    parts = urlsplit(origin)
    port = parts.port or {"http": 80, "https": 443}.get(parts.scheme, 80)
    return f"{parts.hostname}:{port}"
