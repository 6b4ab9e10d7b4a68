"""What every row of the table is measured with: the device, its sizes, clocks, memory, and how a row is written."""

from __future__ import annotations

import dataclasses
import itertools
import os
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import torch

__all__ = ["Bench", "Memory", "NotHereError", "Rows", "in_turn", "matmul_peak", "median_ratio", "middle", "row"]

Rows: TypeAlias = dict[str, dict[str, Any]]


class NotHereError(Exception):
    """What a row needs is not installed: the row says so, and is no failure."""


@dataclasses.dataclass(frozen=True, slots=True)
class Bench:
    """Where rows are measured, and how large. ``is_tiny`` takes models, texts and rounds that a CPU does in seconds."""

    device: torch.device
    is_tiny: bool

    @property
    def rounds(self) -> int:
        return 2 if self.is_tiny else 5

    @property
    def sessions(self) -> tuple[int, ...]:
        """Of the engine, at once."""
        return (2, 4) if self.is_tiny else (32, 128)

    @property
    def prompt(self) -> int:
        """Tokens of a prompt."""
        return 16 if self.is_tiny else 256

    @property
    def reply(self) -> int:
        """Tokens of a reply."""
        return 8 if self.is_tiny else 64

    @property
    def row_lengths(self) -> list[int]:
        """Of the rows that are learned from: padded to the longest, nearly half would be padding."""
        return list(range(8, 72, 8)) if self.is_tiny else list(range(64, 1088, 64))

    @property
    def microbatch_tokens(self) -> int:
        return 128 if self.is_tiny else 4096

    def clock(self) -> float:
        """Seconds: on a GPU the wall's, when all is done; on a CPU the processor's, whatever else the machine does."""
        if self.device.type != "cuda":
            return time.process_time()
        torch.cuda.synchronize(self.device)
        return time.perf_counter()

    def timed(self, work: Callable[[], object]) -> float:
        """Seconds that ``work`` takes."""
        began = self.clock()
        work()
        return self.clock() - began


def in_turn(bench: Bench, works: Sequence[Callable[[], object]]) -> list[list[float]]:
    """Seconds of each of ``works`` in each round (A B A B …), after a round that only warms up."""
    taken: list[list[float]] = [[] for _ in works]
    for number, (work, seconds) in itertools.product(range(bench.rounds + 1), list(zip(works, taken, strict=True))):
        found = bench.timed(work)
        if number:
            seconds.append(found)
    return taken


def middle(seconds: Sequence[float]) -> float:
    """The median, which no clock is too coarse for."""
    return max(statistics.median(seconds), 1e-9)


def median_ratio(above: Sequence[float], below: Sequence[float]) -> float:
    """Of neighbors in time."""
    return statistics.median(a / max(b, 1e-9) for a, b in zip(above, below, strict=True))


def row(name: str, value: float, unit: str, target: str = "-") -> Rows:
    return {name: {"value": value, "target": target, "unit": unit}}


def matmul_peak(bench: Bench, dtype: torch.dtype) -> float:
    """Operations per second of large matrix products in ``dtype``: what the device can do at best."""
    size, num = (256, 4) if bench.is_tiny else (8192, 10)
    square = torch.randn(size, size, device=bench.device).to(dtype)
    (seconds,) = in_turn(bench, [lambda: [square @ square for _ in range(num)]])
    return num * 2 * size**3 / middle(seconds)


class Memory:
    """The most that was taken since ``begin``: on a GPU all that PyTorch allocated, on a CPU what the process grew."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self._at_first = 0 if device.type == "cuda" else _status("VmRSS")

    def begin(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self.device)
        else:
            Path(f"/proc/{os.getpid()}/clear_refs").write_text("5")  # which begins the process's own peak anew

    def peak(self) -> int:
        """Bytes; what the process held before this was made is not among them."""
        if self.device.type == "cuda":
            return torch.cuda.max_memory_allocated(self.device)
        return max(0, _status("VmHWM") - self._at_first)


def _status(name: str) -> int:
    return 1024 * int(Path("/proc/self/status").read_text().split(f"{name}:")[1].split()[0])
