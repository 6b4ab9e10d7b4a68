"""Trees of files as data: what is in them, and which are the same."""

from __future__ import annotations

import dataclasses

import pytest

from agentgym.sandbox import Files


def test_directories_come_with_what_is_in_them() -> None:
    files = Files.of({"/work/a/b": b"x", "/work/c": b"y"}, folders=["/work/d"], modes={"/work/c": 0o600})
    assert [(entry.path, entry.kind, entry.mode) for entry in files.entries] == [
        ("/work", "d", 0o755),
        ("/work/a", "d", 0o755),
        ("/work/a/b", "f", 0o644),
        ("/work/c", "f", 0o600),
        ("/work/d", "d", 0o755),
    ]
    assert (files.read("/work/a/b"), files.size, "/work/d" in files, "/work/e" in files) == (b"x", 2, True, False)
    for path in ("/work/d", "/work/e"):
        with pytest.raises(FileNotFoundError, match=f"no regular file {path}"):
            files.read(path)


def test_the_digest_is_of_all_but_times() -> None:
    files = Files.of({"/work/a": b"x"})
    later = Files(tuple(entry._replace(mtime=5) for entry in files.entries), files.contents)
    assert later.digest == files.digest
    others = [
        Files.of({"/work/a": b"y"}),
        Files.of({"/work/b": b"x"}),
        Files.of({"/work/a": b"x"}, modes={"/work/a": 0o600}),
        Files.of({"/work/a": b"x"}, folders=["/work/c"]),
        Files(tuple(entry._replace(is_root=True) for entry in files.entries), files.contents),
    ]
    assert len({files.digest, *(other.digest for other in others)}) == 6


def test_equal_contents_are_kept_once() -> None:
    files = Files.of({"/work/a": b"x", "/work/b": b"x"})
    assert list(files.contents.values()) == [b"x"]


def test_it_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        Files.of({}).entries = ()  # type: ignore[misc]
