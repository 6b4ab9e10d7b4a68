"""What lies in a run's directory: names of its parts, and that each is what a run makes there."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from agentgym.archive import FILE
from agentgym.errors import DataError
from agentgym.media import MEDIA

__all__ = ["BEGINNING", "GROWING", "LATENCIES", "LOCK", "OWN", "refuse_odd"]

GROWING = ("metrics.jsonl", "ledger.jsonl")
"""Files that get lines."""

BEGINNING, LOCK, LATENCIES = ".beginning", ".lock", "latencies.json"
OWN = (
    "config.json",
    *GROWING,
    FILE,
    "checkpoints",
    "policies",
    "policy",
    "reward_model",
    "warm_start",
    "corrupt",
    "tensorboard",
    "curves.png",
    "report.json",
    "report.md",
    "report.html",
)
"""What a run alone writes: a directory that has one of them is another's, and would be mixed or erased."""
_SHARED = ("places.json", "model.json", "tracker.json", MEDIA, "watchdog.txt", BEGINNING, LOCK, LATENCIES)
_FOLDERS = ("checkpoints", "policies", "reward_model", "warm_start", "corrupt", "tensorboard", MEDIA)


def refuse_odd(directory: Path) -> None:
    """Raise DataError for a part of a run that is not what a run makes there: a link, a pipe, a directory for a file.

    What is written or deleted by a link would be somebody else's.
    """
    parts = [path for path in _inside(directory) if _is_part(path.name)]
    for path in [*parts, *_inside(directory / MEDIA)]:
        if path.is_symlink():
            if path.name != "policy" or not _leads_to_policies(path):
                raise DataError(
                    f"{path} is a link to {os.readlink(path)}; a run's own files lie in its directory: put there what "
                    "the link leads to, or delete the link (the directory itself may be a link)"
                )
        elif not (path.name == "policy" or _is_aside(path.name)):
            is_folder = path.name in _FOLDERS or path.parent != directory
            if not (path.is_dir() if is_folder else path.is_file()):
                raise DataError(
                    f"{path} is not a {'directory' if is_folder else 'plain file'}, as that of a run is; put back what "
                    "was written, or move it away"
                )


def _inside(directory: Path) -> Iterable[Path]:
    return sorted(directory.iterdir()) if directory.is_dir() else ()


def _is_part(name: str) -> bool:
    """Whether a run writes or deletes a file or directory of that name."""
    return name in (*OWN, *_SHARED) or _is_aside(name) or name.startswith((f"{FILE}-", "config-until-"))


def _is_aside(name: str) -> bool:
    return name.startswith(".") and name.endswith(".partial")


def _leads_to_policies(link: Path) -> bool:
    parts = Path(os.readlink(link)).parts
    return len(parts) == 2 and parts[0] == "policies" and parts[1] != ".."
