"""The agent's copy of the repository: a sandbox that is made when the first tool needs it.

What it is left with is kept as files, so that a moment of an episode is come back to in any sandbox; processes that go
on in the background are no part of a moment.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping

from agentgym.errors import EnvError
from agentgym.sandbox import Files, Result, Sandbox

__all__ = ["Checkout"]

_WHO = {"GIT_AUTHOR_NAME": "agent", "GIT_AUTHOR_EMAIL": "agent@example.org"}
_WHO |= {name.replace("AUTHOR", "COMMITTER"): value for name, value in _WHO.items()}
_WHEN = {"GIT_AUTHOR_DATE": "2024-01-01T00:00:00Z", "GIT_COMMITTER_DATE": "2024-01-01T00:00:00Z"}
_COMMIT = (
    "git init -q -b main && git add -A && git commit -q -m 'the repository as it is' && rm -rf .git/hooks .git/logs"
)


class Checkout:
    """The repository at ``root``."""

    def __init__(self, files: Mapping[str, str], root: str, make: Callable[[], Sandbox]) -> None:
        self._files, self._root, self._make = files, root, make
        self._sandbox: Sandbox | None = None
        self._kept: Files | None = None
        self._is_dirty = False
        self.is_touched = False
        """Whether anything was done that may have changed a file."""

    def look(self, do: Callable[[Sandbox], bytes]) -> bytes:
        """Do what changes nothing."""
        return do(self._ready())

    def run(self, command: str, timeout: float) -> Result:
        """Run a command, which may change anything."""
        sandbox = self._ready()
        self._is_dirty = self.is_touched = True
        return sandbox.run(command, timeout=timeout, cwd=self._root)

    def write(self, path: str, data: bytes) -> None:
        """Write a file."""
        sandbox = self._ready()
        self._is_dirty = self.is_touched = True
        sandbox.write(path, data)

    def files(self) -> Files | None:
        """The files as they are now; None where nobody has changed any. Raises OSError where they are too many."""
        if self._is_dirty and self._sandbox is not None:
            self._kept, self._is_dirty = self._sandbox.snapshot(), False
        return self._kept if self.is_touched else None

    def come_back_to(self, files: Files | None) -> None:
        """Have the files be as they were at a moment, from the next use on."""
        self.is_touched, self._is_dirty, self._kept = files is not None, False, files
        self.close()

    def hand_in(self) -> Files | None:
        """End all that runs there and the sandbox, and take its files; None where nobody has changed any."""
        if self._sandbox is not None:
            self._sandbox.halt()
        try:
            return self.files()
        finally:
            self.close()

    def close(self) -> None:
        """End the sandbox; the next use makes another, with the files that were kept."""
        if self._sandbox is not None:
            self._sandbox.close()
            self._sandbox = None

    def _ready(self) -> Sandbox:
        if self._sandbox is None:
            sandbox = self._make()
            try:
                sandbox.restore(self._kept or _begun(tuple(self._files.items()), self._root, sandbox))
            except BaseException:
                sandbox.close()
                raise
            self._sandbox = sandbox
        return self._sandbox


@functools.lru_cache(maxsize=32)
def _cached(files: tuple[tuple[str, str], ...], root: str) -> list[Files]:
    """A place for what ``_begun`` has made."""
    return []


def _begun(files: tuple[tuple[str, str], ...], root: str, sandbox: Sandbox) -> Files:
    """The files with a history of one commit: made once for the episodes of a group."""
    place = _cached(files, root)
    if not place:
        sandbox.restore(Files.of({f"{root}/{path}": text.encode() for path, text in files}))
        result = sandbox.run(_COMMIT, cwd=root, env={**_WHO, **_WHEN})
        if result.exit_code != 0:
            raise EnvError(f"the repository cannot be begun: git says {result.text[:300]!r}")
        place.append(sandbox.snapshot())
    return place[0]
