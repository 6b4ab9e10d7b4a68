"""Runs ``agentgym`` in a process of its own, quickly, and kills it when told to.

    python tests/faults/nursery.py

A line of JSON on standard input is ``{"arguments": [...], "kill_after": seconds or null, "log": FILE}``; the answer is
the exit code, -9 where it was killed. The process is forked from this one, which has imported everything and done
nothing else.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from typing import Any

import matplotlib

matplotlib.use("Agg")

import scipy.stats  # noqa: F401
import torch
import torch.utils.tensorboard
import transformers

from agentgym import cli, launch
from agentgym.trainers import ppo, sft

_WARM = (launch, ppo, sft, torch.utils.tensorboard, transformers.AutoTokenizer, transformers.AutoModelForCausalLM)


def main() -> None:
    torch.set_num_threads(1)
    print("ready", flush=True)
    for line in sys.stdin:
        command = json.loads(line)
        child = os.fork()
        if not child:
            _agentgym(command)
        print(_exit_code(child, command["kill_after"]), flush=True)


def _agentgym(command: dict[str, Any]) -> None:
    """What the console script does."""
    log = os.open(command["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(log, 1)
    os.dup2(log, 2)
    sys.argv = ["agentgym", *command["arguments"]]
    code = 1
    try:
        cli.main()
        code = 0
    except SystemExit as left:
        code = int(left.code or 0)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _exit_code(child: int, kill_after: float | None) -> int:
    ends = None if kill_after is None else time.monotonic() + kill_after
    while True:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        if ends is not None and time.monotonic() >= ends:  # not waited for yet: the id is still this child's
            os.kill(child, signal.SIGKILL)
            ends = None
        time.sleep(0.001)


if __name__ == "__main__":
    main()
