"""HTTP whose answers have an end: what a server sends beyond it is not read, however it is packed."""

from __future__ import annotations

from typing import Any

__all__ = ["MAX_BYTES", "TooLong", "capped"]

MAX_BYTES = 2**26
"""Of an answer: a prompt of a million tokens with its log-probabilities fits."""

_OF_THE_BODY = {"content-encoding", "content-length", "transfer-encoding"}
"""Headers that tell how the body was sent; it is given on as it is."""


class TooLong(Exception):
    """An answer is longer than ``MAX_BYTES``."""


def capped(openai: Any) -> Any:
    """The package's own HTTP client, but for the length of what it reads. It raises TooLong."""

    class Capped(openai.DefaultAsyncHttpxClient):  # type: ignore[misc]
        async def send(self, request: Any, *, stream: bool = False, **options: Any) -> Any:
            answer = await super().send(request, stream=True, **options)
            if stream:
                return answer
            parts, size = [], 0
            try:
                async for part in answer.aiter_bytes():  # unpacked: what is counted is what memory would hold
                    size += len(part)
                    if size > MAX_BYTES:
                        raise TooLong(f"it is longer than {MAX_BYTES >> 20} MiB")
                    parts.append(part)
            finally:
                await answer.aclose()
            headers = [pair for pair in answer.headers.multi_items() if pair[0].lower() not in _OF_THE_BODY]
            return type(answer)(  # of the package that this release of openai is built on: httpx, or httpx2
                answer.status_code,
                headers=headers,
                content=b"".join(parts),
                request=answer.request,
                extensions=answer.extensions,
                history=answer.history,
            )

    return Capped()
