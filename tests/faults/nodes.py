"""A Ray cluster of two nodes that are real to each other: network namespaces with a cable between them.

    a   10.77.0.1   the head; who trains is here too
    b   10.77.0.2

Needs root, iproute2 and Ray. Nodes share the disk, as those of a cluster often do.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tests.kit import ROOT, eventually

__all__ = ["Nodes", "two_nodes", "why_not"]

_ADDRESSES = {"a": "10.77.0.1", "b": "10.77.0.2"}
PORT = 6379
_SOON = {
    "RAY_health_check_initial_delay_ms": "1000",
    "RAY_health_check_period_ms": "500",
    "RAY_health_check_timeout_ms": "1000",
    "RAY_health_check_failure_threshold": "4",
}
"""How a silent node is known after a few seconds, as it would be after half a minute."""


def why_not() -> str:
    """Why there can be no such cluster here, or ""."""
    for program in ("ip", "ray"):
        if shutil.which(program) is None:
            return f"needs {program}: apt-get install iproute2; pip install 'agentgym-lab[ray]'"
    name = f"agentgym-try-{os.getpid()}"
    tried = subprocess.run(["ip", "netns", "add", name], capture_output=True, text=True, check=False)
    if tried.returncode:
        return f"cannot make network namespaces: {tried.stderr.strip()}"
    subprocess.run(["ip", "netns", "delete", name], check=True)
    return ""


class Nodes:
    """The two; what they are called is their own."""

    def __init__(self, directory: Path, cpus: int) -> None:
        self.directory, self.cpus = directory, cpus
        self.asks_nobody = False
        """Whether nodes that are started from now on know no token."""
        self.tag = secrets.token_hex(2)
        self.address = f"{_ADDRESSES['a']}:{PORT}"
        self.token = directory / "token"
        self.token.write_text(secrets.token_hex(32))

    def space(self, node: str) -> str:
        """The network namespace of a node."""
        return f"agentgym-{self.tag}-{node}"

    def inode(self, node: str) -> str:
        """What a process there sees as its network."""
        return str(os.stat(f"/run/netns/{self.space(node)}").st_ino)

    def connect(self) -> None:
        """Lay the cable."""
        ends = {node: f"ag{self.tag}{node}" for node in _ADDRESSES}
        for node in _ADDRESSES:
            _ip("netns", "add", self.space(node))
        one, other = ([ends[node], "netns", self.space(node)] for node in _ADDRESSES)
        _ip("link", "add", *one, "type", "veth", "peer", "name", *other)
        for node, address in _ADDRESSES.items():
            _ip("-n", self.space(node), "address", "add", f"{address}/24", "dev", ends[node])
            _ip("-n", self.space(node), "link", "set", "lo", "up")
        self.mend()

    def cut(self) -> None:
        """Pull the cable: nothing gets through, and nobody is told."""
        _ip("-n", self.space("b"), "link", "set", f"ag{self.tag}b", "down")

    def mend(self) -> None:
        """Put it in again."""
        for node in _ADDRESSES:
            _ip("-n", self.space(node), "link", "set", f"ag{self.tag}{node}", "up")

    @property
    def environment(self) -> dict[str, str]:
        """Of whoever speaks to the cluster."""
        own = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(self.token), "RAY_USAGE_STATS_ENABLED": "0"}
        if self.asks_nobody:
            own["RAY_AUTH_MODE"] = "disabled"
        threads = {"OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}
        return {**os.environ, **_SOON, **own, **threads, "PYTHONPATH": str(ROOT)}

    def start(self, node: str) -> None:
        """Have the node be part of the cluster: the first is its head."""
        where = ["--node-ip-address", _ADDRESSES[node], "--num-cpus", str(self.cpus), "--disable-usage-stats"]
        store = ["--object-store-memory", str(128 << 20)]
        own = ["--include-dashboard", "false", "--temp-dir", str(self.directory / "ray")]
        head = ["--head", "--port", str(PORT), *own]
        role = head if node == "a" else ["--address", self.address]
        started = subprocess.run(
            [*self._within(node), "ray", "start", *role, *where, *store],
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert started.returncode == 0, started.stdout + started.stderr

    def processes(self, node: str) -> list[int]:
        """All that run there."""
        listed = subprocess.run(["ip", "netns", "pids", self.space(node)], capture_output=True, text=True, check=False)
        return [int(pid) for pid in listed.stdout.split()]

    def kill(self, node: str, *, but: set[int] | frozenset[int] = frozenset()) -> None:
        """All of them at once, as when the power fails; ``but`` are spared."""
        for _ in range(3):  # some may be about to start others
            for pid in set(self.processes(node)) - but:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        assert eventually(lambda: set(self.processes(node)) <= but)

    def named(self, node: str, part: str) -> list[int]:
        """Those whose command line has ``part`` in it."""
        found = []
        for pid in self.processes(node):
            with contextlib.suppress(OSError):
                if part in Path(f"/proc/{pid}/cmdline").read_text():
                    found.append(pid)
        return found

    def run(self, *command: str, log: Path, more: Mapping[str, str] | None = None) -> subprocess.Popen[bytes]:
        """Start a command on the first node."""
        with log.open("ab") as out:
            return subprocess.Popen(
                [*self._within("a"), *command],
                env={**self.environment, **(more or {})},
                stdout=out,
                stderr=out,
                start_new_session=True,
            )

    def train(self, *typed: str, log: Path) -> subprocess.Popen[bytes]:
        """Train there."""
        return self.run(sys.executable, "-m", "agentgym.cli", "train", *typed, log=log)

    def close(self) -> None:
        """Leave nothing."""
        for node in _ADDRESSES:
            with contextlib.suppress(AssertionError):
                self.kill(node)
            subprocess.run(["ip", "netns", "delete", self.space(node)], capture_output=True, check=False)

    def _within(self, node: str) -> list[str]:
        return ["ip", "netns", "exec", self.space(node)]


@contextlib.contextmanager
def two_nodes(*, cpus: int = 1, started: bool = True) -> Iterator[Nodes]:
    """Both, connected and started."""
    with tempfile.TemporaryDirectory(prefix="agnodes-", ignore_cleanup_errors=True) as directory:
        nodes = Nodes(Path(directory), cpus)
        try:
            nodes.connect()
            for node in _ADDRESSES if started else ():
                nodes.start(node)
            yield nodes
        finally:
            nodes.close()


def _ip(*arguments: Any) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True)
