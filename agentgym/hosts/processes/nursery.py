"""The process that environments' processes are forked from.

It imports the environment's module once and starts no thread, so that a fork takes milliseconds and is safe. It knows
which child is which until it has reaped it, so that no other process is ever killed for one; it adopts what the
environments leave behind; and when its parent is gone, however that came about, it kills them all and leaves.

What it is told: {"id", "options"} first, then {"open": number} with a socket, and {"kill": number}. What it tells:
{"ready"} or {"failed"}, and {"died": number, "status", "last"}, status as in ``subprocess`` (negative for a signal) and
last what was printed last.
"""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import faulthandler
import gc
import os
import selectors
import signal
import socket
import threading
import traceback
from pathlib import Path
from typing import Any, NoReturn

from agentgym.hosts.failures import Failure, bounded
from agentgym.hosts.processes import child
from agentgym.hosts.processes.frames import Frames, Packet, framed
from agentgym.registry import EnvFactory, plugins

__all__ = ["main"]

_LAST_BYTES = 4000


def main(control: int, parent: int) -> NoReturn:
    """Serve on the descriptor ``control``, for the process ``parent``, and leave."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which then closes this process
    faulthandler.enable()
    child.set_subreaper()
    os.dup2(2, 1)
    os.set_inheritable(control, False)
    nursery = _Nursery(socket.socket(fileno=control), parent)
    try:
        nursery.serve()
    except BaseException:
        traceback.print_exc()
    finally:
        _kill_descendants()
        os._exit(0)  # whatever the environment's module has started or left to be done at exit


@dataclasses.dataclass(slots=True)
class _Child:
    number: int
    pid: int
    output: int
    last: bytes = b""

    def read(self) -> bool:
        """Take in what it printed; False where there is nothing more for now."""
        try:
            data = os.read(self.output, 1 << 16)
        except BlockingIOError:
            return False
        self.last = (self.last + data)[-_LAST_BYTES:]
        return bool(data)

    def kill(self) -> None:
        """Kill it and its group. It must not be reaped yet: its id could be another's."""
        os.kill(self.pid, signal.SIGKILL)
        with contextlib.suppress(ProcessLookupError):  # it had no time yet to begin a group
            os.killpg(self.pid, signal.SIGKILL)


