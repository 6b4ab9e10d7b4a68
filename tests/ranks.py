"""Work done by several processes that learn together: copies of this one, which take no time to begin."""

from __future__ import annotations

import json
import os
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import distributed

from agentgym.learn.distributed import World
from tests.kit import eventually

__all__ = ["copied", "in_ranks", "waited_for"]


def in_ranks(work: Callable[[World], Any], directory: Path, size: int = 2) -> list[Any]:
    """What ``work`` comes to in each of ``size`` processes, as JSON."""
    directory.mkdir(exist_ok=True)

    def meet(rank: int) -> Any:
        distributed.init_process_group("gloo", init_method=f"file://{directory}/meet", rank=rank, world_size=size)
        return work(World.here())

    children = [copied(lambda rank=rank: meet(rank), directory / f"{rank}.json") for rank in range(size)]
    ended = waited_for(children)
    told = [(directory / f"{rank}.json") for rank in range(size)]
    said = [json.loads(file.read_text()) if file.exists() else "nothing" for file in told]
    assert ended == [0] * size, "\n".join(str(each) for each, code in zip(said, ended, strict=True) if code)
    return said


def copied(work: Callable[[], Any], result: Path) -> int:
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


def waited_for(children: list[int]) -> list[int | None]:
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
