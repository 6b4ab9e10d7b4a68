"""A run's directory: what was asked for, what happened, what came out.

config.json          every setting, resolved
metrics.jsonl        one line an update or evaluation; tensorboard/ holds the same numbers
ledger.jsonl         what became of each task: trained, or rejected and why
trajectories.jsonl   the episodes that were kept for looking at
checkpoints/         complete ones only; the newest is where --resume goes on
policy/              the trained policy: --model takes the run directory
curves.png           the learning curves
report.json          the outcome
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from agentgym.errors import UserError
from agentgym.ledger import Entry

__all__ = ["Run"]

GROWING = ("metrics.jsonl", "ledger.jsonl", "trajectories.jsonl")


class Run:
    """Opens or makes a run directory. Raises UserError when it cannot be written or is taken."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._tensorboard: Any = None

    @classmethod
    def create(cls, directory: Path, config: Mapping[str, Any]) -> Run:
        """A new run; a directory that already holds one is refused, nothing is overwritten."""
        if (directory / "config.json").exists():
            raise UserError(
                f"{directory} already holds a run; type: agentgym train --resume {directory}, "
                "or choose another --output"
            )
        run = cls(directory)
        try:
            directory.mkdir(parents=True, exist_ok=True)
            run.write_json("config.json", config)
        except OSError as error:
            raise UserError(
                f"cannot write the run directory {directory}: {error.strerror}; choose another --output"
            ) from None
        return run

    @classmethod
    def open(cls, directory: Path) -> Run:
        """A run that exists."""
        if not (directory / "config.json").is_file():
            raise UserError(f"{directory} is not a run directory: it has no config.json")
        return cls(directory)

    @property
    def config(self) -> dict[str, Any]:
        """The settings it was started with."""
        config: dict[str, Any] = json.loads((self.directory / "config.json").read_text())
        return config

    @property
    def checkpoints(self) -> Path:
        return self.directory / "checkpoints"

    @property
    def policy(self) -> Path:
        return self.directory / "policy"

    def write_json(self, name: str, content: Mapping[str, Any]) -> None:
        """Write a JSON file in one piece: it is either the old one or the new one."""
        aside = self.directory / f".{name}.partial"
        aside.write_text(json.dumps(content, indent=2) + "\n")
        os.replace(aside, self.directory / name)

    def log(self, stage: str, update: int, **values: float) -> None:
        """Add a line to metrics.jsonl and the numbers to TensorBoard."""
        line = {"stage": stage, "update": update, "time": round(time.time(), 3), **values}
        with (self.directory / "metrics.jsonl").open("a") as stream:
            stream.write(json.dumps(line) + "\n")
        for name, value in values.items():
            self._writer().add_scalar(f"{stage}/{name}", value, update)

    def metrics(self) -> list[dict[str, Any]]:
        """All lines of metrics.jsonl."""
        file = self.directory / "metrics.jsonl"
        return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []

    def account(self, entries: Iterable[Entry]) -> None:
        """Add to ledger.jsonl what became of tasks."""
        with (self.directory / "ledger.jsonl").open("a") as stream:
            stream.writelines(entry.model_dump_json() + "\n" for entry in entries)

    def ledger(self) -> list[Entry]:
        """All entries of ledger.jsonl."""
        file = self.directory / "ledger.jsonl"
        return [Entry.model_validate_json(line) for line in file.read_text().splitlines()] if file.exists() else []

    def position(self) -> dict[str, int]:
        """Lines of each file that grows with the updates: what ``forget_after`` goes back to."""
        return {name: _num_lines(self.directory / name) for name in GROWING}

    def forget_after(self, position: Mapping[str, int]) -> None:
        """Drop lines beyond ``position``: those updates will be done again."""
        for name in GROWING:
            file = self.directory / name
            if file.exists():
                kept = file.read_text().splitlines(keepends=True)[: position.get(name, 0)]
                aside = file.with_name(f".{name}.partial")
                aside.write_text("".join(kept))
                os.replace(aside, file)

    def close(self) -> None:
        """Flush what is buffered."""
        if self._tensorboard is not None:
            self._tensorboard.close()
            self._tensorboard = None

    def _writer(self) -> Any:
        if self._tensorboard is None:
            from torch.utils.tensorboard import SummaryWriter

            self._tensorboard = SummaryWriter(str(self.directory / "tensorboard"))
        return self._tensorboard


def _num_lines(file: Path) -> int:
    return len(file.read_text().splitlines()) if file.exists() else 0
