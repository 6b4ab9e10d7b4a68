"""The connection to Ray: who may speak to it, which nodes there are, actors on them.

Whoever can reach a Ray cluster can run code there, and by default Ray asks nobody who he is (CVE-2023-48022). Here it
asks always: a cluster that is started has a token of its own, and one that is joined without a token, or that answers
those who have none, is refused. So are versions before 2.52, which have no tokens (and CVE-2025-62593). The dashboard
is off where the cluster is started here.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import AsyncIterator, Awaitable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from agentgym.cluster import guard
from agentgym.errors import AgentGymError, UserError
from agentgym.extras import require
from agentgym.variables import variables_set

__all__ = ["Cluster", "Lost", "Node", "joined"]

_LEAST = (2, 52)
"""The first version of Ray that knows tokens."""
_OBJECT_STORE_BYTES = 1 << 30
"""Shared memory of a cluster that is started here, for weights."""
_LONGEST = 20
"""Characters of the place for Ray's sockets: their paths may have 107, of which Ray and its session take the rest."""
_SECONDS = 30.0
"""For a cluster to answer."""
_CONNECT_SECONDS = 10.0
_ASK = """
import sys
from ray._raylet import GcsClient
GcsClient(address=sys.argv[1]).internal_kv_get(b"agentgym", None, timeout=10)
"""
"""Is answered where nobody is asked for a token."""


class Lost(AgentGymError):
    """An actor, its node or the cluster does not answer any more."""


class Node(NamedTuple):
    """A machine of the cluster."""

    id: str
    address: str
    cpus: float


class Cluster:
    """A Ray cluster that this process has joined."""

    def __init__(self, ray: Any) -> None:
        self._ray = ray

    async def nodes(self) -> list[Node]:
        """Those that are alive. Raises Lost where the cluster does not answer."""
        try:
            found = await asyncio.to_thread(self._ray.nodes)
        except self._ray.exceptions.RayError as error:
            raise Lost(_told(error)) from error
        return [
            Node(node["NodeID"], node["NodeManagerAddress"], node["Resources"].get("CPU", 0.0))
            for node in found
            if node["Alive"]
        ]

    def actor(
        self,
        kind: type,
        *args: bytes,
        cpus: float = 0,
        gpus: float = 0,
        on: Node | None = None,
        place: Any = None,
        concurrency: int = 10_000,
    ) -> Any:
        """A ``kind`` made of ``args`` in a process of the cluster: on a node, or in a part that was set aside.

        Its methods are called ``concurrency`` at a time; one at a time, they have the main thread.
        """
        strategies = self._ray.util.scheduling_strategies
        options: dict[str, Any] = {"num_cpus": cpus, "num_gpus": gpus, "max_concurrency": concurrency}
        if on is not None:
            options["scheduling_strategy"] = strategies.NodeAffinitySchedulingStrategy(node_id=on.id, soft=False)
        elif place is not None:
            group, index = place
            options["scheduling_strategy"] = strategies.PlacementGroupSchedulingStrategy(
                placement_group=group, placement_group_bundle_index=index
            )
        return self._ray.remote(kind).options(**options).remote(*args)

    @property
    def own_address(self) -> str:
        """Of this machine, as the nodes know it."""
        return str(self._ray.util.get_node_ip_address())

    async def set_aside(self, number: int, *, cpus: float, gpus: float, what: str = "engines") -> Any:
        """``number`` parts of the cluster, on different nodes where there are as many. Raises UserError for want."""
        bundle = {"CPU": cpus, **({"GPU": gpus} if gpus else {})}
        group = self._ray.util.placement_group([bundle] * number, strategy="SPREAD")
        try:
            async with asyncio.timeout(_SECONDS):
                await self.asked(group.ready())
        except TimeoutError:
            self.give_back(group)
            found = self._ray.cluster_resources()
            raise UserError(
                f"{number} {what} with {cpus:g} CPUs{f' and {gpus:g} GPUs' if gpus else ''} each do not fit the "
                f"cluster, which has {found.get('CPU', 0):g} CPUs and {found.get('GPU', 0):g} GPUs in all, some of "
                f"them taken; type a smaller --cluster.{what}"
            ) from None
        return group

    def give_back(self, group: Any) -> None:
        """Let others have what was set aside."""
        with contextlib.suppress(self._ray.exceptions.RayError):
            self._ray.util.remove_placement_group(group)

    async def put(self, data: bytes) -> Any:
        """A reference to ``data`` in the cluster's shared memory; whoever is sent it is given the bytes."""
        return await asyncio.to_thread(self._ray.put, data)

    async def asked(self, call: Awaitable[Any]) -> Any:
        """What an actor answers. Raises Lost where it does not any more; cancelling the wait cancels the call."""
        try:
            return await call
        except self._ray.exceptions.RayError as error:
            raise Lost(_told(error)) from error
        except asyncio.CancelledError:
            with contextlib.suppress(Exception):  # it is over, or its actor is
                self._ray.cancel(call)
            raise

    def kill(self, actor: Any) -> None:
        """End an actor at once. Without effect where it has ended."""
        with contextlib.suppress(self._ray.exceptions.RayError):
            self._ray.kill(actor)


