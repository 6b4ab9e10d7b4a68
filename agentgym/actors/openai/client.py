"""Requests to an OpenAI-compatible server: who may be in flight, what is tried again, how a failure is told.

A completion changes nothing on the server, so a request whose connection broke is sent again, and so is one that was
turned away with 429 or 5xx; one that ran out of time is not, because the next would too.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Coroutine, Mapping
from typing import Any

from agentgym.actors.openai.capped import TooLong, capped
from agentgym.errors import EngineError
from agentgym.extras import require

__all__ = ["BadStatus", "Client", "NoAnswer", "Unreachable"]

FIRST_WAIT = 0.5
"""Seconds before the second attempt; each further wait is twice as long."""
MAX_WAIT = 30.0
"""The longest wait, also where the server asks for a longer one."""
CONNECT_TIMEOUT = 10.0
"""Seconds to make a connection in: a machine that is there answers at once, however busy."""


class NoAnswer(EngineError):
    """No answer came in time."""


class Unreachable(NoAnswer):
    """No answer came because the connection could not be made, or broke."""


class BadStatus(EngineError):
    """The server answered with a status other than 2xx; ``said`` is its own explanation."""

    def __init__(self, status: int, said: str, path: str, *, retry_after: float = 0.0) -> None:
        super().__init__(f"the server answered {path} with {status}: {said}")
        self.status, self.said, self.retry_after = status, said, retry_after


class Client:
    """Sends requests to ``base_url``, at most ``max_requests`` at a time."""

    def __init__(self, base_url: str, *, api_key: str, timeout: float, max_retries: int, max_requests: int) -> None:
        self._openai: Any = require("openai", extra="openai")
        self.base_url, self.timeout, self.max_retries = base_url.rstrip("/"), timeout, max_retries
        self.num_retries = 0
        """Requests sent again so far."""
        self._client: Any = self._openai.AsyncOpenAI(
            base_url=self.base_url,
            api_key=api_key,
            timeout=self._openai.Timeout(timeout, connect=min(timeout, CONNECT_TIMEOUT)),
            max_retries=0,  # the package's own would also repeat what ran out of time
            http_client=capped(self._openai),
        )
        self._places = asyncio.Semaphore(max_requests)
        self._rng = random.Random(0)
        self._running: set[asyncio.Task[str]] = set()
        self._is_closed = False

    @property
    def root(self) -> str:
        """The address without its "/v1": where a vLLM server has what OpenAI's interface has not."""
        return self.base_url.removesuffix("/v1")

    async def get(self, path: str) -> str:
        """The body of the answer. Raises NoAnswer or BadStatus."""
        return await self._begun(self._request(self._client.get, path, {}))

    async def post(self, path: str, body: Mapping[str, Any]) -> str:
        """The same for a POST of ``body`` as JSON. Cancelling the awaiting task closes the connection."""
        return await self._begun(self._in_turn(self._client.post, path, {"body": dict(body)}))

    async def command(self, path: str, body: Mapping[str, Any] | None = None) -> str:
        """A POST that waits for no completion: the server may hold all of those until it came.

        A status that is an error is final: it tells what became of the command.
        """
        return await self._begun(self._request(self._client.post, path, {"body": dict(body or {})}, final=True))

    async def close(self) -> None:
        """Cancel what is in flight and close every connection."""
        self._is_closed = True
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)
        await self._client.close()

    async def _begun(self, work: Coroutine[Any, Any, str]) -> str:
        """Await ``work`` in a task that closing can cancel."""
        if self._is_closed:
            work.close()
            raise EngineError("the engine is closed")
        task = asyncio.create_task(work)
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return await task

    async def _in_turn(self, method: Any, path: str, options: Mapping[str, Any]) -> str:
        async with self._places:
            return await self._request(method, path, options)

    async def _request(self, method: Any, path: str, options: Mapping[str, Any], *, final: bool = False) -> str:
        """One request, sent up to ``max_retries`` times more while it may succeed a moment later."""
        for attempt in range(self.max_retries):
            try:
                return await self._attempt(method, path, options)
            except Unreachable:
                asked = 0.0
            except BadStatus as error:
                if final or not _may_pass(error.status):
                    raise
                asked = error.retry_after
            self.num_retries += 1
            await asyncio.sleep(min(MAX_WAIT, max(asked, FIRST_WAIT * 2**attempt * self._rng.uniform(0.5, 1.0))))
        return await self._attempt(method, path, options)

    async def _attempt(self, method: Any, path: str, options: Mapping[str, Any]) -> str:
        openai = self._openai
        try:
            async with asyncio.timeout(self.timeout):  # the package's own limit starts anew with every byte
                return str(await method(path, cast_to=str, **options))
        except (openai.APIConnectionError, TimeoutError) as error:
            if isinstance(error.__cause__, TooLong):
                raise EngineError(
                    f"the answer of {self.base_url} to {path} is not read: {error.__cause__}; look at what serves there"
                ) from None
            raise self._no_answer(error, path) from error
        except openai.APIStatusError as error:
            raise _bad_status(error, path) from None
        except (openai.OpenAIError, UnicodeEncodeError) as error:
            raise EngineError(f"the request {path} to {self.base_url} failed: {error}") from error

    def _no_answer(self, error: Exception, path: str) -> NoAnswer:
        cause = error.__cause__ or error
        name = type(cause).__name__
        if isinstance(error, self._openai.APITimeoutError | TimeoutError) and name != "ConnectTimeout":
            return NoAnswer(
                f"{self.base_url} gave no answer to {path} in {self.timeout:g} s; a longer time is "
                "--engine.timeout SECONDS, fewer requests at once --engine.max_sessions N"
            )
        return Unreachable(f"no connection to {self.base_url}: {name}: {cause}")


def _may_pass(status: int) -> bool:
    return status == 429 or (status >= 500 and status != 501)


def _bad_status(error: Any, path: str) -> BadStatus:
    body = error.body
    said = body.get("message") if isinstance(body, dict) else body
    wait = _seconds(error.response.headers.get("retry-after"))
    return BadStatus(error.status_code, str(said or "nothing")[:500], path, retry_after=wait)


def _seconds(header: str | None) -> float:
    """A Retry-After in seconds; 0 where there is none or it is a date."""
    try:
        return max(0.0, float(header or 0))
    except ValueError:
        return 0.0
