"""Sandboxes that are ready before they are asked for.

The first of a kind is made when it is asked for. From then on as many as ``warm`` says stand ready, made in the
background while the policy thinks. Every sandbox is given once and never taken back, so the next one has no history.
"""

from __future__ import annotations

import atexit
import collections
import contextlib
import os
import threading

from agentgym.errors import EnvError, UserError
from agentgym.sandbox.docker import DockerSandbox
from agentgym.sandbox.local import LocalSandbox
from agentgym.sandbox.owner import is_mine
from agentgym.sandbox.sandbox import Sandbox
from agentgym.sandbox.spec import Spec
from agentgym.sandbox.sweep import sweep

__all__ = ["claim"]

_END_SECONDS = 5.0
"""For a sandbox that is being made when the process ends."""


def claim(spec: Spec, *, warm: int = 0, unsafe_local: bool = False) -> Sandbox:
    """A sandbox that nobody has used, which the caller closes; ``warm`` more are made ready for the next to ask.

    ``unsafe_local`` takes plain processes, which hold nobody. Raises EnvError where none can be made,
    MissingExtraError where there is no engine, UserError where it has no such image.
    """
    if unsafe_local:
        return LocalSandbox(spec)
    return _pools().claim(spec, warm)


class _Pools:
    """Those of one process."""

    def __init__(self) -> None:
        self.pid = os.getpid()
        self._lock = threading.Lock()
        self._ready: dict[str, collections.deque[DockerSandbox]] = collections.defaultdict(collections.deque)
        self._making: dict[str, threading.Thread] = {}
        self._is_over = False
        sweep()
        atexit.register(self.close)

    def claim(self, spec: Spec, warm: int) -> DockerSandbox:
        """One that answers."""
        while (sandbox := self._taken(spec)) is not None:
            try:
                sandbox.ping()
            except EnvError:  # it came to its end while it waited
                continue
            break
        self._refill(spec, warm)
        return sandbox or DockerSandbox(spec)

    def _taken(self, spec: Spec) -> DockerSandbox | None:
        with self._lock:
            ready = self._ready[spec.key]
            return ready.popleft() if ready else None

    def _refill(self, spec: Spec, warm: int) -> None:
        with self._lock:
            making = self._making.get(spec.key)
            is_full = len(self._ready[spec.key]) >= warm
            if is_full or self._is_over or (making is not None and making.is_alive()):
                return
            # A daemon: a program that leaves does not wait for a container that nobody will use.
            self._making[spec.key] = threading.Thread(target=self._make, args=(spec, warm), daemon=True)
            self._making[spec.key].start()

    def _make(self, spec: Spec, warm: int) -> None:
        while len(self._ready[spec.key]) < warm:
            try:
                sandbox = DockerSandbox(spec)
            except (EnvError, UserError):
                return  # whoever asks next makes one, and is told
            with self._lock:
                if not self._is_over:
                    self._ready[spec.key].append(sandbox)
                    continue
            sandbox.close()

    def close(self) -> None:
        """End those that were not asked for, and what else of this process's is left in the engine."""
        if self.pid != os.getpid():
            return  # a fork's copy: they are its parent's
        with self._lock:
            self._is_over = True
            left = [sandbox for ready in self._ready.values() for sandbox in ready]
            self._ready.clear()
            making = list(self._making.values())
        for sandbox in left:
            sandbox.close()
        for thread in making:  # each closes what it has begun: a container that was not started yet ends with nobody
            thread.join(_END_SECONDS)
        with contextlib.suppress(EnvError, UserError):  # the engine is gone: whoever asks next for a sandbox sweeps
            sweep(is_mine)


_HELD: list[_Pools] = []
_LOCK = threading.Lock()


def _pools() -> _Pools:
    with _LOCK:
        if not _HELD or _HELD[0].pid != os.getpid():
            _HELD[:] = [_Pools()]
        return _HELD[0]
