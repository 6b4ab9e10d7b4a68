"""A sandbox with the server inside, however that was started: the contract over the channel."""

from __future__ import annotations

import abc
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from agentgym.errors import EnvError
from agentgym.sandbox.channel import Channel, Lost
from agentgym.sandbox.files import Entry, Files
from agentgym.sandbox.inside.frames import batches, parts
from agentgym.sandbox.sandbox import Result, Sandbox
from agentgym.sandbox.spec import Spec

__all__ = ["ServedSandbox"]

T = TypeVar("T")

_GRACE_SECONDS = 20.0
"""What an answer may take, beyond the time that was given to a command."""
_MAX_FILES = 20_000


class ServedSandbox(Sandbox):
    """Asks the server inside."""

    _channel: Channel | None = None
    _last = Files((), {})
    """As of the last snapshot or restore: what is in it the server does not send again."""

    def __init__(self, spec: Spec) -> None:
        self.spec = spec

    @property
    def is_open(self) -> bool:
        return self._channel is not None

    def begin(self, channel: Channel, *, seconds: float, **settings: Any) -> None:
        """Start the server at the other end. Raises EnvError."""
        self._channel = channel
        self._kept(lambda: channel.begin(seconds=seconds, output=self.spec.limits.output, **settings))

    def run(
        self,
        command: str | Sequence[str],
        *,
        timeout: float = 30.0,
        cwd: str | None = None,
        env: Mapping[str, str] | None = None,
        stdin: bytes = b"",
        user: str = "agent",
    ) -> Result:
        head, body = self._ask(
            "run",
            stdin,
            seconds=timeout + _GRACE_SECONDS,
            argv=["/bin/sh", "-c", command] if isinstance(command, str) else list(command),
            env={**self.variables, **(env or {})},
            cwd=cwd or self.spec.workdir,
            timeout=timeout,
            user=user,
        )
        end, code = head["stdout"], head["exit_code"]
        return Result(code, body[:end], body[end:], head["truncated"], head["timed_out"], head["seconds"])

    @property
    def variables(self) -> dict[str, str]:
        """The environment of commands."""
        return self.spec.variables

    def read(self, path: str, *, user: str = "agent") -> bytes:
        data: bytes = self._ask("read", path=path, user=user, limit=self.spec.limits.file)[1]
        return data

    def write(self, path: str, data: bytes, *, mode: int | None = None, user: str = "agent") -> None:
        self._ask("write", data, path=path, mode=mode, user=user)

    def halt(self) -> None:
        self._ask("halt")

    def ping(self) -> None:
        """Raises EnvError unless it answers."""
        self._ask("ping")

    def snapshot(self) -> Files:
        head, _ = self._ask("snapshot", max_bytes=self.spec.limits.disk, max_files=_MAX_FILES)
        entries = tuple(Entry(*entry) for entry in head["entries"])
        sent = dict(zip(head["new"], self._contents(len(head["new"])), strict=True))
        self._more()
        if sent or entries != self._last.entries:
            used = {entry.what for entry in entries if entry.kind == "f"}
            same = {digest: data for digest, data in self._last.contents.items() if digest in used}
            self._last = Files(entries, same | sent)
        return self._last

    def restore(self, files: Files) -> None:
        head, _ = self._ask("restore", entries=files.entries)
        self._last = Files((), {})
        for batch in batches(files.contents[digest] for digest in head["missing"]):
            self._give(batch)
        self._more()
        self._last = files

    def close(self) -> None:
        if self._channel is not None:
            self._channel.close()
            self._channel = None
        self.destroy()

    @abc.abstractmethod
    def destroy(self) -> None:
        """Free what the server ran on. May be called again."""

    # -- the channel ---------------------------------------------------------------------------------

    def _ask(self, do: str, body: bytes = b"", *, seconds: float = _GRACE_SECONDS, **head: Any) -> Any:
        return self._kept(lambda: self._open.ask(do, body, seconds=seconds, **head))

    def _more(self) -> Any:
        return self._kept(lambda: self._open.more(seconds=_GRACE_SECONDS))

    def _give(self, batch: list[bytes]) -> None:
        sizes = [len(data) for data in batch]
        self._kept(lambda: self._open.give(b"".join(batch), seconds=_GRACE_SECONDS, sizes=sizes))

    def _contents(self, number: int) -> Iterator[bytes]:
        """So many contents, as they come."""
        while number > 0:
            head, body = self._more()
            number -= len(head["sizes"])
            yield from parts(body, head["sizes"])

    @property
    def _open(self) -> Channel:
        if self._channel is None:
            raise EnvError("the sandbox is closed")
        return self._channel

    def _kept(self, do: Callable[[], T]) -> T:
        """What ``do`` returns. Raises EnvError where it comes to the end of the sandbox."""
        try:
            return do()
        except Lost as lost:
            self.close()
            raise EnvError(f"the sandbox is lost: {lost}") from None
        except OSError:
            raise  # it is about a file inside
        except BaseException:
            self.close()  # in the middle of an answer: the next request would get what is left of it
            raise
