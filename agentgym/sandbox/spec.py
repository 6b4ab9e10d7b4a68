"""What a sandbox is made of, and what it may use."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

__all__ = ["USERS", "Limits", "Spec"]

_MIB = 1 << 20

USERS = range(20_000, 21_000)
"""One of these is the agent: another one in nearly every container, since the kernel counts what a user has (processes,
pipes, locked memory) on the host as a whole. Images that are made here call each of them "agent"."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a sandbox may use at most."""

    memory: int = 256 * _MIB
    """Bytes of its processes. Its files are in memory too, and are counted beside them."""
    disk: int = 64 * _MIB
    """Bytes of each of its writable directories."""
    inodes: int = 16_384
    """Files and directories in each of them."""
    processes: int = 64
    cpus: float = 1.0
    open_files: int = 512
    """Of one process."""
    output: int = 64 * 1024
    """Bytes that are kept of each stream of a command: the beginning and the end of it."""
    file: int = 16 * _MIB
    """Bytes that ``read`` brings at most."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """What a sandbox is made of."""

    image: str
    """Name or id of an image that the engine has."""
    workdir: str = "/work"
    """Where commands begin; it is their HOME too, unless ``env`` says otherwise."""
    writable: tuple[str, ...] = ("/work", "/tmp")
    """Directories that commands may write in, and nowhere else. They begin empty, whatever the image holds there."""
    env: Mapping[str, str] = dataclasses.field(default_factory=dict)
    limits: Limits = dataclasses.field(default_factory=Limits)

    @property
    def key(self) -> str:
        """The same for two that ask for the same."""
        return repr(dataclasses.replace(self, env=dict(sorted(self.env.items()))))

    @property
    def variables(self) -> dict[str, str]:
        """The environment of its commands, to the last variable."""
        path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        return {"HOME": self.workdir, "LANG": "C.UTF-8", "PATH": path, "TERM": "dumb", "USER": "agent", **self.env}
