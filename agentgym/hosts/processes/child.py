"""A process that serves one environment on a socket, forked from the nursery.

What the environment prints goes to a pipe whose other end the nursery reads, so that it can be quoted when the process
dies; what it raises, whatever that is, becomes an answer.
"""

from __future__ import annotations

import ctypes
import faulthandler
import os
import signal
import socket
import sys
import traceback
from typing import Any, NoReturn, TextIO

from agentgym.hosts.failures import Failure
from agentgym.hosts.processes.frames import Frames, Packet, framed
from agentgym.hosts.processes.wire import (
    pack_action,
    pack_mark,
    pack_observation,
    pack_result,
    pack_tasks,
    unpack_action,
    unpack_mark,
    unpack_observation,
)
from agentgym.hosts.resident import Resident
from agentgym.loops import Blocking
from agentgym.registry import EnvFactory
from agentgym.types import Observation

__all__ = ["die_with_parent", "run", "set_subreaper"]

_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36
_LIBC = ctypes.CDLL(None)  # loaded before the fork: after it, there is nothing to wait for


def die_with_parent(signum: int) -> None:
    """Have the kernel send ``signum`` when the thread that started this process ends; 0 for nothing."""
    _LIBC.prctl(_PR_SET_PDEATHSIG, signum, 0, 0, 0)


def set_subreaper() -> None:
    """Become the parent of descendants whose own parent dies."""
    _LIBC.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def run(sock: socket.socket, output: int, factory: EnvFactory, nursery: int) -> NoReturn:
    """Be that process, until the other end of ``sock`` is closed; ``output`` is the pipe for what is printed."""
    code = 1
    try:
        os.setsid()  # a group of its own, which is killed with it
        die_with_parent(signal.SIGKILL)
        if os.getppid() == nursery:  # otherwise it died before it could be heeded
            _take_over_output(output)
            _Server(sock, factory).serve()
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        os._exit(code)  # never back into the nursery's frames


def _take_over_output(output: int) -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)  # its subprocesses would inherit that it is ignored
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.close(output)
    # New objects: the old ones take the descriptors for what they were before, perhaps files.
    sys.stdout, sys.stderr = _lines_to(1), _lines_to(2)
    faulthandler.enable()


def _lines_to(descriptor: int) -> TextIO:
    return open(descriptor, "w", buffering=1, errors="backslashreplace", closefd=False)


class _Server:
    """Answers the calls of one host."""

    def __init__(self, sock: socket.socket, factory: EnvFactory) -> None:
        sock.setblocking(True)
        self._socket, self._factory = sock, factory
        self._settled = Blocking()
        self._resident: Resident
        self._seen = Observation()

    def serve(self) -> None:
        """Answer until the host is gone or has closed the environment."""
        frames = Frames()
        while data := self._socket.recv(frames.wanted):
            for packet in frames.feed(data):
                self._socket.sendall(self._answer(packet))

    def _answer(self, packet: Packet) -> bytes:
        try:
            return framed(getattr(self, "_on_" + packet.head["call"])(packet))
        except BaseException as error:  # an environment's SystemExit is an answer like any other
            return framed(Packet({"failed": Failure.of(error)}))

    def _on_make(self, packet: Packet) -> Packet:
        self._resident = Resident(self._factory())
        return Packet(self._resident.about()._asdict())

    def _on_tasks(self, packet: Packet) -> Packet:
        return Packet(pack_tasks(self._resident.tasks(packet.head["split"])))

    def _on_has_expert(self, packet: Packet) -> Packet:
        return Packet({"has_expert": self._resident.has_expert()})

    def _on_reset(self, packet: Packet) -> Packet:
        return self._begun(self._resident.reset(packet.head["seed"], packet.head["options"]))

    def _on_step(self, packet: Packet) -> Packet:
        action = unpack_action(packet.head)
        assert action is not None
        result = self._settled(self._resident.step(action))
        self._seen = result.observation
        return pack_result(result)

    def _begun(self, result: Any) -> Packet:
        """What there is at the beginning of an episode, or where one goes on: it may have other instructions."""
        self._seen, info = self._settled(result)
        _, instructions, max_turns, _ = self._resident.about()
        return pack_observation(self._seen, info=info, instructions=instructions, max_turns=max_turns)

    def _on_expert(self, packet: Packet) -> Packet:
        seen = unpack_observation(packet) if "text" in packet.head else self._seen
        return Packet(pack_action(self._settled(self._resident.expert(seen))))

    def _on_save(self, packet: Packet) -> Packet:
        return Packet(pack_mark(self._settled(self._resident.save())))

    def _on_load(self, packet: Packet) -> Packet:
        return self._begun(self._resident.load(unpack_mark(packet.head["mark"])))

    def _on_forget(self, packet: Packet) -> Packet:
        self._resident.forget(packet.head["ids"])
        return Packet({})

    def _on_close(self, packet: Packet) -> Packet:
        self._settled(self._resident.close())
        self._settled.close()
        return Packet({})
