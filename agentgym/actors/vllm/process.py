"""One life of vLLM's engine core: started in a session of its own, ended without leaving anything.

What vLLM's processes print goes to a file, so that their last words are there when they fail to start and a terminal
stays clean. They get no Ctrl-C, which is the trainer's to answer, and the kernel kills the core with the trainer. What
they map in /dev/shm is looked up while they live and removed after them, since a killed process removes nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from multiprocessing import resource_tracker, spawn
from pathlib import Path
from typing import Any

from vllm.engine.arg_utils import AsyncEngineArgs
from vllm.v1.engine import utils
from vllm.v1.engine.async_llm import AsyncLLM

from agentgym.actors.vllm import guard
from agentgym.actors.vllm.probe import is_quiet
from agentgym.errors import EngineError
from agentgym.variables import variables_set

__all__ = ["Core", "Guard"]

_BOOT = """\
import ctypes, os, signal, sys
for name in set(os.environ) & {of_a_rank!r}:
    del os.environ[name]
os.setsid()
ctypes.CDLL(None).prctl(1, signal.SIGKILL)
log = {log!r}
if log:
    out = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(out, 1)
    os.dup2(out, 2)
os.execv({python!r}, [{python!r}, *sys.argv[1:]])
"""
"""Becomes the engine core: PR_SET_PDEATHSIG (1) holds across exec, for the thread that starts it, the engine's own."""

_OF_A_RANK = {
    *("RANK", "WORLD_SIZE", "LOCAL_RANK", "GROUP_RANK", "ROLE_RANK", "ROLE_WORLD_SIZE"),
    *("MASTER_ADDR", "MASTER_PORT", "TORCHELASTIC_USE_AGENT_STORE"),
}
"""What torchrun tells a rank, and vLLM's processes are none: told the last, they would wait for a store to be there.

LOCAL_WORLD_SIZE is vLLM's own by then.
"""

_SPAWNING = threading.Lock()


