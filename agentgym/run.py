"""A run's directory: what was asked for, what happened, what came out.

config.json          every setting, resolved; config-until-NAME.json is what it was until that checkpoint
places.json          the paths among them as they are from this directory: both can be moved together
tracker.json         what the run is called where --report_to shows it too
model.json           fingerprint of the model that the run began with, where it is a directory
metrics.jsonl        one line an update or evaluation; tensorboard/ holds the same numbers
latencies.json       how long resets, steps and replies took, as counts: agentgym simulate
ledger.jsonl         what became of each task: trained, or rejected and why
episodes.sqlite      every episode of training and measuring: agentgym export
checkpoints/         complete ones only; the newest is where --resume goes on
policies/            the best policies so far, and those that a kept checkpoint goes back to
policy               a link to the best: --model takes the run directory
warm_start/          the policy as the warm start left it
media/               the images of the episodes
corrupt/             checkpoints and policies that were not what was written
curves.png           the learning curves
report.json          the outcome; report.md says it for people, report.html with curves and episodes
.beginning           there until the first checkpoint is: until then a run that was killed begins anew

All of it lies in the directory. But for ``policy`` no part of it is a link: what a run writes and deletes is its own.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Self

from pydantic import ValidationError

from agentgym import sealed
from agentgym.archive import FILE, Archive
from agentgym.errors import DataError, UserError
from agentgym.layout import BEGINNING, GROWING, LOCK, OWN, refuse_odd
from agentgym.ledger import Entry
from agentgym.lines import PUT_BACK, objects_in
from agentgym.tracker import Tracker

__all__ = ["Run", "read_config", "refuse_taken"]


class Run:
    """Opens or makes a run directory. Raises UserError when it cannot be written or is taken."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.episodes = Archive(directory)
        self._tensorboard: Any = None
        self.tracker: Tracker | None = None
        """What is told of new metrics too."""

    @classmethod
    def create(cls, directory: Path, config: Mapping[str, Any], **beside: Mapping[str, Any]) -> Run:
        """A new run, as ``begin`` makes it; a directory that already holds one is refused, nothing is overwritten."""
        with cls(directory).claimed() as run:
            run.begin(config, **beside)
        return run

    @contextlib.contextmanager
    def claimed(self) -> Iterator[Self]:
        """While this lasts the directory, made where there is none, is a new run's: locked, and seen to be free then.

        Raises UserError where it is not, and where it cannot be written.
        """
        refuse_taken(self.directory)
        with self.writing():
            self.directory.mkdir(parents=True, exist_ok=True)
        with self.locked():
            refuse_taken(self.directory)  # another process may have been faster
            yield self

    def begin(self, config: Mapping[str, Any], **beside: Mapping[str, Any]) -> None:
        """Make the directory that of a run. Raises UserError when it cannot be written.

        ``beside`` are further JSON files by their names without suffix; there is none of what is empty.
        """
        with self.writing():
            (self.directory / BEGINNING).touch()
            for name, content in beside.items():
                if content:
                    self.write_json(f"{name}.json", content)
                else:  # there may be one of a run that was killed before it began
                    (self.directory / f"{name}.json").unlink(missing_ok=True)
            self.write_json("config.json", config)  # the last: without it there is no run

    @contextlib.contextmanager
    def writing(self) -> Iterator[None]:
        """While entered, a disk that refuses is told as a UserError with advice for a new run."""
        try:
            yield
        except OSError as error:
            raise UserError(
                f"cannot write the run directory {self.directory}: {error.strerror}; choose another --output"
            ) from None

    @classmethod
    def open(cls, directory: Path) -> Run:
        """A run that exists."""
        if not (directory / "config.json").is_file():
            raise UserError(f"{directory} is not a run directory: it has no config.json")
        return cls(directory)

    @property
    def config(self) -> dict[str, Any]:
        """The settings it was started with."""
        return read_config(self.directory)

    @property
    def checkpoints(self) -> Path:
        return self.directory / "checkpoints"

    @property
    def policies(self) -> Path:
        return self.directory / "policies"

    @property
    def policy(self) -> Path:
        return self.directory / "policy"

    @property
    def corrupt(self) -> Path:
        return self.directory / "corrupt"

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """While this lasts no other process may train the run.

        Raises UserError when one does or the directory cannot be written, DataError where a part of it is elsewhere.
        """
        refuse_odd(self.directory)
        try:
            lock = os.open(self.directory / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o666)
        except OSError as error:
            raise UserError(
                f"cannot write the run directory {self.directory}: {error.strerror}; a run can go on only where it can "
                "write: copy the whole directory to such a place, or let it be writable"
            ) from None
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            raise UserError(f"{self.directory} is being trained by another process; wait for it, or stop it") from None
        except OSError as error:  # a share without locks: whoever trains a run twice is not told
            if error.errno not in (errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOLCK, errno.ENOSYS):
                os.close(lock)
                raise
        try:
            yield
        finally:
            os.close(lock)

    def refuse_erasing(self) -> None:
        """Raise UserError where to begin anew would erase what was trained: there were checkpoints, or lines are there.

        Before the first checkpoint there is nothing that would not be the same again.
        """
        has_checkpoints = self.checkpoints.is_dir() and any(
            not path.name.startswith(".") for path in self.checkpoints.iterdir()
        )
        has_written = any(_size(self.directory / name) for name in (*GROWING, FILE)) or (
            self.policies.is_dir() and any(self.policies.iterdir())
        )
        if has_checkpoints or (has_written and not (self.directory / BEGINNING).exists()):
            train_on = f", train its best policy on: agentgym train --model {self.directory} --output NEW"
            raise UserError(
                f"{self.directory} has no complete checkpoint to go on from, and to begin anew would erase what it "
                f"has; put back what was written to {self.checkpoints}{train_on if self.policy.exists() else ''}, or "
                "begin a new run with another --output"
            )

    def has_checkpoint(self) -> None:
        """From now on it goes on from a checkpoint, or not at all."""
        (self.directory / BEGINNING).unlink(missing_ok=True)

    def write_json(self, name: str, content: Mapping[str, Any]) -> None:
        """Write a JSON file in one piece: it is either the old one or the new one."""
        aside = self.directory / f".{name}.partial"
        sealed.remove(aside)
        with aside.open("w") as stream:
            stream.write(json.dumps(content, indent=2) + "\n")
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(aside, self.directory / name)

    def log(self, stage: str, update: int, **values: float) -> None:
        """Add a line to metrics.jsonl and the numbers to TensorBoard, and to a tracker where there is one."""
        line = {"stage": stage, "update": update, "time": round(time.time(), 3), **values}
        with (self.directory / "metrics.jsonl").open("a") as stream:
            stream.write(json.dumps(line) + "\n")
        self._show(line)
        if self.tracker is not None:
            self.tracker.show(line)

    def metrics(self) -> list[dict[str, Any]]:
        """All lines of metrics.jsonl. Raises DataError, naming file and line, for what is none."""
        return [_as_metrics(where, line) for where, line in objects_in(self.directory / "metrics.jsonl")]

    def account(self, entries: Iterable[Entry]) -> None:
        """Add to ledger.jsonl what became of tasks."""
        with (self.directory / "ledger.jsonl").open("a") as stream:
            stream.writelines(entry.model_dump_json() + "\n" for entry in entries)

    def ledger(self) -> list[Entry]:
        """All entries of ledger.jsonl. Raises DataError, naming file and line, for what is none."""
        return [_as_entry(where, line) for where, line in objects_in(self.directory / "ledger.jsonl")]

    def position(self) -> dict[str, int]:
        """How far each file that grows with the updates is on the disk, in bytes, or in episodes for the archive.

        ``forget_after`` goes back to it.
        """
        sizes = {name: _synced_size(self.directory / name) for name in GROWING}
        return {**sizes, FILE: self.episodes.position()}

    def forget_after(self, position: Mapping[str, int]) -> None:
        """Cut off what came after ``position``: those updates will be done again.

        Raises DataError when metrics or ledger have less than that; episodes are there to be looked at, and whoever
        deletes them may.
        """
        sizes = {name: _size(self.directory / name) for name in GROWING}
        for name in GROWING:
            if sizes[name] < position.get(name, 0):
                raise DataError(
                    f"{self.directory / name} has {sizes[name]} bytes, but had {position[name]} when the checkpoint "
                    "was made; put it back, or begin a new run with another --output"
                )
        for name, size in sizes.items():
            if size > position.get(name, 0):
                os.truncate(self.directory / name, position.get(name, 0))
        self.episodes.forget_after(position.get(FILE, 0))

    def draw_tensorboard_anew(self) -> None:
        """Replace TensorBoard's files by one that shows what metrics.jsonl has, and no more.

        A viewer that runs is told to forget what it read: its own way to hide updates that were done again goes by
        their number alone, and here each stage counts from 1.
        """
        for file in (self.directory / "tensorboard").glob("events.out.tfevents.*"):
            file.unlink()
        lines = self.metrics()
        if lines:
            self._writer(purge_step=0)
        for line in lines:
            self._show(line)

    def close(self) -> None:
        """Flush what is buffered. It can be gone on with."""
        writer, self._tensorboard = self._tensorboard, None
        if writer is not None:
            writer.close()
        tracker, self.tracker = self.tracker, None
        if tracker is not None:
            tracker.close()
        self.episodes.close()

    def _show(self, line: Mapping[str, Any]) -> None:
        """Give TensorBoard a line of the metrics."""
        for name, value in line.items():
            if name not in ("stage", "update", "time"):
                self._writer().add_scalar(f"{line['stage']}/{name}", value, line["update"], line.get("time"))

    def _writer(self, **options: Any) -> Any:
        if self._tensorboard is None:
            from torch.utils.tensorboard import SummaryWriter

            self._tensorboard = SummaryWriter(str(self.directory / "tensorboard"), **options)
        return self._tensorboard


