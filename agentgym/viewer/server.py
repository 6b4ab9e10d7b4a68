"""The page and its JSON, at a port of this machine."""

from __future__ import annotations

import json
import logging
import secrets
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from agentgym.errors import AgentGymError, DataError, UserError
from agentgym.extras import require
from agentgym.viewer.guard import guarded
from agentgym.viewer.sources import Sources
from agentgym.viewer.views import answer

__all__ = ["STATIC", "Viewer", "make_app", "serve", "static_files"]

STATIC = Path(__file__).parent / "static"
_KINDS = {".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
_LAST_WORDS = 1
"""Seconds that connections have to end in when the server does."""


def static_files() -> dict[str, Path]:
    """The files of the page, by name: nothing else is sent."""
    return {file.name: file for file in sorted(STATIC.iterdir()) if file.suffix in _KINDS}


def make_app(sources: Sources, token: str) -> Any:
    """An ASGI application: the page at /TOKEN/, a view at /TOKEN/api/NAME, an image at /TOKEN/media/RUN/DIGEST."""
    applications = require("starlette.applications", extra="view")
    responses, routing = require("starlette.responses", extra="view"), require("starlette.routing", extra="view")
    files = static_files()

    def page(request: Any) -> Any:
        name = request.path_params.get("name") or "index.html"
        if name not in files:
            return responses.PlainTextResponse("there is no such file", 404)
        return responses.FileResponse(files[name], media_type=_KINDS[files[name].suffix])

    def view(request: Any) -> Any:
        try:
            found = answer(sources, request.path_params["name"], dict(request.query_params))
        except AgentGymError as error:
            status = 400 if isinstance(error, UserError) and not isinstance(error, DataError) else 404
            return responses.JSONResponse({"error": str(error)}, status)
        return responses.Response(as_json(found), media_type="application/json")

    def image(request: Any) -> Any:
        digest = request.path_params["digest"]
        try:
            media = sources.at(request.path_params["run"]).episodes.media.get(digest)
        except (UserError, DataError) as error:
            return responses.PlainTextResponse(str(error), 404)
        return responses.Response(media.data, media_type="image/png")

    routes = [
        routing.Route("/", page),
        routing.Route("/api/{name}", view),
        routing.Route("/media/{run:int}/{digest}", image),
        routing.Route("/{name}", page),
    ]
    return guarded(applications.Starlette(routes=routes), token)


def as_json(found: Any) -> bytes:
    """An answer as it is sent. Whatever else than JSON is in it is a mistake of ours."""
    return json.dumps(found, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


class Viewer:
    """A server in a thread of this process; a context manager. ``url`` is the address, with its token.

    Port 0 takes a free one. Raises UserError for a port that is in use, and MissingExtraError.
    """

    def __init__(self, sources: Sources, *, port: int = 0) -> None:
        uvicorn = require("uvicorn", extra="view")
        token = secrets.token_urlsafe(18)
        self._socket = _taken(port)
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}/{token}/"
        settings = uvicorn.Config(make_app(sources, token), log_config=None, timeout_graceful_shutdown=_LAST_WORDS)
        self._server = uvicorn.Server(settings)
        self._thread = threading.Thread(target=self._server.run, args=([self._socket],), daemon=True)

    def __enter__(self) -> Viewer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        errors = logging.getLogger("uvicorn.error")
        level = errors.level
        errors.setLevel(logging.CRITICAL)  # an answer that nobody waits for any more is cut off, which is no error
        try:
            self._server.should_exit = True
            self._thread.join()
        finally:
            errors.setLevel(level)
            self._socket.close()

    def wait(self) -> None:
        """Until it ends, or is interrupted."""
        while self._thread.is_alive():
            self._thread.join(0.5)


def serve(sources: Sources, *, port: int = 0, tell: Callable[[str], None] = print, opens: bool = True) -> None:
    """Serve until interrupted; ``tell`` is told the address, and a browser is opened on it where there is one."""
    with Viewer(sources, port=port) as viewer:
        tell(f"{viewer.url}   stop: Ctrl-C")
        if opens:
            import webbrowser

            webbrowser.open(viewer.url)
        viewer.wait()


def _taken(port: int) -> socket.socket:
    taken = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        taken.bind(("127.0.0.1", port))
        taken.listen(128)
    except OSError as error:
        taken.close()
        raise UserError(f"port {port} cannot be had: {error.strerror}; type another one, or --port 0") from None
    return taken
