"""Several processes that learn together: copies of this one, which take no time to begin, or ranks of a run."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import subprocess
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import distributed

from agentgym.launch.ranks import meeting
from agentgym.learn.distributed import World
from tests.kit import eventually

__all__ = ["Ranks", "in_ranks"]


def in_ranks(work: Callable[[World], Any], directory: Path, size: int = 2) -> list[Any]:
    """What ``work`` comes to in each of ``size`` processes, as JSON."""
    directory.mkdir(exist_ok=True)

    def meet(rank: int) -> Any:
        distributed.init_process_group("gloo", init_method=f"file://{directory}/meet", rank=rank, world_size=size)
        return work(World.here())

    children = [_copied(functools.partial(meet, rank), directory / f"{rank}.json") for rank in range(size)]
    ended = _waited_for(children)
    told = [(directory / f"{rank}.json") for rank in range(size)]
    said = [json.loads(file.read_text()) if file.exists() else "nothing" for file in told]
    assert ended == [0] * size, "\n".join(str(each) for each, code in zip(said, ended, strict=True) if code)
    return said


def _copied(work: Callable[[], Any], result: Path) -> int:
    """The id of a copy of this process that does ``work`` and writes what it comes to."""
    if child := os.fork():
        return child
    code = 1
    try:
        torch.set_num_threads(1)
        told = json.dumps(work())
        code = 0
    except BaseException:
        told = json.dumps(traceback.format_exc())
    result.with_suffix(".part").write_text(told)
    result.with_suffix(".part").rename(result)
    os._exit(code)


def _waited_for(children: list[int]) -> list[int | None]:
    """Exit codes of ``children``; when one fails or all take too long the others are ended, and have none."""
    ended: dict[int, int] = {}

    def all_ended() -> bool:
        for child in children:
            if child not in ended and (found := os.waitpid(child, os.WNOHANG))[0]:
                ended[child] = os.waitstatus_to_exitcode(found[1])
        return len(ended) == len(children) or any(ended.values())

    eventually(all_ended)
    for child in set(children) - set(ended):
        os.kill(child, 9)
        os.waitpid(child, 0)
    return [ended.get(child) for child in children]


# -- of a run --------------------------------------------------------------------------------------------

_WORK = """
import json, pathlib, sys, torch, agentgym
torch.set_num_threads(1)
given = json.loads(sys.argv[1])
resumed = given.pop("resume", None)
try:
    print(agentgym.resume(pathlib.Path(resumed), given, force=True) if resumed else agentgym.train(given))
except agentgym.errors.AgentGymError as error:
    sys.exit(f"{type(error).__name__}: {error}")
"""


class Ranks:
    """Processes as torchrun would start them, which make or go on with a run."""

    def __init__(self, directory: Path, size: int, **given: Any) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._meeting = contextlib.ExitStack()
        where = self._meeting.enter_context(meeting("127.0.0.1", size))
        text = json.dumps(given)
        self.files = [directory / f"rank{rank}.txt" for rank in range(size)]
        self.processes = []
        for rank, file in enumerate(self.files):
            with file.open("w") as written:
                environment = {**os.environ, **where, "RANK": str(rank), "LOCAL_RANK": str(rank)}
                command = [sys.executable, "-c", _WORK, text]
                self.processes.append(subprocess.Popen(command, env=environment, stdout=written, stderr=written))

    def ended(self) -> list[int]:
        """Exit codes."""
        try:
            return [process.wait(120) for process in self.processes]
        finally:
            self.kill()

    def kill(self) -> None:
        """End all of them at once."""
        for process in self.processes:
            process.kill()
            process.wait()
        self._meeting.close()

    @property
    def have_ended(self) -> bool:
        """Whether any of them has."""
        return any(process.poll() is not None for process in self.processes)

    @property
    def told(self) -> list[str]:
        """What each has said."""
        return [file.read_text() for file in self.files]
