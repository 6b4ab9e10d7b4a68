"""The connection to the engine that runs containers.

An engine that does not answer is asked again for a while: it may be starting anew. After that an error says so in a
line. One that was never there is a missing part, and the error says what to type.
"""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

from agentgym.errors import EnvError, MissingExtraError, UserError
from agentgym.extras import require

__all__ = ["Daemon", "daemon"]

T = TypeVar("T")

_SECONDS = 60
"""For the engine to answer one request."""
_PATIENCE_SECONDS = 20.0
"""For an engine that is gone to come back."""
_TYPE = (
    "start it (systemctl start docker; or, without systemd: dockerd &), name another with DOCKER_HOST, or install one: "
    "apt-get install -y docker.io"
)


class Daemon:
    """What is asked of it here. Every method raises EnvError where it does not do it."""

    def __init__(self) -> None:
        docker = require("docker", extra="docker")
        self._docker, self.address = docker, os.environ.get("DOCKER_HOST") or "unix:///var/run/docker.sock"
        try:
            self.client = docker.APIClient(**docker.utils.kwargs_from_env(), timeout=_SECONDS, version="auto")
        except docker.errors.DockerException as error:
            raise MissingExtraError(
                f"no container engine answers at {self.address} ({_last(error)}); {_TYPE}"
            ) from None

    def create(self, request: Mapping[str, Any]) -> str:
        """Make a container; its id. Raises UserError where there is no such image."""
        image = request["Image"]
        try:
            made = self._patiently(lambda: self.client.create_container_from_config(request))
        except self._docker.errors.ImageNotFound:
            found = f'the engine at {self.address} has no image "{image}"'
            raise UserError(f"{found}; see docker images, or leave it out for one that is made here") from None
        return str(made["Id"])

    def attach(self, id: str) -> socket.socket:
        """A connection to its standard streams."""
        parameters = {"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1}
        with self._told("attach to a container"):
            found = self.client.attach_socket(id, params=parameters)
        connection: socket.socket = getattr(found, "_sock", found)
        return connection

    def start(self, id: str) -> None:
        """Let it run. Raises UserError where the image has no Python for the server."""
        try:
            with self._told("start a container"):
                self.client.start(id)
        except EnvError as error:
            if '"python3": executable file not found' in str(error):
                raise UserError(f"the image has no python3, which a sandbox needs: {error}") from None
            raise

    def remove(self, id: str) -> None:
        """Kill it and remove it. That it is gone already, or the engine is, is no error: it is swept later."""
        with contextlib.suppress(self._docker.errors.APIError, OSError):
            self.client.remove_container(id, force=True, v=True)

    def containers(self, label: str) -> list[dict[str, Any]]:
        """Those that have a label, whether they run or not.

        An engine that was killed was seen to list one without a name for good, which no removal changed: such a one is
        taken for removed.
        """
        found = self._patiently(lambda: self.client.containers(all=True, filters={"label": label}))
        return [container for container in found if container["Names"]]

    def has_image(self, name: str) -> bool:
        """Whether there is an image of that name or id."""
        try:
            self._patiently(lambda: self.client.inspect_image(name))
        except self._docker.errors.ImageNotFound:
            return False
        return True

    def import_image(self, file: Path, tag: str, labels: Mapping[str, str]) -> None:
        """Make an image of a root file system."""
        name, _, version = tag.partition(":")
        changes = [f"LABEL {key}={value}" for key, value in labels.items()]
        with self._told("make an image"):
            self.client.import_image_from_file(str(file), repository=name, tag=version, changes=changes)

    # -- when it fails -------------------------------------------------------------------------------

    def _patiently(self, do: Callable[[], T]) -> T:
        """What ``do`` returns, which is tried again where the engine is not there."""
        until, wait = time.monotonic() + _PATIENCE_SECONDS, 0.05
        while True:
            try:
                with self._told("answer"):
                    return do()
            except _Gone as gone:
                if time.monotonic() + wait > until:
                    raise EnvError(f"{gone}, for {_PATIENCE_SECONDS:g} seconds; {_TYPE}") from None
            time.sleep(wait)
            wait = min(2 * wait, 2.0)

    @contextlib.contextmanager
    def _told(self, what: str) -> Iterator[None]:
        try:
            yield
        except self._docker.errors.NotFound:
            raise
        except self._docker.errors.APIError as error:
            raise EnvError(f"the engine at {self.address} did not {what}: {error.explanation or error}") from None
        except OSError as error:  # of requests too
            raise _Gone(f"the engine at {self.address} does not answer ({_last(error)})") from None


class _Gone(EnvError):
    """The engine is not there."""


def _last(error: BaseException) -> str:
    """The innermost reason, without what was around it."""
    while (cause := error.__cause__ or error.__context__) is not None:
        error = cause
    return str(error)


_HELD: list[tuple[int, Daemon]] = []
_LOCK = threading.Lock()


def daemon() -> Daemon:
    """This process's connection. Raises MissingExtraError, which says what to type, where no engine answers."""
    with _LOCK:
        if not _HELD or _HELD[0][0] != os.getpid():  # a fork has its parent's
            _HELD[:] = [(os.getpid(), Daemon())]
        return _HELD[0][1]