@contextlib.asynccontextmanager
async def joined(address: str | None) -> AsyncIterator[Cluster]:
    """The cluster at ``address``; None: one that is started here and ends with the block.

    Raises MissingExtraError where Ray is not installed, UserError for a version, an address or a token that won't do.
    """
    if _HELD and _HELD[0][0] == address:
        yield _HELD[0][1]  # of this very run
        return
    environment = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_AUTH_MODE": "token"}
    with contextlib.ExitStack() as closing:
        if address is None:
            place = tempfile.gettempdir()
            directory = tempfile.mkdtemp(prefix="agentgym-ray-", dir=place if len(place) <= _LONGEST else "/tmp")
            closing.enter_context(_guarded(directory))
            environment["RAY_AUTH_TOKEN"] = _own_token()
            environment["RAY_worker_niceness"] = "0"  # by default what works there gives way to all else
            environment["RAY_gcs_rpc_server_reconnect_timeout_s"] = "10"  # nobody brings this head back: 60 by default
        elif _has_token():
            await asyncio.to_thread(_refuse_silent, address)
        else:
            raise UserError(
                f"no token for the cluster at {address}: without one anybody who reaches it can run code there; type, "
                "before the nodes are started and here: export RAY_AUTH_MODE=token RAY_AUTH_TOKEN_PATH=FILE"
            )
        closing.enter_context(variables_set(environment))
        ray = _ray()
        if ray.is_initialized():
            raise UserError("this process has joined a Ray cluster already; leave it first: ray.shutdown()")
        if address is None:
            settings = {
                "num_cpus": os.cpu_count(),
                "include_dashboard": False,
                "object_store_memory": _OBJECT_STORE_BYTES,
                "_temp_dir": directory,
                "_node_ip_address": "127.0.0.1",
            }
        else:
            settings = {"address": address}
        await asyncio.to_thread(_start, ray, address, settings)
        closing.callback(ray.shutdown)
        _heed_sigterm()
        if address is not None:
            await asyncio.to_thread(_refuse_open, ray.get_runtime_context().gcs_address)
        _HELD.append((address, cluster := Cluster(ray)))
        closing.callback(_HELD.clear)
        yield cluster


_HELD: list[tuple[str | None, Cluster]] = []
"""The one that this process has joined, and by which address."""


@functools.cache
def _own_token() -> str:
    """Of the clusters that this process starts: Ray reads a process's token once."""
    return secrets.token_hex(32)


@contextlib.contextmanager
def _guarded(directory: str) -> Iterator[None]:
    """Nothing of a cluster that keeps its files in ``directory`` outlives the block, or this process."""
    process = subprocess.Popen(
        [sys.executable, "-IS", guard.__file__, directory, str(os.getpid())],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield
    finally:
        process.communicate()


def _ray() -> Any:
    """Raises MissingExtraError, and UserError for a version that cannot be made safe."""
    ray = require("ray", extra="ray")
    version = tuple(int(part) for part in ray.__version__.split(".")[:2])
    if version < _LEAST:
        raise UserError(
            f"Ray {ray.__version__} lets everybody who reaches it run code (CVE-2023-48022, CVE-2025-62593); type: "
            "pip install -U 'agentgym-lab[ray]'"
        )
    require("ray.util.scheduling_strategies", extra="ray")
    return ray


def _start(ray: Any, address: str | None, settings: Mapping[str, Any]) -> None:
    """Called in a thread of its own, where Ray leaves the signals to us; it would say so."""
    logging.getLogger("ray").setLevel(logging.ERROR)
    try:
        with _out_of_reach(ray._private.services):
            ray.init(**settings, log_to_driver=False, configure_logging=False)
    except Exception as error:  # Ray has plain ones too, as for a machine that is so busy that it gives up
        if address is None:
            raise UserError(f"Ray cannot be started here: {_told(error)}") from error
        raise UserError(
            f"the Ray cluster at {address} cannot be joined: {_told(error)}; expected the address that ray start "
            "--head told, a token that is the cluster's, and the cluster's versions of Ray and Python"
        ) from error


@contextlib.contextmanager
def _out_of_reach(services: Any) -> Iterator[None]:
    """Has Ray start its processes in groups of their own: torchrun asks all of a rank's group to end at once.

    They end with this process however it ends; until then what is being saved and given back needs them.
    """
    usual = services.ConsolePopen
    services.ConsolePopen = functools.partial(usual, process_group=0)
    try:
        yield
    finally:
        services.ConsolePopen = usual


def _heed_sigterm() -> None:
    """Have SIGTERM handled as before: Ray takes it for a crash, and aborts three seconds later, saved or not.

    Its handler is put in place by its core, whatever Python knows.
    """
    handler = signal.getsignal(signal.SIGTERM)
    if handler is not None and threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, handler)


def _refuse_silent(address: str) -> None:
    """Raise UserError where nobody listens: Ray itself would wait for minutes."""
    host, colon, port = address.rpartition(":")
    if not colon:
        return  # "auto"
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=_CONNECT_SECONDS).close()
    except (OSError, ValueError) as error:
        raise UserError(
            f"no Ray cluster answers at {address} ({error}); expected the address that ray start --head told, as "
            "ray:10.0.0.1:6379"
        ) from None


def _refuse_open(address: str) -> None:
    """Raise UserError for a cluster that answers whoever has no token."""
    without = {name: value for name, value in os.environ.items() if not name.startswith("RAY_AUTH")}
    command = [sys.executable, "-c", _ASK, address]
    try:
        found = subprocess.run(
            command, env={**without, "RAY_AUTH_MODE": "disabled"}, capture_output=True, timeout=_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        return  # it was not answered
    if found.returncode == 0:
        raise UserError(
            f"the Ray cluster at {address} asks nobody for a token, so anybody who reaches it can run code there; "
            "start its nodes anew after: export RAY_AUTH_MODE=token RAY_AUTH_TOKEN_PATH=FILE"
        )


def _has_token() -> bool:
    file = os.environ.get("RAY_AUTH_TOKEN_PATH") or Path.home() / ".ray" / "auth_token"
    return bool(os.environ.get("RAY_AUTH_TOKEN")) or Path(file).is_file()


def _told(error: BaseException) -> str:
    """The first line of what it says."""
    return next(iter(str(error).strip().splitlines()), "") or type(error).__name__
