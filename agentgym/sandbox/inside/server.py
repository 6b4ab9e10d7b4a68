"""The server: what it is asked to, it does, and answers."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import stat
import sys
from collections.abc import Iterator
from typing import Any

from agentgym.sandbox.inside.commands import Command, code_of
from agentgym.sandbox.inside.frames import Wire, batches, parts
from agentgym.sandbox.inside.processes import Processes
from agentgym.sandbox.inside.rights import Rights
from agentgym.sandbox.inside.trees import KINDS, Tree

Answer = tuple[dict[str, Any], bytes]


class Server:
    """Answers requests: ``do_begin`` is the first, and each of the others a method too."""

    def __init__(self, source: int, sink: int) -> None:
        self.processes = Processes()
        self.wire = Wire(source, sink, lambda: self.processes.reap())
        self.rights = Rights()
        self.output = 0
        self.directory = ""
        self.trees: list[Tree] = []
        self.known: set[str] = set()
        """Digests of the contents that whoever asks has seen in the last list of all files."""

    def serve(self) -> None:
        """Answer until there are no more requests."""
        while True:
            head, body = self.wire.receive()
            try:
                found, attached = getattr(self, f"do_{head['do']}")(head, body)
            except OSError as error:
                path = error.filename if isinstance(error.filename, str) else ""
                self.wire.answer(errno=error.errno or errno.EIO, path=path)
            except ValueError:  # of a path that the kernel has no bytes for
                self.wire.answer(errno=errno.EINVAL, path="")
            else:
                self.wire.answer(attached, **found)

    def do_begin(self, head: dict[str, Any], body: bytes) -> Answer:
        """Take the settings."""
        self.processes.mark, self.output, self.rights = head["mark"], head["output"], Rights(head["uid"])
        self.directory = head["directory"]
        for name, value in head["rlimits"].items():
            import resource  # not all images have it, and in a container it is not needed

            which = getattr(resource, name)
            hard = resource.getrlimit(which)[1]
            least = value if hard == resource.RLIM_INFINITY else min(value, hard)
            resource.setrlimit(which, (least, least))
        os.umask(0o022)
        self.trees = [Tree(name, path) for name, path in head["roots"].items() if os.path.isdir(path)]
        return {"python": sys.version.split()[0]}, b""

    def do_ping(self, head: dict[str, Any], body: bytes) -> Answer:
        """Answer."""
        return {}, b""

    # -- commands ------------------------------------------------------------------------------------

    def do_run(self, head: dict[str, Any], body: bytes) -> Answer:
        """Run a command, to its end or to the deadline."""
        head["cwd"] = self._real(head["cwd"])
        command = Command(head, body, self.output)
        try:
            command.start(self.rights)
        except (OSError, ValueError) as error:
            why = error.strerror if isinstance(error, OSError) else "it has what no program can be given"
            command.stderr.add(f"the command cannot be started: {why}\n".encode())
            code = 127 if isinstance(error, FileNotFoundError) else 126
        else:
            self.processes.running = command.pid
            command.follow(self.wire, self.processes)
            code = code_of(self.processes.ended.pop(command.pid))
        return command.result(code), command.stdout.text + command.stderr.text

    def do_halt(self, head: dict[str, Any], body: bytes) -> Answer:
        """End all commands, and what they have started."""
        self.processes.halt()
        return {}, b""

    def leave(self) -> None:
        """End what runs and remove the directory, where no container does with the server's own end."""
        if self.directory:
            self.processes.halt()
            shutil.rmtree(self.directory, ignore_errors=True)

    # -- single files --------------------------------------------------------------------------------

    def do_read(self, head: dict[str, Any], body: bytes) -> Answer:
        """The content of a regular file."""
        with self.rights.of(head["user"]):
            one = os.open(self._real(head["path"]), os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY)
        try:
            _must_be_regular(one, head["path"])
            taken = bytearray()
            while piece := os.read(one, 1 << 20):
                taken += piece
                if len(taken) > head["limit"]:
                    raise OSError(errno.EFBIG, "", head["path"])
        finally:
            os.close(one)
        return {}, bytes(taken)

    def do_write(self, head: dict[str, Any], body: bytes) -> Answer:
        """Write a regular file."""
        path = self._real(head["path"])
        with self.rights.of(head["user"]):
            os.makedirs(os.path.dirname(path) or "/", exist_ok=True)
            one = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NONBLOCK | os.O_NOCTTY, 0o644)
            try:
                _must_be_regular(one, head["path"])
                os.ftruncate(one, 0)
                _write(one, body)
                if head["mode"] is not None:
                    os.fchmod(one, head["mode"])
            finally:
                os.close(one)
        return {}, b""

    def _real(self, path: str) -> str:
        """Where a path of the sandbox is."""
        for tree in self.trees:
            if tree.name != tree.path and f"{path}/".startswith(f"{tree.name}/"):
                return tree.path + path[len(tree.name) :]
        return path

    # -- all files -----------------------------------------------------------------------------------

    def do_snapshot(self, head: dict[str, Any], body: bytes) -> Answer:
        """A list of all files; the contents that are not known yet follow, a frame each."""
        self.processes.signal(signal.SIGSTOP)
        try:
            entries = self._entries(head["max_bytes"], head["max_files"])
            new = {entry[5]: entry[0] for entry in entries if entry[1] == "f" and entry[5] not in self.known}
            self.wire.answer(entries=entries, new=list(new))
            for batch in batches(map(self._content, new.values())):
                self.wire.answer(b"".join(batch), sizes=[len(data) for data in batch])
        finally:
            self.processes.signal(signal.SIGCONT)
        self.known = {entry[5] for entry in entries if entry[1] == "f"}
        return {}, b""

    def _content(self, path: str) -> bytes:
        with open(self._real(path), "rb") as file:  # nobody runs who could put a link in its place
            return file.read()

    def _entries(self, max_bytes: int, max_files: int) -> list[tuple[Any, ...]]:
        entries, size = [], 0
        for tree in self.trees:
            for path, status, what in tree.walk(max_bytes):
                kind = KINDS[stat.S_IFMT(status.st_mode)]
                is_root = self.rights.uid is not None and status.st_uid == 0
                entries.append((path, kind, stat.S_IMODE(status.st_mode), status.st_mtime_ns, is_root, what))
                size += status.st_size if kind == "f" else 0
                if size > max_bytes or len(entries) > max_files:
                    raise OSError(errno.EFBIG, "", path)
        return sorted(entries)

    def do_restore(self, head: dict[str, Any], body: bytes) -> Answer:
        """Make the trees hold just these files; asks for the contents that are not there."""
        entries: list[Any] = head["entries"]
        for entry in entries:
            self._must_be_inside(entry[0])
        self.processes.halt()
        wanted = {entry[0]: entry for entry in entries}
        kept = {path for tree in self.trees for path in tree.prune(wanted)}
        missing: dict[str, list[str]] = {}
        for entry in entries:
            if entry[1] == "f" and entry[0] not in kept:
                missing.setdefault(entry[5], []).append(entry[0])
        self.wire.answer(missing=list(missing))
        problem = self._filled(entries, missing)
        self.known = {entry[5] for entry in entries if entry[1] == "f"} if problem is None else set()
        if problem is not None:
            raise problem
        return {}, b""

    def _must_be_inside(self, path: str) -> None:
        is_inside = any(f"{path}/".startswith(f"{tree.name}/") for tree in self.trees)
        if not is_inside or ".." in path.split("/"):
            raise OSError(errno.EINVAL, "", path)

    def _filled(self, entries: list[Any], missing: dict[str, list[str]]) -> OSError | None:
        """What went wrong, after all that was asked for has come."""
        problem = None
        try:
            for entry in entries:
                _make(self._real(entry[0]), entry)
        except OSError as error:
            problem = error
        for paths, data in zip(missing.values(), self._given(len(missing)), strict=True):
            try:
                for path in paths if problem is None else ():
                    _put(self._real(path), data)
            except OSError as error:
                problem = error
        for entry in reversed(entries) if problem is None else ():  # a directory's time after what is in it
            self._dress(entry)
        return problem

    def _given(self, number: int) -> Iterator[bytes]:
        """So many contents, as they come."""
        while number:
            head, body = self.wire.receive()
            number -= len(head["sizes"])
            yield from parts(body, head["sizes"])

    def _dress(self, entry: Any) -> None:
        path, kind, mode, mtime, is_root, _ = entry
        real = self._real(path)
        status = os.stat(real, follow_symlinks=False)
        owner = 0 if is_root else self.rights.uid
        if owner is not None and self.rights.uid is not None and status.st_uid != owner:
            os.chown(real, owner, owner, follow_symlinks=False)
        if kind != "l" and stat.S_IMODE(status.st_mode) != mode:
            os.chmod(real, mode)
        if status.st_mtime_ns != mtime:
            os.utime(real, ns=(mtime, mtime), follow_symlinks=False)


def _make(real: str, entry: Any) -> None:
    """Make what is no file, where it is not there."""
    if entry[1] == "d":
        os.makedirs(real, exist_ok=True)
    elif entry[1] == "l" and not os.path.lexists(real):
        os.symlink(entry[5], real)
    elif entry[1] == "p" and not os.path.lexists(real):
        os.mkfifo(real)


def _put(real: str, data: bytes) -> None:
    one = os.open(real, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    try:
        _write(one, data)
    finally:
        os.close(one)


def _write(one: int, data: bytes) -> None:
    left = memoryview(data)
    while left:
        left = left[os.write(one, left) :]


def _must_be_regular(one: int, path: str) -> None:
    mode = os.fstat(one).st_mode
    if not stat.S_ISREG(mode):
        raise OSError(errno.EISDIR if stat.S_ISDIR(mode) else errno.EINVAL, "", path)


def main() -> None:
    """Serve standard input and output; commands get others."""
    source, sink = os.dup(0), os.dup(1)
    null = os.open("/dev/null", os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(2, 1)
    server = Server(source, sink)
    try:
        server.serve()
    finally:  # whoever asked has ended, however that came
        server.leave()
