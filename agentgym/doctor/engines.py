"""Whether a container engine answers, and what it is: asked at its own address, without a package."""

from __future__ import annotations

import http.client
import json
import re
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from agentgym.doctor.cures import Ill, Note

__all__ = ["ADDRESS", "containers_run"]

ADDRESS = "unix:///var/run/docker.sock"
_SECONDS = 5.0
_START = "sudo systemctl start docker   (without systemd: sudo dockerd &)"

_MENDED = {(1, 1): (1, 1, 12), (1, 2): (1, 2, 8), (1, 3): (1, 3, 3)}
"""First version of each line of runc without the ways out of a container that CVE-2024-21626 and, in the two later
lines, CVE-2025-31133, CVE-2025-52565 and CVE-2025-52881 are."""


class _Local(http.client.HTTPConnection):
    """A connection to a socket in the file system."""

    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=_SECONDS)
        self.path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(_SECONDS)
        self.sock.connect(self.path)


def containers_run(environ: Mapping[str, str]) -> str:
    """The engine that DOCKER_HOST names, or Docker's own place. Raises Ill where it is there and does not answer."""
    address = environ.get("DOCKER_HOST") or ADDRESS
    path = Path(address.removeprefix("unix://"))
    if address.startswith("unix://") and not path.exists():
        detail = f"there is no container engine at {address}, which sandboxes in containers need"
        if "DOCKER_HOST" in environ:
            raise Ill(f"{detail}; DOCKER_HOST names it", "unset DOCKER_HOST")
        return Note(detail, "sudo apt-get install -y docker.io")
    try:
        told = _version(address, str(path))
    except PermissionError:
        raise Ill(
            f"{address} may not be used by this user", "sudo usermod -aG docker $USER   (then log in again)"
        ) from None
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise Ill(
            f"the container engine at {address} does not answer: {error or type(error).__name__}", _START
        ) from None
    parts = {str(each.get("Name", "")).lower(): str(each.get("Version", "")) for each in told.get("Components") or ()}
    runc = parts.get("runc", "")
    seen = f"version {told.get('Version', '?')} at {address}" + (f", runc {runc}" if runc else "")
    if _lets_out(runc):
        return Note(f"{seen}: programs can get out of its containers", "sudo apt-get install --only-upgrade runc")
    return seen


def _version(address: str, path: str) -> dict[str, Any]:
    at = urlsplit(address)
    is_local = at.scheme == "unix"
    connection = _Local(path) if is_local else http.client.HTTPConnection(at.hostname or "", at.port, timeout=_SECONDS)
    try:
        connection.request("GET", "/version")
        answer = connection.getresponse()
        told: dict[str, Any] = json.loads(answer.read())
        return told
    finally:
        connection.close()


def _lets_out(runc: str) -> bool:
    """Whether this version of runc is from before its ways out were closed; distributions may have closed them too."""
    found = re.match(r"(\d+)\.(\d+)\.(\d+)", runc)
    if not found or "+" in runc or "~" in runc:  # a distribution's own, which says nothing of what it has mended
        return False
    first, second, third = map(int, found.groups())
    return (first, second, third) < _MENDED.get((first, second), (1, 1, 12))
