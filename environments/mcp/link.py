"""A connection to an MCP server for callers that block: the client is asynchronous and lives in a thread of its own.

One event loop in one daemon thread serves all connections of a process. A connection is opened, held and closed by one
task there, as the client's cancel scopes demand; calls come in from any thread.

What can go wrong has a name here, and never that of an exception group: ``Lost`` is raised when the connection ended,
with why, and with whether the server may have seen the request. An answer is waited for as long as the server gives a
sign of life: whoever reports progress works, though not for ever.
"""

from __future__ import annotations

import asyncio
import atexit
import concurrent.futures
import dataclasses
import json
import logging
import os
import shlex
import threading
import uuid
import weakref
from collections.abc import Coroutine, Mapping
from typing import Any, TypeVar

from agentgym.environments.mcp.process import MARK, Tail, end_all
from agentgym.environments.mcp.remote import text_of
from agentgym.environments.mcp.wire import Wire
from agentgym.errors import EnvError
from agentgym.extras import require
from agentgym.tools import ToolError

__all__ = ["Address", "Link", "Lost"]

T = TypeVar("T")

_CLOSING_SECONDS = 10.0
"""A server is asked to go, then told, then killed: each of the client's steps takes two seconds at most."""
_LONGEST = 20
"""Times the time-out that a call may take of which progress is reported."""
_MAX_STREAMS = 3
"""Of changes: so often one that breaks off at once is asked for again."""
_STREAM_SECONDS = 1.0
"""A stream that lasted so long was a good one."""
_MAX_PAGES = 500
"""Of a list of tools."""
_SHOWN = 500
"""Characters of what an error says beside its message."""


class Lost(Exception):
    """The connection ended. ``sent`` is False where the server cannot have seen the request."""

    def __init__(self, why: str, *, sent: bool) -> None:
        super().__init__(why)
        self.sent = sent


class _Late(Exception):
    """An answer did not come."""

    def __init__(self, seconds: float) -> None:
        super().__init__(seconds)
        self.seconds = seconds


@dataclasses.dataclass(frozen=True, slots=True)
class Address:
    """Where a server is: a command that starts it, or a URL."""

    command: tuple[str, ...] = ()
    url: str = ""
    variables: tuple[tuple[str, str], ...] = dataclasses.field(default=(), repr=False)
    """Of the command's environment, beside the few that are always there."""

    def __str__(self) -> str:
        return self.url or shlex.join(self.command)