def read_config(directory: Path) -> dict[str, Any]:
    """What the config.json in ``directory`` says; paths that are no longer there as they are from the run, if there.

    Raises DataError, naming the file, for one that cannot be read.
    """
    config = sealed.read_json(directory / "config.json", follow=True)  # a model's may be a link into a cache
    file = directory / "places.json"
    places = sealed.read_json(file) if os.path.lexists(file) else {}
    here = directory.resolve()
    moved: dict[str, str] = {}
    for path, relative in places.items():
        if not isinstance(relative, str) or os.path.isabs(relative):
            raise DataError(
                f'{file}: "{path}" is {relative!r}, expected where it is from {directory}; put back what was written, '
                "or delete the file: the paths of config.json hold then"
            )
        if not Path(path).exists() and (now := Path(os.path.normpath(here / relative))).exists():
            moved[path] = str(now)
    found: dict[str, Any] = _replaced(config, moved) if moved else config
    return found


def _replaced(value: Any, moved: Mapping[str, str]) -> Any:
    """``value`` with the new path for each that was ``moved``, in keys too; a path may have ":NAME" behind it."""
    if isinstance(value, dict):
        return {_replaced(key, moved): _replaced(each, moved) for key, each in value.items()}
    if isinstance(value, str):
        path, ends, name = value.partition(".py:")
        return moved.get(path + ".py", path + ".py") + f":{name}" if ends else moved.get(value, value)
    return value


