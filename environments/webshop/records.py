"""Reading JSON files whose every complaint names the file and the record.

Departs from the original, which fails with a bare KeyError or IndexError somewhere in the load.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from agentgym.errors import DataError

__all__ = ["Record", "read_json"]


def read_json(file: Path, kind: type[list[Any]] | type[dict[str, Any]]) -> Any:
    """The content of ``file``, which must be of ``kind``. Raises DataError."""
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (ValueError, OSError) as error:
        raise DataError(f"{file}: not readable as JSON ({error})") from error
    if not isinstance(content, kind):
        expected = "a JSON list of products" if kind is list else "a JSON object whose keys are product ids"
        raise DataError(f"{file}: found a JSON {type(content).__name__}, expected {expected}")
    return content


class Record:
    """One object of a file, known by the file's name and ``where`` in it."""

    def __init__(self, file: Path, where: str, fields: Any) -> None:
        self.file, self.where = file, where
        if not isinstance(fields, dict):
            raise DataError(f"{file}: {where} is {_shown(fields)}, expected an object")
        self._fields: dict[str, Any] = fields

    def get(self, key: str) -> Any:
        """The field, or None."""
        return self._fields.get(key)

    def text(self, key: str) -> str:
        """A field that must be text. Raises DataError."""
        value = self.get(key)
        if not isinstance(value, str):
            raise self.error(key, value, "text")
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        """A field that must be a list of texts. Raises DataError."""
        value = self.get(key)
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise self.error(key, value, "a list of texts")
        return tuple(value)

    def error(self, key: str, found: Any, expected: str) -> DataError:
        """The complaint about one field."""
        what = f"found {_shown(found)}" if key.split(".")[0] in self._fields else "it is missing"
        return DataError(f'{self.file}: {self.where}, field "{key}": {what}, expected {expected}')


def _shown(value: Any) -> str:
    text = json.dumps(value, default=repr)
    return text if len(text) <= 80 else text[:80] + "…"
