"""An OpenAI-compatible server over real HTTP that says what it is told, for tests and benchmarks.

Speaks what the engine asks of vLLM: /v1/models, /v1/completions with token ids, /v1/chat/completions with tools,
/inference/v1/generate, and the routes by which weights are exchanged. Faults are scripted for each request: it may
wait, answer with another status, with anything for a body, or drop the connection before or within its answer.
Needs the standard library alone.
"""

from __future__ import annotations

import asyncio
import collections
import contextlib
import dataclasses
import json
import math
import threading
from collections.abc import Callable, Sequence
from typing import Any, Literal
from urllib.parse import parse_qs, urlsplit

__all__ = ["Asked", "FakeServer", "Fault", "Spans"]

EOS = 7
"""The token that ends a scripted completion."""
MAX_MODEL_LEN = 256


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A request as it came in."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: dict[str, Any]
    attempt: int
    """How often the very same request had come before."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What goes wrong with a request; several things may."""

    delay: float = 0.0
    status: int = 200
    body: str | None = None
    """In place of the answer."""
    headers: dict[str, str] = dataclasses.field(default_factory=dict)
    drop: Literal["", "before", "head", "middle"] = ""
    """Where the connection breaks: before the answer, after its head, in the middle of its body."""


@dataclasses.dataclass(slots=True, kw_only=True)
class Spans:
    """Which weights a server has, and what was done to it."""

    label: str = "default"
    is_paused: bool = False
    log: list[str] = dataclasses.field(default_factory=list)


def ends(prompt: Sequence[int], body: dict[str, Any]) -> list[int]:
    """Three tokens that depend on the prompt, then the end."""
    return [(sum(prompt) + i) % 30 + 8 for i in range(3)] + [EOS]


def logprob(token: int, temperature: float) -> float:
    """A number below 0 that depends on both, exact in binary."""
    return -(0.25 + token / 1024) * (8 + math.log2(temperature or 1.0)) / 8