def refuse_taken(directory: Path) -> None:
    """Raise UserError where ``directory`` cannot become that of a new run. Writes nothing."""
    if (directory / "config.json").exists():
        raise UserError(
            f"{directory} already holds a run; type: agentgym train --resume {directory}, or choose another --output"
        )
    existing = next(path for path in [directory, *directory.absolute().parents] if path.exists())
    if not existing.is_dir() or not os.access(existing, os.W_OK):
        raise UserError(
            f"cannot write the run directory {directory}: {existing} is not a writable directory; choose another "
            "--output"
        )
    if there := [name for name in OWN if os.path.lexists(directory / name)]:
        raise UserError(
            f"{directory} has {', '.join(there)} already, which a run would overwrite; choose another --output, or "
            "move that away"
        )
    refuse_odd(directory)


def _as_metrics(where: str, line: dict[str, Any]) -> dict[str, Any]:
    """``line``, which has a stage, an update and numbers."""
    if not isinstance(line.get("stage"), str) or type(line.get("update")) is not int:
        raise DataError(f'{where} has no "stage" and "update", as a line of metrics does; {PUT_BACK}')
    for name, value in line.items():
        if name != "stage" and not isinstance(value, int | float):
            raise DataError(f'{where}: "{name}" is {value!r:.40}, expected a number; {PUT_BACK}')
    return line


def _as_entry(where: str, line: dict[str, Any]) -> Entry:
    try:
        return Entry.model_validate(line)
    except ValidationError as error:
        problem = error.errors()[0]
        name = ".".join(map(str, problem["loc"]))
        raise DataError(f"{where}: {name}: {problem['msg']}; {PUT_BACK}") from None


def _size(file: Path) -> int:
    return file.stat().st_size if file.exists() else 0


def _synced_size(file: Path) -> int:
    if file.exists():
        with file.open("rb") as stream:
            os.fsync(stream.fileno())
    return _size(file)
