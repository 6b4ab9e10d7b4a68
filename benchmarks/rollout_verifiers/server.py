"""A server that always says the same, a fixed time after it was asked; in a process of its own.

    python server.py LATENCY REPLY_IDS

Prints its port, then answers each line of its standard input with what it has been asked so far. Speaks, over HTTP/1.1
with connections that are kept, /v1/models, /v1/chat/completions, and for token ids /v1/completions and vLLM's
/inference/v1/generate; ``REPLY_IDS`` is the reply in tokens, as JSON. Needs the standard library alone.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
import zlib
from typing import Any

from benchmarks.rollout_verifiers import material

USAGE = {"prompt_tokens": 32, "completion_tokens": 24, "total_tokens": 56}
COMPLETION = {"object": "chat.completion", "id": "0", "created": 0, "model": material.MODEL, "usage": USAGE}
LOGPROB = -0.5

Body = dict[str, Any]


class Record:
    """How many requests came, and a number that depends on all their prompts and not on their order."""

    num_requests, digest = 0, 0

    def add(self, prompt: Any) -> None:
        self.num_requests += 1
        self.digest = (self.digest + zlib.crc32(json.dumps(prompt).encode())) % 2**64

    def told(self) -> Body:
        return {"requests": self.num_requests, "digest": self.digest, "processor": time.process_time()}


class Routes:
    """What is answered; whatever is sampled goes on record."""

    def __init__(self, reply_ids: list[int]) -> None:
        self.reply_ids, self.record = reply_ids, Record()

    def answer(self, path: str, body: Body) -> Body:
        routes = {"/v1/chat/completions": self._chat, "/v1/completions": self._complete}
        return {**routes, "/inference/v1/generate": self._generate}[path](body)

    def models(self) -> Body:
        model = {"id": material.MODEL, "object": "model", "owned_by": "benchmark", "created": 0, "max_model_len": 2**20}
        return {"object": "list", "data": [model]}

    def _chat(self, body: Body) -> Body:
        self.record.add([(message["role"], _text(message["content"])) for message in body["messages"]])
        message = {"role": "assistant", "content": material.REPLY}
        return {**COMPLETION, "choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}

    def _complete(self, body: Body) -> Body:
        self.record.add(body["prompt"])
        ids, reason = self._sampled(body["max_tokens"])
        logprobs = {"token_logprobs": [LOGPROB] * len(ids)}
        choice = {"index": 0, "text": "", "token_ids": ids, "logprobs": logprobs, "finish_reason": reason}
        return {**COMPLETION, "object": "text_completion", "choices": [choice]}

    def _generate(self, body: Body) -> Body:
        self.record.add(body["token_ids"])
        ids, reason = self._sampled(body["sampling_params"]["max_tokens"])
        logprobs = {"content": [{"token": f"token_id:{token}", "logprob": LOGPROB} for token in ids]}
        choice = {"index": 0, "token_ids": ids, "logprobs": logprobs, "finish_reason": reason}
        return {"request_id": "0", "choices": [choice]}

    def _sampled(self, max_tokens: int) -> tuple[list[int], str]:
        return self.reply_ids[:max_tokens], "stop" if len(self.reply_ids) <= max_tokens else "length"


def _text(content: str | list[dict[str, str]]) -> str:
    return content if isinstance(content, str) else "".join(part["text"] for part in content)


class Connection(asyncio.Protocol):
    """Requests come one after the other; each is answered ``latency`` seconds after it came."""

    def __init__(self, routes: Routes, latency: float) -> None:
        self.routes, self.latency = routes, latency
        self.buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        head, found, rest = self.buffer.partition(b"\r\n\r\n")
        if found and len(rest) >= (length := _length(head)):
            self.buffer = rest[length:]
            self._asked(head.split(b" ", 2)[1].decode(), rest[:length])

    def _asked(self, path: str, body: bytes) -> None:
        if path == "/v1/models":
            return self._send(self.routes.models())
        asked = json.loads(body)
        answer = self.routes.answer(path, asked)
        loop = asyncio.get_running_loop()
        loop.call_later(self.latency, self._stream if asked.get("stream") else self._send, answer)

    def _send(self, answer: Body) -> None:
        self._write("application/json", json.dumps(answer))

    def _stream(self, answer: Body) -> None:
        """The same message as events, all at once: the harness null asks like that."""
        message = answer["choices"][0]["message"]
        said = {"choices": [{"index": 0, "delta": message, "finish_reason": None}], "usage": None}
        ended = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
        parts = [json.dumps({**answer, "object": "chat.completion.chunk", **part}) for part in (said, ended)]
        self._write("text/event-stream", "".join(f"data: {part}\n\n" for part in (*parts, "[DONE]")))

    def _write(self, kind: str, body: str) -> None:
        data = body.encode()
        head = f"HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ncontent-length: {len(data)}\r\n\r\n"
        self.transport.write(head.encode() + data)


def _length(head: bytes) -> int:
    for name, _, value in (line.partition(b":") for line in head.split(b"\r\n")):
        if name.lower() == b"content-length":
            return int(value)
    return 0


async def main(latency: float, reply_ids: list[int]) -> None:
    routes, loop = Routes(reply_ids), asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(routes, latency), "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    while await asyncio.to_thread(sys.stdin.readline):
        print(json.dumps(routes.record.told()), flush=True)


if __name__ == "__main__":
    asyncio.run(main(float(sys.argv[1]), json.loads(sys.argv[2])))
