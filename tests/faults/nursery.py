"""Runs ``agentgym`` in a process of its own, quickly, and kills it when told to.

    python tests/faults/nursery.py

A line of JSON on standard input is ``{"arguments": [...], "log": FILE, "kill": Kill or null, "temporary": folder or
null, "patience": seconds}``. The answer is the exit code, -9 where it was killed, how many processes were killed, how
many times it wrote to files, and what runs on or lies in shared memory when it is over: the program is forked from this
process, which has imported everything and done nothing else, and what its descendants leave becomes this one's.
"""

from __future__ import annotations

import ctypes
import json
import mmap
import os
import re
import signal
import sys
import tempfile
import time
import traceback
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib

matplotlib.use("Agg")

import scipy.stats  # noqa: F401
import torch
import torch.utils.tensorboard
import transformers

from agentgym import cli, launch
from agentgym.trainers import ppo, sft

_WARM = (launch, ppo, sft, torch.utils.tensorboard, transformers.AutoTokenizer, transformers.AutoModelForCausalLM)


class Kill(NamedTuple):
    """What is killed, and when: after so many seconds each, or in the middle of a write, counted from 1."""

    after: tuple[float, ...] = ()
    """Since a victim is there, and ``once``."""
    at_write: int | None = None
    below: tuple[str, ...] = ()
    """The way down from the program to the victim: of each process on it what its command line has. None: itself."""
    which: float = 0.0
    """From 0 to 1, where there are several."""
    once: str | None = None
    """A file."""


_SHARED = Path("/dev/shm")


def main() -> None:
    ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER
    is_alone = _alone_in_shared_memory()
    torch.set_num_threads(1)
    counter = mmap.mmap(-1, 8)
    print("ready", flush=True)
    for line in sys.stdin:
        command = json.loads(line)
        kill = Kill(*command["kill"]) if command["kill"] else Kill()
        counter[:] = bytes(8)
        child = os.fork()
        if not child:
            _agentgym(command, kill, counter)
        code, killed = _watched(child, kill)
        left = _left(command["patience"]) + (_left_in_memory() if is_alone else [])
        print(json.dumps([code, killed, int.from_bytes(counter[:], "little"), left]), flush=True)


def _alone_in_shared_memory() -> bool:
    """Have one for this process and what it starts, so that what lies there is theirs; only root can."""
    libc, private, recursive = ctypes.CDLL(None), 1 << 18, 1 << 14
    if libc.unshare(0x00020000):  # CLONE_NEWNS
        return False
    flags = ctypes.c_ulong(private | recursive)
    is_private = not libc.mount(None, b"/", None, flags, None)
    return is_private and not libc.mount(b"tmpfs", str(_SHARED).encode(), b"tmpfs", ctypes.c_ulong(0), None)


def _agentgym(command: dict[str, Any], kill: Kill, counter: mmap.mmap) -> None:
    """What the console script does."""
    log = os.open(command["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(log, 1)
    os.dup2(log, 2)
    if command["temporary"]:
        tempfile.tempdir = os.environ["TMPDIR"] = command["temporary"]
    sys.argv = ["agentgym", *command["arguments"]]
    writes = ctypes.CDLL(os.environ["LD_PRELOAD"]) if "LD_PRELOAD" in os.environ else None
    if writes is not None:
        writes.arm(ctypes.c_long(kill.at_write or -1))
    code = 1
    try:
        cli.main()
        code = 0
    except SystemExit as left:
        code = int(left.code or 0)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        if writes is not None:
            counter[:] = int(writes.counted()).to_bytes(8, "little")
        os._exit(code)


def _watched(child: int, kill: Kill) -> tuple[int, int]:
    """The exit code of ``child``, and how many of its processes were killed on the way."""
    killed, began, due = 0, None, sorted(kill.after)
    while True:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            code = os.waitstatus_to_exitcode(status)
            return code, killed or int(code == -signal.SIGKILL)
        now = time.monotonic()
        if due and began is None and (kill.once is None or Path(kill.once).exists()):
            began = now if _victim(child, kill) is not None else None
        # The child is not waited for yet: its id, and those of its children, are still theirs.
        if began is not None and due and now >= began + due[0] and (victim := _victim(child, kill)) is not None:
            os.kill(victim, signal.SIGKILL)
            killed += 1
            due.pop(0)
        time.sleep(0.01 if kill.below else 0.001)


def _victim(pid: int, kill: Kill) -> int | None:
    """Whom it is about; None where there is nobody at the moment."""
    for text in kill.below:
        found = [each for each in children_of(pid) if re.search(text, command_of(each))]
        if not found:
            return None
        pid = found[min(int(kill.which * len(found)), len(found) - 1)]
    return pid


def children_of(pid: int) -> list[int]:
    """Those that run."""
    try:
        listed = [each.read_text().split() for each in Path(f"/proc/{pid}/task").glob("*/children")]
    except OSError:
        return []
    return sorted(int(child) for children in listed for child in children if command_of(int(child)))


def command_of(pid: int) -> str:
    """Its command line; empty where it is over."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
    except OSError:
        return ""


def _left(patience: float) -> list[str]:
    """Command lines of what runs on so many seconds after it should have ended, and goes now."""
    ends = time.monotonic() + patience
    while True:
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                continue
        except ChildProcessError:
            return []
        if time.monotonic() > ends:
            break
        time.sleep(0.005)
    left = {child: command_of(child) for child in children_of(os.getpid())}
    for child in left:
        os.kill(child, signal.SIGKILL)
    return list(left.values())


def _left_in_memory() -> list[str]:
    """Files that are still there, and go now."""
    left = [path for path in _SHARED.rglob("*") if not path.is_dir()]
    for path in left:
        path.unlink()
    return list(map(str, left))


if __name__ == "__main__":
    main()
