"""What of an agent's files is judged: Python text in the folder of the source, put onto a clean copy of all else.

Links, pipes, what lies elsewhere, and names that Python or pytest would run of themselves are left out; a file that is
gone is gone. More than a repository of this size can need is no repair.
"""

from __future__ import annotations

from collections.abc import Mapping

from agentgym.sandbox import Entry, Files

__all__ = ["RefusedError", "artifact_of", "checkout"]

_MOST_FILES = 64
_MOST_BYTES = 1 << 20
_NEVER = frozenset({"conftest.py", "sitecustomize.py", "usercustomize.py"})


class RefusedError(Exception):
    """What was handed in is not judged; the text says why."""


def artifact_of(files: Files, root: str, source: str) -> dict[str, bytes]:
    """Path in the repository → content, of what is judged. Raises RefusedError where that is too much."""
    folder = f"{root}/{source}"
    taken = [entry for entry in files.entries if entry.path.startswith(folder) and _is_judged(entry, folder)]
    if len(taken) > _MOST_FILES:
        raise RefusedError(f"{len(taken)} files in {source}, expected {_MOST_FILES} at most")
    found = {entry.path.removeprefix(f"{root}/"): files.read(entry.path) for entry in taken}
    if (size := sum(map(len, found.values()))) > _MOST_BYTES:
        raise RefusedError(f"{size} bytes in {source}, expected {_MOST_BYTES} at most")
    return found


def checkout(clean: Mapping[str, str], source: str, artifact: Mapping[str, bytes]) -> dict[str, bytes]:
    """The clean repository with the artifact for its source."""
    rest = {path: text.encode() for path, text in clean.items() if not path.startswith(source)}
    return {**rest, **artifact}


def _is_judged(entry: Entry, folder: str) -> bool:
    parts = entry.path.removeprefix(folder).split("/")
    hidden = any(part.startswith(".") or part == "__pycache__" for part in parts)
    return entry.kind == "f" and not hidden and parts[-1].endswith(".py") and parts[-1] not in _NEVER
