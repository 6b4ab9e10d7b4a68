"""Trajectories on disk: one JSON object a line, read back equal.

A line that was cut off by a crash is told apart from a malformed file: only the last line may be incomplete, and
then it is left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from pydantic import ValidationError

from agentgym.errors import DataError
from agentgym.types import Trajectory

__all__ = ["append", "read"]


def append(file: Path, trajectories: Iterable[Trajectory]) -> None:
    """Add trajectories to the end of ``file``."""
    with file.open("a") as stream:
        stream.writelines(trajectory.model_dump_json() + "\n" for trajectory in trajectories)


def read(file: Path) -> Iterator[Trajectory]:
    """The trajectories of ``file``, in order. Raises DataError, naming file and line."""
    with file.open() as stream:
        for number, line in enumerate(stream, start=1):
            if not line.endswith("\n"):
                return
            try:
                yield Trajectory.model_validate_json(line)
            except ValidationError as error:
                problem = error.errors()[0]
                where = ".".join(map(str, problem["loc"]))
                raise DataError(f"{file}, line {number}: {where or 'record'}: {problem['msg']}") from None
