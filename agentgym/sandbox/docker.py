"""Sandboxes in containers, of Docker or of whatever speaks its API at DOCKER_HOST, such as Podman."""

from __future__ import annotations

import contextlib
import secrets
import socket
import time
from typing import Any

from agentgym.sandbox.channel import Channel, Lost
from agentgym.sandbox.daemon import daemon
from agentgym.sandbox.inside import LOADER, source
from agentgym.sandbox.owner import labels
from agentgym.sandbox.served import ServedSandbox
from agentgym.sandbox.spec import USERS, Spec

__all__ = ["CAPABILITIES", "DockerSandbox"]

_START_SECONDS = 60.0
_SPARE_PROCESSES = 16
"""For the server and for root, beyond what the agent may have."""

CAPABILITIES = ("CHOWN", "DAC_OVERRIDE", "FOWNER", "KILL", "SETGID", "SETUID")
"""The server's: to become the agent, to end its processes, to keep and bring back its files. The agent has none of
them, and no way to any: what it runs gains no privileges."""


_NO_IPC = {"fs.mqueue.queues_max": "0", "kernel.msgmni": "0", "kernel.sem": "250 32000 32 0", "kernel.shmmni": "0"}
"""No queues, semaphores and shared memory of System V, which would outlive processes and be no files."""


class DockerSandbox(ServedSandbox):
    """A container with the server as its process 1."""

    def __init__(self, spec: Spec) -> None:
        super().__init__(spec)
        self.uid = USERS[secrets.randbelow(len(USERS))]
        self.id = ""
        self._daemon = daemon()
        try:
            self._start()
        except BaseException:
            self.close()
            raise

    def _start(self) -> None:
        self.id = self._daemon.create(self._request())
        stream = MuxedStream(self._daemon.attach(self.id))
        self._daemon.start(self.id)
        channel = Channel(stream, max_body=self.spec.limits.disk + (1 << 20))
        roots = {path: path for path in (*self.spec.writable, "/dev/shm")}
        self.begin(channel, seconds=_START_SECONDS, uid=self.uid, roots=roots, rlimits={}, mark="", directory="")

    def _request(self) -> dict[str, Any]:
        request: dict[str, Any] = self._daemon.client.create_container_config(
            image=self.spec.image,
            entrypoint=["python3"],
            command=["-I", "-S", "-c", LOADER, str(len(source()))],
            host_config=self._daemon.client.create_host_config(**self._bounds()),
            hostname="sandbox",
            labels=labels(),
            stdin_open=True,
            user="0:0",
            working_dir="/",
        )
        request["StdinOnce"] = True  # the end of the connection is that of the server's input, and so of the container
        return request

    def _bounds(self) -> dict[str, Any]:
        """What the container may do and use."""
        limits = self.spec.limits
        memory = limits.memory + limits.disk * (len(self.spec.writable) + 1)  # files are in memory, and counted with it
        size = f"rw,exec,nosuid,nodev,size={limits.disk},nr_inodes={limits.inodes}"
        return {
            "auto_remove": True,
            "cap_add": list(CAPABILITIES),
            "cap_drop": ["ALL"],
            "ipc_mode": "private",
            "log_config": {"Type": "none"},
            "mem_limit": memory,
            "memswap_limit": memory,
            "nano_cpus": int(limits.cpus * 1e9),
            "network_mode": "none",
            "pids_limit": limits.processes + _SPARE_PROCESSES,
            "read_only": True,
            "security_opt": ["no-new-privileges"],
            "shm_size": limits.disk,
            "sysctls": _NO_IPC,
            "tmpfs": dict.fromkeys(self.spec.writable, f"{size},mode=0755,uid={self.uid},gid={self.uid}"),
            "ulimits": [
                {"Name": "core", "Soft": 0, "Hard": 0},
                {"Name": "nofile", "Soft": limits.open_files, "Hard": limits.open_files},
                {"Name": "nproc", "Soft": limits.processes, "Hard": limits.processes},
            ],
        }

    def destroy(self) -> None:
        if self.id:
            self._daemon.remove(self.id)
            self.id = ""


class MuxedStream:
    """The connection to a container's standard streams: pieces of output and errors, each after a header of 8 bytes."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._received = bytearray()
        self._errors = b""

    def send(self, data: bytes, deadline: float) -> None:
        try:
            self._connection.settimeout(max(0.001, deadline - time.monotonic()))
            self._connection.sendall(data)
        except OSError as error:
            raise Lost(f"it does not listen ({error}){self._said}") from None

    def receive(self, size: int, deadline: float) -> bytes:
        while len(self._received) < size:
            self._take_piece(deadline)
        taken = bytes(self._received[:size])
        del self._received[:size]
        return taken

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._connection.close()

    def _take_piece(self, deadline: float) -> None:
        header = b""
        while len(header) < 8:
            header += self._some(8 - len(header), deadline)
        left = int.from_bytes(header[4:], "big")
        while left:
            piece = self._some(min(left, 1 << 20), deadline)
            left -= len(piece)
            if header[0] == 1:
                self._received += piece
            else:
                self._errors = (self._errors + piece)[-2000:]

    def _some(self, size: int, deadline: float) -> bytes:
        try:
            self._connection.settimeout(max(0.001, deadline - time.monotonic()))
            piece = self._connection.recv(size)
        except TimeoutError:
            raise Lost(f"it does not answer{self._said}") from None
        except OSError as error:
            raise Lost(f"it is not to be reached ({error}){self._said}") from None
        if not piece:
            raise Lost(f"it has ended{self._said}")
        return piece

    @property
    def _said(self) -> str:
        said = self._errors.decode("utf-8", "replace").strip()
        return f": {said}" if said else ""
