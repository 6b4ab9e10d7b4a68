"""The processes that torchrun starts: rank 0 is the run, the others follow it.

    torchrun --nproc-per-node 2 -m agentgym train --env blocksworld

torchrun says by environment variables how many there are, which of them a process is, and where they meet. Between
CPUs they speak gloo, between GPUs NCCL, each rank with one of its own. What rank 0 tells the others goes over gloo in
a group of its own, in which they wait for as long as it plays.
"""

from __future__ import annotations

import contextlib
import datetime
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agentgym.errors import ConfigError, RankError

if TYPE_CHECKING:
    from agentgym.launch.settings import TrainSettings
    from agentgym.learn.lead import Channel

__all__ = ["is_first", "is_spread", "joined", "meeting", "num_ranks", "told"]

_FOR_EVER = datetime.timedelta(days=3650)
_BROKEN = ("gloo", "NCCL", "nccl", "Connection", "connection", "Broken pipe", "c10d", "TCPStore")
"""What is in the text of an error of torch.distributed where another process has ended."""


@contextlib.contextmanager
def meeting(address: str, number: int) -> Iterator[dict[str, str]]:
    """The variables of ``number`` ranks, but which each is; while entered they meet at this process, at ``address``.

    As under torchrun: whoever starts them has the port from the beginning, so that nobody else gets it meanwhile.
    """
    from torch.distributed import TCPStore  # type: ignore[attr-defined]

    store = TCPStore(address, 0, is_master=True, wait_for_workers=False)
    yield {
        "MASTER_ADDR": address,
        "MASTER_PORT": str(store.port),
        "TORCHELASTIC_USE_AGENT_STORE": "True",
        "WORLD_SIZE": str(number),
    }


def num_ranks() -> int:
    """How many processes there are."""
    return int(os.environ.get("WORLD_SIZE", 1))


def is_first() -> bool:
    """Whether this process is the run; the others say nothing."""
    return num_ranks() == 1 or os.environ.get("RANK", "0") == "0"


def is_spread(settings: TrainSettings, module: Any) -> bool:
    """Whether weights are spread over ranks. Raises ConfigError where they are to be and cannot."""
    from agentgym.learn.distributed import World
    from agentgym.learn.sharding import why_not

    why = "there is one rank" if World.here().size == 1 else why_not(module)
    if why and settings.shard == "on":
        raise ConfigError(f'shard "on" has no effect: {why}; type: --shard auto, which then does without')
    return settings.shard != "off" and not why


@contextlib.contextmanager
def told(directory: Path | None = None) -> Iterator[None]:
    """While entered, that another rank has ended is told as a RankError, which says how to go on with a run."""
    try:
        yield
    except RuntimeError as error:
        if num_ranks() == 1 or not any(sign in str(error) for sign in _BROKEN):
            raise
        from agentgym.learn.lead import give_up

        give_up()  # what is closed now is closed alone
        how = f"go on with: --resume {directory}" if directory else "look at what it said, and begin anew"
        raise RankError(f"another rank has ended, or cannot be reached ({_line(error)}); {how}") from error


def _line(error: Exception) -> str:
    return str(error).strip().splitlines()[0][:200]


@contextlib.contextmanager
def joined() -> Iterator[Channel]:
    """The group of all ranks, as torch knows it while this is entered, and the channel that rank 0 speaks in."""
    import torch
    from torch import distributed

    from agentgym.learn.lead import Channel

    if distributed.is_initialized():
        raise ConfigError(
            "a process group of torch.distributed is there already, and a run makes its own under torchrun; "
            "destroy it before: torch.distributed.destroy_process_group()"
        )
    has_gpu = torch.cuda.is_available()
    if has_gpu:
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", 0)) % torch.cuda.device_count())
    with told():
        distributed.init_process_group("cpu:gloo,cuda:nccl" if has_gpu else "gloo")
        group = distributed.new_group(backend="gloo", timeout=_FOR_EVER)
    try:
        yield Channel(group)
    finally:
        distributed.destroy_process_group()
