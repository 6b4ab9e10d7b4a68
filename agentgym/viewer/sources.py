"""What is looked at: runs, archives and JSONL files, each by its place in the command.

A run may be written meanwhile: nothing of it is kept but what cannot change, and of the episodes that are open the
text.
"""

from __future__ import annotations

import contextlib
import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Self

from agentgym import sealed, store
from agentgym.archive import FILE, Archive, Reader
from agentgym.errors import DataError, UserError
from agentgym.ledger import Entry
from agentgym.run import Run, read_config
from agentgym.scratch import scratch
from agentgym.tokenizer import fingerprint_of

__all__ = ["Source", "Sources"]

_OPEN = 4
"""Episodes whose text is kept, as far as it was read."""


class Source:
    """One of them. Questions come from several threads; ``asking`` lets one of them ask the archive at a time."""

    def __init__(self, path: Path, episodes: Archive) -> None:
        self.path, self.episodes = path, episodes
        self.is_run = (path / "config.json").is_file()
        self.name = path.name or str(path.absolute().name)
        self._lock = threading.RLock()
        self._readers: OrderedDict[int, Reader] = OrderedDict()
        self._vocabularies: dict[str, Any] = {}

    @contextlib.contextmanager
    def asking(self) -> Iterator[Archive]:
        """The archive, for this thread alone."""
        with self._lock:
            yield self.episodes

    @contextlib.contextmanager
    def reading(self, number: int) -> Iterator[Reader]:
        """Episode ``number``, of which what was read before is there still."""
        with self._lock:
            reader = self._readers.pop(number, None) or self.episodes.reader(number)
            self._readers[number] = reader
            while len(self._readers) > _OPEN:
                self._readers.popitem(last=False)
            yield reader

    # -- of a run --------------------------------------------------------------------------------------

    @cached_property
    def config(self) -> dict[str, Any]:
        """The settings of the run; none of what is no run."""
        return read_config(self.path) if self.is_run else {}

    def metrics(self) -> list[dict[str, Any]]:
        """Lines of metrics.jsonl so far; one that is being written is left out."""
        return Run(self.path).metrics() if self.is_run else []

    def ledger(self) -> list[Entry]:
        """Entries of ledger.jsonl so far."""
        return Run(self.path).ledger() if self.is_run else []

    def report(self) -> dict[str, Any] | None:
        """The outcome of a run that is finished."""
        file = self.path / "report.json"
        return dict(sealed.read_json(file)) if file.is_file() else None

    def size(self) -> tuple[int, int]:
        """Bytes of metrics and number of the last episode: it is as it was while they are the same."""
        file = self.path / "metrics.jsonl"
        with self.asking() as episodes:
            return (file.stat().st_size if self.is_run and file.exists() else 0), episodes.last()

    # -- tokens ----------------------------------------------------------------------------------------

    def vocabulary(self, fingerprint: str) -> Any:
        """The tokenizer that has that fingerprint, as ``tokenizers`` reads it; None where the run holds no such."""
        if fingerprint and fingerprint not in self._vocabularies:
            found = self._find(fingerprint)
            if found is None:
                return None  # it may be written yet
            self._vocabularies[fingerprint] = found
        return self._vocabularies.get(fingerprint)

    def _find(self, fingerprint: str) -> Any:
        from tokenizers import Tokenizer

        for file in self._tokenizers():
            found = Tokenizer.from_file(str(file))
            if fingerprint_of(found.get_vocab(with_added_tokens=True)) == fingerprint:
                return found
        return None

    def _tokenizers(self) -> Iterator[Path]:
        """Files that may be it, of the policies that the run wrote and of the model that it began with."""
        model = str(self.config.get("model", {}).get("id", ""))
        folders = [self.path / "policy", self.path / "warm_start", *sorted((self.path / "policies").glob("*"))]
        for folder in [*folders, *sorted((self.path / "checkpoints").glob("*/*")), Path(model)]:
            if model and (file := folder / "tokenizer.json").is_file():
                yield file


class Sources(Sequence[Source]):
    """Those of a command, in its order; to be closed."""

    def __init__(self, sources: Sequence[Source], folders: contextlib.ExitStack) -> None:
        self._sources, self._folders = list(sources), folders

    @classmethod
    def open(cls, paths: Sequence[Path]) -> Self:
        """Runs, archives and JSONL files at ``paths``. Raises UserError and DataError for what is none."""
        sources = list[Source]()
        with contextlib.ExitStack() as folders:
            for path in paths:
                if path.is_file() and path.suffix != ".sqlite":
                    sources.append(Source(path, _archived(path, folders.enter_context(scratch()))))
                else:
                    sources += [Source(each, _opened(each)) for each in _runs_in(path)]
            return cls(sources, folders.pop_all())

    def __getitem__(self, place: Any) -> Any:
        return self._sources[place]

    def __len__(self) -> int:
        return len(self._sources)

    def at(self, place: int) -> Source:
        """Number ``place``, from 0. Raises UserError where there is none."""
        if not 0 <= place < len(self):
            raise UserError(f"run is {place}, expected one of 0 to {len(self) - 1}, as they stand in the command")
        return self._sources[place]

    def close(self) -> None:
        """Let go of the files."""
        for source in self._sources:
            source.episodes.close()
        self._folders.close()


def _runs_in(path: Path) -> list[Path]:
    """``path`` itself, or the runs in a directory that is none; of the file of an archive its directory."""
    if path.is_file():
        return [path.parent]
    if not (path / "config.json").is_file() and not (path / FILE).is_file() and path.is_dir():
        found = sorted(each for each in path.iterdir() if (each / "config.json").is_file() or (each / FILE).is_file())
        if found:
            return found
    return [path]


def _opened(path: Path) -> Archive:
    """The archive of a run, which may have no episode yet, or one by itself. Raises DataError where there is none."""
    if not path.exists():
        raise DataError(f"there is no {path}; expected a run, an archive of episodes or a JSONL file of them")
    if (path / "config.json").is_file():
        return Archive(path, read_only=True)
    return Archive.open(path)


def _archived(file: Path, folder: Path) -> Archive:
    """The episodes of a JSONL file in an archive, which can be asked; its images stay where they are."""
    with contextlib.closing(store.opened(file)) as lines, Archive(folder) as made:
        for episode in lines.episodes():
            made.append([episode])
    archive = Archive(folder, read_only=True)
    archive.media = lines.media
    return archive