class Guard:
    """The process that cleans up after this one."""

    def __init__(self, directory: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-IS", guard.__file__, str(directory), str(os.getpid())],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def watch(self, core: Core) -> None:
        """What is to go, in place of what was told before."""
        assert self._process.stdin is not None
        told = " ".join([core.processes, *(f"/dev/shm/{name}" for name in sorted(core.segments))])
        with contextlib.suppress(BrokenPipeError):  # somebody killed it: the kernel still ends the core
            self._process.stdin.write(f"{told}\n".encode())
            self._process.stdin.flush()

    def close(self) -> None:
        """Let it do its work and wait for its end."""
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        self._process.wait()


class Core:
    """A running engine core. Made in the event loop that will serve it; blocks that loop while it starts."""

    def __init__(self, settings: dict[str, Any], directory: Path, variables: dict[str, str]) -> None:
        self.died = asyncio.Event()
        log = directory / "vllm.log" if is_quiet() else None
        self._log_begins = log.stat().st_size if log and log.exists() else 0
        self._log = log
        loop = asyncio.get_running_loop()
        private = {"VLLM_RPC_BASE_PATH": str(directory), "TMPDIR": str(directory)}  # gone with it, however it ends
        with variables_set(private | variables), _own_session(directory, log):
            try:
                self.llm = AsyncLLM.from_engine_args(AsyncEngineArgs(**settings))
            except Exception as error:
                raise EngineError(f"vLLM did not start: {self.last_words() or error}") from error
        if log:  # a core's death is ours to tell
            logging.getLogger("vllm.v1.engine.async_llm").setLevel(logging.CRITICAL)
        self._process = self.llm.engine_core.resources.engine_manager.processes[0]
        self.processes = " ".join(f"{pid}:{guard.start_time(pid)}" for pid in _family(self._process.pid))
        self.segments = self._mapped()
        self._sentinel: int = self._process.sentinel
        loop.add_reader(self._sentinel, self._notice)

    @property
    def pid(self) -> int:
        """Of the engine core itself; its workers are its children."""
        return int(self._process.pid)

    def last_words(self) -> str:
        """The last error in the log of this life."""
        if self._log is None or not self._log.exists():
            return ""
        with self._log.open("rb") as file:
            file.seek(self._log_begins)
            text = file.read().decode(errors="replace")
        errors = re.findall(r"^(?:\(.*?\) ERROR .*?\] )?((?:\w+\.)*\w*(?:Error|Exception): .+)$", text, re.MULTILINE)
        told = [error for error in errors if "initialization failed" not in error]
        return told[-1].strip() if told else ""

    def _mapped(self) -> set[str]:
        return {name for process in self.processes.split() for name in _segments(process.partition(":")[0])}

    def _notice(self) -> None:
        asyncio.get_running_loop().remove_reader(self._sentinel)
        self.died.set()

    def end(self) -> None:
        """Kill it and remove what it had in memory. Called in its event loop."""
        asyncio.get_running_loop().remove_reader(self._sentinel)
        self.segments |= self._mapped()
        guard.end(self.processes)
        self._process.join()
        self.llm.shutdown()
        for pid in self.processes.split():
            _await_end(pid)
        for name in self.segments:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(f"/dev/shm/{name}")
                resource_tracker.unregister(f"/{name}", "shared_memory")


@contextlib.contextmanager
def _own_session(directory: Path, log: Path | None) -> Iterator[None]:
    """Has the engine core started by ``_BOOT``.

    Only while vLLM's own process is being started is multiprocessing's interpreter another one: processes that other
    threads start in the seconds until the engine is ready are none of ours.
    """
    boot = directory / "python"
    python = sys.executable
    (directory / "boot.py").write_text(_BOOT.format(python=python, log=str(log or ""), of_a_rank=_OF_A_RANK))
    boot.write_text(f'#!/bin/sh\nexec "{python}" -IS "{directory}/boot.py" "$@"\n')
    boot.chmod(0o700)
    launching: Any = utils
    found = launching.get_mp_context

    def context() -> Any:
        return _Booted(found(), boot)

    launching.get_mp_context = context
    try:
        yield
    finally:
        launching.get_mp_context = found


class _Booted:
    """A multiprocessing context, or a process of it, in which ``executable`` is what starts a process."""

    def __init__(self, inner: Any, executable: Path) -> None:
        self._inner, self._executable = inner, executable

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def Process(self, *args: Any, **kwargs: Any) -> Any:
        return _Booted(self._inner.Process(*args, **kwargs), self._executable)

    def start(self) -> None:
        resource_tracker.ensure_running()  # it is started by the same executable, and must outlive us
        with _SPAWNING:
            usual = spawn.get_executable()
            spawn.set_executable(str(self._executable))
            try:
                self._inner.start()
            finally:
                spawn.set_executable(usual)


def _family(pid: int) -> list[int]:
    """``pid`` and the processes below it that live."""
    pids = [path.parent.name for path in Path("/proc").glob("[0-9]*/stat")]
    parents = {int(pid): _field(pid, 1) for pid in pids if _field(pid, 0) != "Z"}
    found = [pid]
    for member in found:
        found += [child for child, parent in parents.items() if parent == str(member)]
    return found


def _segments(pid: str) -> set[str]:
    """Names of the shared memory that multiprocessing made and the process maps; none if it is gone."""
    with contextlib.suppress(OSError):
        return set(re.findall(r"/dev/shm/(psm_\w+)$", Path(f"/proc/{pid}/maps").read_text(), re.MULTILINE))
    return set()


def _await_end(process: str) -> None:
    pid, _, start = process.partition(":")
    while guard.start_time(int(pid)) == start and _field(pid, 0) not in (None, "Z"):
        time.sleep(0.005)


def _field(pid: str, number: int) -> str | None:
    """Of /proc/PID/stat, counted from the state; None when the process is gone."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[number]
    return None
