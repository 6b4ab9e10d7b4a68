"""JSON objects, one a line, of a file that grows: read while it is written, and after a crash."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from agentgym.errors import DataError

__all__ = ["PUT_BACK", "objects_in"]

PUT_BACK = "put back what was written, or begin a new run with another --output"
"""What to do about a damaged line of a run."""


def objects_in(file: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each object of ``file``, and where it is; none where there is no file.

    The last line may be cut off, by a crash or because it is being written: then it is left out. Raises DataError,
    naming file and line, for anything else.
    """
    if not file.exists():
        return
    if not file.is_file():
        raise DataError(f"{file} is not a plain file; {PUT_BACK}")
    with file.open("rb") as stream:
        for number, line in enumerate(stream, start=1):
            where = f"{file}, line {number}"
            try:
                content = json.loads(line)
            except (ValueError, RecursionError) as error:
                if not line.endswith(b"\n"):
                    return
                raise DataError(f"{where} is not JSON: {error}; {PUT_BACK}") from None
            if not isinstance(content, dict):
                raise DataError(f"{where} is {str(content)[:40]}, expected a JSON object; {PUT_BACK}")
            yield where, content
