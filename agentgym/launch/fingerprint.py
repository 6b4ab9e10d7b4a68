"""Whether the model that a run began with is still the one in its directory or file.

Configuration and tokenizer are compared by their SHA-256, as is a GGUF file, which has both. Other weights are compared
by their size and by pieces spread over them, since reading all of a large model would take minutes: training changes
nearly every number of one, so that any piece tells. A model that came from a hub by name is not here and is not
compared.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from agentgym.errors import DataError, UserError
from agentgym.learn.gguf import content_hash, gguf_in
from agentgym.learn.sources import is_here, policy_source
from agentgym.run import Run

__all__ = ["check", "of_directory", "of_model"]

_FILE = "model.json"
_READ_WHOLE = {".json", ".txt", ".jinja", ".model"}
_PIECES, _PIECE = 16, 2**16


def of_model(model: str) -> dict[str, Any]:
    """The fingerprint of ``model``, which a run keeps; empty where it is not on this machine."""
    source = Path(policy_source(model))
    return {"source": str(source.resolve()), "files": of_directory(source)} if is_here(source) else {}


def check(run: Run, model: str, note: Callable[[str], None]) -> None:
    """Raise UserError when the files of ``model`` are not those that ``run`` began with, naming them."""
    file = run.directory / _FILE
    if not file.exists():
        return
    try:
        recorded = json.loads(file.read_text())
        source, files = Path(recorded["source"]), dict(recorded["files"])
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f"{file} is not a fingerprint: {error}; delete it to go on without it") from None
    moved = Path(policy_source(model))
    if not is_here(source) and is_here(moved):
        source = moved
    if not is_here(source):
        note(f"the model that the run began with is gone from {source}; its checkpoints hold what it needs")
        return
    now = of_directory(source)
    differing = sorted(name for name in files.keys() | now.keys() if files.get(name) != now.get(name))
    if differing:
        raise UserError(
            f"{source} is not the model that {run.directory} began with: {', '.join(differing)} changed since; put the "
            "old files back, or begin a new run with another --output"
        )


def of_directory(directory: Path) -> dict[str, str]:
    """A hash of each file that a model consists of; of one in a GGUF file, of that file."""
    if (file := gguf_in(directory)) is not None:
        return {file.name: content_hash(file)}
    return {
        path.name: _whole(path) if path.suffix in _READ_WHOLE else _sampled(path)
        for path in sorted(directory.iterdir())
        if path.is_file() and (path.suffix in _READ_WHOLE or path.suffix == ".safetensors")
    }


def _whole(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def _sampled(file: Path) -> str:
    """Of its size and of pieces from its beginning to its end."""
    size = file.stat().st_size
    digest = hashlib.sha256(str(size).encode())
    with file.open("rb") as stream:
        for index in range(_PIECES):
            stream.seek(max(0, size - _PIECE) * index // (_PIECES - 1))
            digest.update(stream.read(_PIECE))
    return digest.hexdigest()
