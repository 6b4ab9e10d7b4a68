"""Windows on pages that a test writes."""

from __future__ import annotations

import contextlib
import http.server
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from agentgym.browser import Node, Seen, Window

__all__ = ["Quiet", "named", "opened", "served", "shown"]


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Serves files and says nothing."""

    def log_message(self, *_: Any) -> None:
        """Nothing."""


@contextlib.contextmanager
def served(folder: Path, handler: Callable[..., Any] = Quiet) -> Iterator[str]:
    """The origin at which a folder's files are to be had."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(handler, directory=str(folder))) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


@contextlib.contextmanager
def opened(folder: Path, html: str, **options: Any) -> Iterator[Window]:
    """A window on a page with that body."""
    file = folder / "page.html"
    file.write_text(html if html.startswith("<!") else f"<!doctype html><title>Page</title><body>{html}</body>")
    window = Window(folders=[folder], **options)
    try:
        window.open(file.as_uri())
        yield window
    finally:
        window.close()


def named(seen: Seen, name: str) -> Node:
    """The element of that name."""
    return next(node for node in seen.nodes if node.name == name)


def shown(window: Window) -> str:
    """The page in words."""
    from agentgym.browser import as_text

    return as_text(window.look())