class _Nursery:
    def __init__(self, control: socket.socket, parent: int) -> None:
        self._control, self._parent, self._is_over = control, parent, False
        self._factory = EnvFactory("")
        self._frames = Frames()
        self._gifts: collections.deque[int] = collections.deque()
        self._words: collections.deque[bytes] = collections.deque()
        self._children: dict[int, _Child] = {}
        self._selector = selectors.PollSelector()  # nothing in the kernel that forked processes would share
        self._own: list[int] = [control.fileno()]

    def serve(self) -> None:
        """Until the parent says no more, or is no more."""
        self._control.setblocking(False)
        self._selector.register(self._control, selectors.EVENT_READ, self._on_control)
        self._watch_children()
        self._watch_parent()
        while not self._is_over:
            for key, _ in self._selector.select():
                key.data()

    def _watch_children(self) -> None:
        awake, wake = socket.socketpair()
        for sock in (awake, wake):
            sock.setblocking(False)
            self._own.append(sock.detach())
        *_, reader, writer = self._own
        signal.signal(signal.SIGCHLD, lambda *_: None)  # without a handler, nothing is written to the wakeup descriptor
        signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        self._selector.register(reader, selectors.EVENT_READ, lambda: self._reap(reader))

    def _watch_parent(self) -> None:
        """Its end of the socket may have been inherited by another process, which is not to keep this one."""
        with contextlib.suppress(OSError, AttributeError):  # an old kernel: the socket must do
            self._own.append(os.pidfd_open(self._parent))
            self._selector.register(self._own[-1], selectors.EVENT_READ, self._finish)
        if os.getppid() != self._parent:
            self._finish()

    def _finish(self) -> None:
        self._is_over = True

    # -- the parent ----------------------------------------------------------------------------------

    def _on_control(self) -> None:
        self._speak()
        try:
            data, gifts, _, _ = socket.recv_fds(self._control, 1 << 16, 64)
        except BlockingIOError:
            return
        except OSError:
            data, gifts = b"", []
        self._gifts.extend(gifts)
        if not data:
            return self._finish()
        for packet in self._frames.feed(data):
            self._obey(packet.head)

    def _obey(self, order: dict[str, Any]) -> None:
        match order:
            case {"id": str(id), "options": dict(options), "augment": dict(augment)}:
                self._load(EnvFactory(id, options, augment))
            case {"open": int(number)}:
                self._open(number, self._gifts.popleft())
            case {"kill": int(number)} if number in self._children:
                self._children[number].kill()

    def _tell(self, **head: Any) -> None:
        self._words.append(framed(Packet(head)))
        self._speak()

    def _speak(self) -> None:
        """Never waits: a parent that does not listen may still give orders."""
        try:
            while self._words:
                sent = self._control.send(self._words[0])
                if rest := self._words.popleft()[sent:]:
                    self._words.appendleft(rest)
        except OSError as error:
            if not isinstance(error, BlockingIOError):  # then the rest is said when there is room
                self._finish()
        events = selectors.EVENT_READ | (selectors.EVENT_WRITE if self._words else 0)
        self._selector.modify(self._control, events, self._on_control)

    def _load(self, factory: EnvFactory) -> None:
        """Import the environment's module, and let its class load what all instances share."""
        self._factory = factory
        child.die_with_parent(signal.SIGKILL)  # an import may take for ever, and nothing else is heeded meanwhile
        try:
            _preload(factory)
        except BaseException as error:
            return self._tell(failed=Failure.of(error))
        finally:
            child.die_with_parent(0)
        gc.collect()
        gc.freeze()  # a collection in a forked process would copy every page that it looks at
        self._tell(ready=[thread.name for thread in threading.enumerate()[1:]])

    # -- the children --------------------------------------------------------------------------------

    def _open(self, number: int, gift: int) -> None:
        output, printed = os.pipe()
        nursery = os.getpid()
        try:
            pid = os.fork()
        except OSError as error:
            os.close(output)
            self._tell(died=number, status=None, last=f"fork: {error}")
        else:
            if not pid:
                self._leave(output)
                child.run(socket.socket(fileno=gift), printed, self._factory, nursery)
            os.set_blocking(output, False)
            self._children[number] = one = _Child(number, pid, output)
            self._selector.register(output, selectors.EVENT_READ, lambda: self._hear(one))
        os.close(printed)
        os.close(gift)

    def _leave(self, output: int) -> None:
        """In the forked process: let go of all that is the nursery's."""
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for descriptor in (output, *self._own, *self._gifts, *(other.output for other in self._children.values())):
            os.close(descriptor)

    def _hear(self, one: _Child) -> None:
        if one.number in self._children and not one.read():  # not reaped a moment ago
            self._deafen(one)

    def _deafen(self, one: _Child) -> None:
        with contextlib.suppress(KeyError):  # it closed its output itself, before
            self._selector.unregister(one.output)

    def _reap(self, awake: int) -> None:
        os.read(awake, 4096)
        while (pid := _dead_child()) is not None:
            one = next((one for one in self._children.values() if one.pid == pid), None)
            if one is not None:
                one.kill()  # the others of its group
            _, status = os.waitpid(pid, 0)
            if one is not None:
                self._bury(one, os.waitstatus_to_exitcode(status))

    def _bury(self, one: _Child, status: int) -> None:
        del self._children[one.number]
        for _ in range(64):  # what is left in the pipe; a stray descendant may still be writing
            if not one.read():
                break
        self._deafen(one)
        os.close(one.output)
        self._tell(died=one.number, status=status, last=bounded(one.last.decode("utf-8", "replace").strip()))


def _preload(factory: EnvFactory) -> None:
    id, options = factory.id, factory.options
    if ".py" not in id and ":" in id:
        id, _, name = id.partition(":")
        options = {"name": name, **options}
    cls = plugins("environments").get(id)
    if (preload := getattr(cls, "preload", None)) is not None:
        preload(**options)
    for each in factory.augment:
        plugins("augmentations").get(each)
    _stop_progress_bars()


def _stop_progress_bars() -> None:
    """tqdm starts a thread with its first bar, also a hidden one, that only redraws bars: end it before forking."""
    for thread in threading.enumerate():
        if type(thread).__module__ == "tqdm._monitor":
            thread.exit()  # type: ignore[attr-defined]


def _dead_child() -> int | None:
    """A child that has ended and is not reaped, so that its id is still its own."""
    try:
        found = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return None
    return None if found is None else found.si_pid


def _kill_descendants() -> None:
    """Kill and reap until there is no child left; those of a dead one become ours."""
    while True:
        for pid in _child_pids():
            with contextlib.suppress(PermissionError):  # it has become another user's
                os.kill(pid, signal.SIGKILL)
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            return


def _child_pids() -> list[int]:
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with contextlib.suppress(OSError):  # it is gone
                parent = int((folder / "stat").read_text(errors="replace").rpartition(")")[2].split()[1])
                found += [int(folder.name)] * (parent == os.getpid())
    return found