class FakeServer:
    """Serves on a free port of this machine while entered. What is public may be changed at any time."""

    def __init__(self, *, models: Sequence[dict[str, Any]] | None = None, api_key: str | None = None) -> None:
        self.models = list(
            models or [{"id": "tiny", "root": "start", "owned_by": "vllm", "max_model_len": MAX_MODEL_LEN}]
        )
        self.api_key = api_key
        self.reply: Callable[[Sequence[int], dict[str, Any]], list[int]] = ends
        """Token ids that complete a prompt."""
        self.say: Callable[[dict[str, Any]], dict[str, Any]] = lambda body: {"role": "assistant", "content": "hello"}
        """The message that answers a chat."""
        self.rpc: Callable[[dict[str, Any]], list[Any]] = lambda body: [None]
        """What the workers return; raise to fail."""
        self.fault: Callable[[Asked], Fault | None] = lambda asked: None
        self.edit: Callable[[dict[str, Any]], None] = lambda choice: None
        """Changes a completion before it is sent."""
        self.returns_token_ids = self.returns_logprobs = self.tempers = self.echoes = self.has_completions = True
        self.is_in_dev_mode = True
        self.weights = Spans()
        self.asked: list[Asked] = []
        self.num_in_flight = self.max_in_flight = self.num_abandoned = self.num_dropped = 0
        self.port = 0
        self._seen: collections.Counter[str] = collections.Counter()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def bodies(self, path: str) -> list[dict[str, Any]]:
        """The bodies of all requests to ``path``."""
        return [asked.body for asked in self.asked if asked.path == path]

    def forget(self) -> None:
        """Drop the record of what was asked so far."""
        self.asked.clear()
        self._seen.clear()

    # -- the thread ----------------------------------------------------------------------------------

    def __enter__(self) -> FakeServer:
        self._loop = asyncio.new_event_loop()
        self._resumed = asyncio.Event()
        self._resumed.set()
        self._server = self._loop.run_until_complete(asyncio.start_server(self._connection, "127.0.0.1", self.port))
        self.port = self._server.sockets[0].getsockname()[1]
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._shut(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _shut(self) -> None:
        self._server.close()
        connections = asyncio.all_tasks() - {asyncio.current_task()}
        for connection in connections:
            connection.cancel()
        await asyncio.gather(*connections, return_exceptions=True)

    # -- HTTP ----------------------------------------------------------------------------------------

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            while await self._exchange(reader, writer):
                pass
        writer.close()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """One request and its answer; False when the connection is over."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        method, target, _ = head[0].split(" ")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:] if line)}
        content = await reader.readexactly(int(headers.get("content-length", 0)))
        asked = self._record(method, target, headers, json.loads(content or "{}"))
        fault = self.fault(asked) or Fault()
        gone = asyncio.ensure_future(reader.read(1))  # a client that waits sends nothing, so this is its farewell
        work = asyncio.ensure_future(self._answer(asked, fault))
        self.num_in_flight += 1
        self.max_in_flight = max(self.max_in_flight, self.num_in_flight)
        try:
            await asyncio.wait([gone, work], return_when=asyncio.FIRST_COMPLETED)
            gone.cancel()
            await asyncio.gather(gone, return_exceptions=True)
            if not work.done():
                self.num_abandoned += 1
                return False
            return await self._send(writer, fault, *work.result())
        finally:
            self.num_in_flight -= 1
            work.cancel()

    async def _send(self, writer: asyncio.StreamWriter, fault: Fault, status: int, body: str) -> bool:
        data = body.encode()
        lines = [f"HTTP/1.1 {status} X", "content-type: application/json", f"content-length: {len(data)}"]
        lines += [f"{name}: {value}" for name, value in fault.headers.items()]
        head = "\r\n".join([*lines, "", ""]).encode()
        sent = {"": head + data, "before": b"", "head": head, "middle": head + data[: len(data) // 2]}[fault.drop]
        writer.write(sent)
        await writer.drain()
        self.num_dropped += bool(fault.drop)
        return not fault.drop

    def _record(self, method: str, target: str, headers: dict[str, str], body: dict[str, Any]) -> Asked:
        url = urlsplit(target)
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        key = f"{method} {target} {json.dumps(body, sort_keys=True)}"
        attempt = self._seen[key]
        self._seen[key] += 1
        asked = Asked(method=method, path=url.path, query=query, headers=headers, body=body, attempt=attempt)
        self.asked.append(asked)
        return asked

    # -- answers -------------------------------------------------------------------------------------

    async def _answer(self, asked: Asked, fault: Fault) -> tuple[int, str]:
        await asyncio.sleep(fault.delay)
        if fault.body is not None or fault.status != 200:
            return fault.status, fault.body or json.dumps({"error": {"message": "scripted"}})
        status, answer = await self._routed(asked)
        return status, json.dumps(answer)

    async def _routed(self, asked: Asked) -> tuple[int, Any]:
        guarded = asked.path.startswith(("/v1", "/inference"))
        if guarded and self.api_key and asked.headers.get("authorization") != f"Bearer {self.api_key}":
            return _refused(401, "Unauthorized")
        routes: dict[str, Callable[[Asked], Any]] = {
            "/v1/models": self._list,
            "/v1/completions": self._complete,
            "/v1/chat/completions": self._chat,
            "/inference/v1/generate": self._generate,
        }
        if self.is_in_dev_mode:
            routes |= {"/is_paused": lambda _: (200, {"is_paused": self.weights.is_paused})}
            routes |= {"/pause": self._pause, "/resume": self._resume, "/collective_rpc": self._collective_rpc}
            routes |= {"/reset_prefix_cache": self._reset, "/update_weight_version": self._label}
        if asked.path not in routes:
            return _refused(404, "Not Found")
        if asked.path in ("/v1/completions", "/inference/v1/generate"):
            await self._resumed.wait()
        result: tuple[int, Any] = routes[asked.path](asked)
        return result

    def _list(self, asked: Asked) -> tuple[int, Any]:
        return 200, {"object": "list", "data": self.models}

    def _unknown(self, body: dict[str, Any]) -> tuple[int, Any] | None:
        if body.get("model") in [model["id"] for model in self.models]:
            return None
        return _refused(404, f"The model `{body.get('model')}` does not exist.")

    def _complete(self, asked: Asked) -> tuple[int, Any]:
        body = asked.body
        if not self.has_completions:
            return _refused(404, "This is a chat model and not supported in the v1/completions endpoint.")
        if refusal := self._unknown(body):
            return refusal
        if body.get("echo"):
            return self._echo(body)
        ids = self.reply(body["prompt"], body)[: body["max_tokens"]]
        choice: dict[str, Any] = {"index": 0, "text": "", "finish_reason": _reason(ids, body), "logprobs": None}
        if self.returns_token_ids and body.get("return_token_ids"):
            choice |= {"token_ids": ids, "prompt_token_ids": body["prompt"]}
        if self.returns_logprobs and body.get("logprobs") is not None:
            temperature = body["temperature"] if self.tempers else 1.0
            choice["logprobs"] = {
                "token_logprobs": [logprob(token, temperature) for token in ids],
                "top_logprobs": [{"x": logprob(0, temperature)} for _ in ids],
            }
        self.edit(choice)
        return 200, {"object": "text_completion", "choices": [choice]}

    def _echo(self, body: dict[str, Any]) -> tuple[int, Any]:
        """Log-probabilities of the prompt; a server that does not echo answers as if it had not been asked."""
        values = [None, *(logprob(token, 1.0) for token in body["prompt"][1:])] if self.echoes else [-0.5]
        return 200, {"choices": [{"text": "", "finish_reason": "length", "logprobs": {"token_logprobs": values}}]}

    def _generate(self, asked: Asked) -> tuple[int, Any]:
        body, sampling = asked.body, asked.body["sampling_params"]
        ids = self.reply(body["token_ids"], sampling)[: sampling["max_tokens"]]
        content = [{"token_id": token, "logprob": logprob(token, sampling.get("temperature", 1.0))} for token in ids]
        choice: dict[str, Any] = {"token_ids": ids, "logprobs": {"content": content}}
        choice["finish_reason"] = _reason(ids, sampling)
        choice["weight_versions"] = [{"version": self.weights.label, "start": 0, "end": len(ids)}]
        self.edit(choice)
        return 200, {"choices": [choice]}

    def _chat(self, asked: Asked) -> tuple[int, Any]:
        if refusal := self._unknown(asked.body):
            return refusal
        return 200, {"choices": [{"index": 0, "message": self.say(asked.body), "finish_reason": "stop"}]}

    # -- weights -------------------------------------------------------------------------------------

    def _pause(self, asked: Asked) -> tuple[int, Any]:
        self.weights.log.append(f"pause {asked.query.get('mode')}")
        self.weights.is_paused = True
        self._resumed.clear()
        return 200, {"status": "paused"}

    def _resume(self, asked: Asked) -> tuple[int, Any]:
        self.weights.log.append("resume")
        self.weights.is_paused = False
        self._resumed.set()
        return 200, {"status": "resumed"}

    def _collective_rpc(self, asked: Asked) -> tuple[int, Any]:
        try:
            results = self.rpc(asked.body)
        except Exception as error:  # whatever a worker raises, vLLM tells as a failure of its own
            return _refused(500, f"{type(error).__name__}: {error}")
        self.weights.log.append(" ".join(["rpc", asked.body["method"], *asked.body.get("args", ())]))
        return 200, {"results": results}

    def _reset(self, asked: Asked) -> tuple[int, Any]:
        self.weights.log.append(f"reset {asked.query.get('reset_running_requests')}")
        return 200, {"success": True}

    def _label(self, asked: Asked) -> tuple[int, Any]:
        self.weights.label = asked.body["new_version"]
        self.weights.log.append(f"label {self.weights.label}")
        return 200, {"success": True, "new_version": self.weights.label}


def _reason(ids: Sequence[int], sampling: dict[str, Any]) -> str:
    return "stop" if ids and ids[-1] in sampling.get("stop_token_ids", ()) else "length"


def _refused(status: int, message: str) -> tuple[int, Any]:
    return status, {"error": {"message": message, "type": "scripted", "param": None, "code": status}}
