"""Whose a container is: labels that name the process that made it, so that nobody else's is ever taken for dead.

A process is named by the machine's boot, its process namespace, its number there and when it began: numbers are used
again, and other machines and containers, which have numbers of their own, may share an engine.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

__all__ = ["LABEL", "is_dead", "is_mine", "labels"]

LABEL = "agentgym.owner"


def labels() -> dict[str, str]:
    """Of what this process makes."""
    return {LABEL: json.dumps(_here() | {"pid": os.getpid(), "start": _start_of(os.getpid())})}


def is_mine(found: Mapping[str, str]) -> bool:
    """Whether they name this process."""
    return found.get(LABEL) == labels()[LABEL]


def is_dead(found: Mapping[str, str]) -> bool:
    """Whether the owner that these labels name is known to have ended. One that cannot be looked at is not."""
    try:
        owner = json.loads(found[LABEL])
        if {name: owner[name] for name in _here()} != _here():
            return False
        return bool(_start_of(int(owner["pid"])) != owner["start"])
    except (KeyError, ValueError, TypeError):
        return False  # of another version, or none of ours


def _here() -> dict[str, str]:
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return {"boot": boot, "namespace": os.readlink("/proc/self/ns/pid")}


def _start_of(pid: int) -> int | None:
    """When a process began, in the kernel's ticks since the boot; None where there is none of that number."""
    try:
        return int(Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()[19])
    except (FileNotFoundError, ProcessLookupError):
        return None