class Link:
    """One open connection. Raises Lost when it cannot be made."""

    def __init__(self, address: Address, *, timeout: float) -> None:
        self.address, self.timeout = address, timeout
        self._errors, self._mark, self._process = Tail(), uuid.uuid4().hex, os.getpid()
        self._wire: Wire
        self._client: Any = None
        self._nonsense = ""
        self._failure: BaseException | None = None
        self._is_lost = False
        self._loop = _event_loop()
        self._closing = asyncio.Event()
        self._held: asyncio.Task[None]
        try:
            self._run(self._open())
        except BaseException:
            self._end()
            raise
        _OPEN.add(self)

    @property
    def is_open(self) -> bool:
        """Whether it can still be used, as far as is known here."""
        return not (self._held.done() or self._is_lost)

    @property
    def instructions(self) -> str:
        """What the server says of how its tools are to be used."""
        return str(self._client.instructions or "").encode(errors="replace").decode()

    @property
    def left_out(self) -> dict[str, str]:
        """Tools of the last list that are not of the protocol's form, and why."""
        return self._wire.left_out

    @property
    def tools_changed(self) -> bool:
        """Whether the server said that its tools are others than those listed last."""
        return self._wire.tools_changed

    def list_tools(self) -> list[Any]:
        """Every tool of the server that is of the protocol's form. Raises Lost, EnvError."""
        return self._run(self._list_tools())

    def call(self, tool: str, arguments: Mapping[str, Any]) -> str:
        """What a tool answers. Raises ToolError where the server refuses, Lost, EnvError for a late or bad answer."""
        return self._run(self._call(tool, arguments))

    def close(self) -> None:
        """End the connection and, where it started one, the server. May be called again.

        In a fork it does nothing: there the connection is its parent's.
        """
        if self._process != os.getpid():
            return
        if not self._held.done():
            self._loop.call_soon_threadsafe(self._closing.set)
            concurrent.futures.wait([_submitted(self._loop, self._wait_for_end())], timeout=_CLOSING_SECONDS)
        self._end()

    def _end(self) -> None:
        """End what the server leaves behind. May be called again."""
        if self._errors.file.closed:
            return
        if self.address.command:
            end_all(self._mark)
        self._run(self._unwatch())
        self._errors.close()

    # -- in the thread of the event loop -----------------------------------------------------------------

    async def _open(self) -> None:
        ready: asyncio.Future[None] = self._loop.create_future()
        self._errors.watch(self._loop)
        self._held = asyncio.ensure_future(self._hold(ready))
        await asyncio.wait([ready, self._held], timeout=self.timeout, return_when=asyncio.FIRST_COMPLETED)
        if ready.done():
            return
        late = not self._held.done()
        self._held.cancel()
        await asyncio.wait([self._held], timeout=_CLOSING_SECONDS)
        raise Lost(f"no answer within {self.timeout:g} s" + self._told() if late else self._why(), sent=False)

    async def _hold(self, ready: asyncio.Future[None]) -> None:
        """Open the client, keep it until it is to be closed, and keep the reason if it ends before."""
        self._wire = Wire(self._transport())
        client = require("mcp", extra="mcp").Client(
            self._wire, read_timeout_seconds=self.timeout, message_handler=self._hear
        )
        try:
            async with client:
                self._client = client
                listening = asyncio.ensure_future(self._listen())
                ready.set_result(None)
                await self._closing.wait()
                listening.cancel()
                await asyncio.wait([listening])
        except asyncio.CancelledError:
            raise
        except BaseException as error:
            self._failure = _cause(error)

    async def _listen(self) -> None:
        """Hear of changes from a server of the newer protocol, which tells them to those who ask.

        Such a server over HTTP may be started again without a call that fails: a stream that breaks off is then the
        only sign, so the connection counts as lost, unless streams of this server never last.
        """
        versions = require("mcp_types.version", extra="mcp").MODERN_PROTOCOL_VERSIONS
        broke_off = require("mcp.client.subscriptions", extra="mcp").SubscriptionLost
        error_type = require("mcp", extra="mcp").MCPError
        if self._client.protocol_version not in versions:
            return
        began: float | None = None
        for _ in range(_MAX_STREAMS):
            try:
                async with self._client.listen(tools_list_changed=True) as changes:
                    began = self._loop.time()
                    async for _change in changes:
                        self._wire.tools_changed = True
                return
            except broke_off:
                if began is not None and self._loop.time() >= began + _STREAM_SECONDS:
                    self._is_lost = True
                    return
            except (error_type, TimeoutError):  # it tells nobody, or is there no more
                self._is_lost = self._is_lost or began is not None
                return

    def _transport(self) -> Any:
        if self.address.url:
            return require("mcp.client.streamable_http", extra="mcp").streamable_http_client(self.address.url)
        stdio = require("mcp.client.stdio", extra="mcp")
        command, *arguments = self.address.command
        variables = {**dict(self.address.variables), MARK: self._mark}
        return stdio.stdio_client(
            stdio.StdioServerParameters(command=command, args=arguments, cwd=os.getcwd(), env=variables),
            errlog=self._errors.file,
        )

    async def _hear(self, message: Any) -> None:
        """Keep what the server says that is no message."""
        if isinstance(message, Exception):
            self._nonsense = _line(message)

    async def _list_tools(self) -> list[Any]:
        self._wire.left_out, self._wire.tools_changed = {}, False
        found: list[Any] = []
        cursor, seen = None, set[str | None]()
        while cursor not in seen:
            seen.add(cursor)
            try:
                asked = self._client.list_tools(cursor=cursor, cache_mode="bypass")
                page = await self._answer(asked, "its list of tools")
            except ToolError:
                if cursor == "":
                    return found
                raise
            # An empty cursor is a page for some, and the end for others, who answer it with what is known or refuse.
            new = [tool for tool in page.tools if cursor != "" or tool not in found]
            found += new
            if page.next_cursor is None or (cursor == "" and not new):
                return found
            cursor = page.next_cursor
            if len(seen) == _MAX_PAGES:
                raise EnvError(f"its list of tools has no end: {_MAX_PAGES} pages, and still a next one")
        raise EnvError(f"its list of tools has no end: the cursor {cursor!r:.60} came twice")

    async def _call(self, tool: str, arguments: Mapping[str, Any]) -> str:
        if not self.is_open:
            raise Lost(self._why(), sent=False)
        return text_of(await self._answer(self._patient(tool, dict(arguments)), tool), tool)

    async def _patient(self, tool: str, arguments: dict[str, Any]) -> Any:
        """A call's result, waited for as long as progress is reported. Raises _Late."""
        began = heard = self._loop.time()

        async def hear(progress: float, total: float | None, message: str | None) -> None:
            nonlocal heard
            heard = self._loop.time()

        longest = _LONGEST * self.timeout
        call = asyncio.ensure_future(
            self._client.call_tool(tool, arguments, read_timeout_seconds=2 * longest, progress_callback=hear)
        )
        try:
            while not call.done():
                now = self._loop.time()
                if now >= heard + self.timeout or now >= began + longest:
                    raise _Late(self.timeout if now < began + longest else longest)
                await asyncio.wait([call], timeout=min(heard + self.timeout, began + longest) - now)
        finally:
            if not call.done():
                call.cancel()
                await asyncio.wait([call], timeout=_CLOSING_SECONDS)
        return call.result()

    async def _answer(self, request: Coroutine[Any, Any, T], what: str) -> T:
        """What the server answers, every way of not answering told apart."""
        error_type = require("mcp", extra="mcp").MCPError
        codes = require("mcp_types", extra="mcp")
        try:
            return await request
        except _Late as late:
            raise EnvError(f"no answer within {late.seconds:g} s to {what}" + self._told()) from None
        except error_type as error:
            if error.code == codes.REQUEST_TIMEOUT:
                raise EnvError(f"no answer within {self.timeout:g} s to {what}" + self._told()) from None
            if error.code == codes.CONNECTION_CLOSED or error.message == "Session terminated":
                self._is_lost = True
                if self.address.url:  # the reason comes by another way, an instant later
                    await asyncio.wait([self._held], timeout=1.0)
                raise Lost(self._why(), sent=not self._was_refused(error)) from None
            more = "" if error.data is None else f": {json.dumps(error.data, ensure_ascii=False)[:_SHOWN]}"
            raise ToolError(error.message + more) from None
        except Exception as error:  # a result that fits no schema comes as one of several kinds
            raise EnvError(f"a bad answer to {what}: {type(error).__name__}: {_line(error)}") from None

    def _was_refused(self, error: Any) -> bool:
        """Whether the request certainly did not reach a server that acts on it."""
        return error.message == "Session terminated" or type(self._failure).__name__ in (
            "ConnectError",
            "ConnectTimeout",
        )

    async def _wait_for_end(self) -> None:
        await asyncio.wait([self._held])

    async def _unwatch(self) -> None:
        self._errors.unwatch(self._loop)

    def _why(self) -> str:
        failure = self._failure
        ended = type(failure).__name__ == "MCPError" or failure is None
        return ("it ended the connection" if ended else f"{type(failure).__name__}: {failure}") + self._told()

    def _told(self) -> str:
        """What the server wrote besides its answers: the end of its standard error, and what is no message."""
        lines = [line.strip() for line in self._errors.text[-2000:].splitlines() if line.strip(" ^~")][-3:]
        said = f"; it wrote: {' / '.join(lines)}" if lines else ""
        return said + (f"; it sent what is no message: {self._nonsense}" if self._nonsense else "")

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return _submitted(self._loop, work).result()


def _cause(error: BaseException) -> BaseException:
    """The first real error in a group of groups."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())[:200]


def _submitted(loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, T]) -> concurrent.futures.Future[T]:
    return asyncio.run_coroutine_threadsafe(work, loop)


_OPEN: weakref.WeakSet[Link] = weakref.WeakSet()
_LOCK = threading.Lock()
_LOOPS: dict[int, asyncio.AbstractEventLoop] = {}
"""Process id → its event loop: a fork has the memory of one, but not its thread."""


def _event_loop() -> asyncio.AbstractEventLoop:
    with _LOCK:
        if os.getpid() not in _LOOPS:
            _LOOPS.clear()
            logging.getLogger("mcp").addHandler(logging.NullHandler())  # what it logs is told by our errors
            loop = asyncio.new_event_loop()
            threading.Thread(target=loop.run_forever, name="agentgym-mcp", daemon=True).start()
            _LOOPS[os.getpid()] = loop
        return _LOOPS[os.getpid()]


@atexit.register
def _close_all() -> None:
    for link in list(_OPEN):
        link.close()
