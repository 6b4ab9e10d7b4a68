"""Directories that are complete or not there, and what is found out of one that was changed."""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from agentgym import sealed
from agentgym.errors import DataError, UserError


def fill(directory: Path) -> None:
    (directory / "inner").mkdir()
    (directory / "a.json").write_text("{}")
    (directory / "inner" / "b.txt").write_text("hello")


@pytest.fixture
def written(tmp_path: Path) -> Path:
    return sealed.seal(tmp_path / "kept", fill)


def test_what_was_sealed_is_complete_and_nothing_else_is_left(written: Path) -> None:
    sealed.check(written)
    assert os.listdir(written.parent) == ["kept"]
    manifest = json.loads((written / "manifest.json").read_text())
    assert manifest == {
        "layout": 5,
        "files": {
            "a.json": {"size": 2, "sha256": "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"},
            "inner/b.txt": {"size": 5, "sha256": "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"},
        },
    }


def test_all_is_on_the_disk_before_it_is_in_its_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files and folders first, the manifest after them, then the rename, and the folder that it shows in."""
    seen: list[str] = []
    fsync, rename = os.fsync, os.rename

    def name(path: str) -> str:
        return str(Path(path).relative_to(tmp_path))

    def synced(descriptor: int) -> None:
        seen.append(name(os.readlink(f"/proc/self/fd/{descriptor}")))
        fsync(descriptor)

    def renamed(old: Path, new: Path) -> None:
        seen.append(f"{name(str(old))} to {name(str(new))}")
        rename(old, new)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(os, "rename", renamed)
    sealed.seal(tmp_path / "kept", fill)
    aside = ".kept.partial"
    assert seen == [
        f"{aside}/a.json",
        f"{aside}/inner/b.txt",
        f"{aside}/manifest.json",
        f"{aside}/inner",
        aside,
        f"{aside} to kept",
        ".",
    ]


def test_what_an_earlier_attempt_left_goes(tmp_path: Path) -> None:
    (tmp_path / ".kept.partial").mkdir()
    (tmp_path / ".kept.partial" / "old.bin").touch()
    sealed.check(sealed.seal(tmp_path / "kept", fill))
    assert sorted(os.listdir(tmp_path / "kept")) == ["a.json", "inner", "manifest.json"]


def raising(error: BaseException) -> Callable[[Path], None]:
    def fails(directory: Path) -> None:
        fill(directory)
        raise error

    return fails


@pytest.mark.parametrize("error", [ValueError("not a number"), KeyboardInterrupt(), OSError(errno.ENOENT, "gone")])
def test_whatever_stops_it_is_raised_and_leaves_nothing(tmp_path: Path, error: BaseException) -> None:
    with pytest.raises(type(error)) as told:
        sealed.seal(tmp_path / "kept", raising(error))
    assert told.value is error
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    ("error", "number"),
    [
        (OSError(errno.ENOSPC, "full"), errno.ENOSPC),
        (RuntimeError("Error while serializing: I/O error: No space left on device (os error 28)"), errno.ENOSPC),
        (OSError(errno.EDQUOT, "quota"), errno.EDQUOT),
        (OSError(errno.EIO, "broken"), errno.EIO),
        (OSError(errno.EROFS, "read-only"), errno.EROFS),
        (OSError(errno.EFBIG, "too large"), errno.EFBIG),
        (OSError(errno.EACCES, "not yours"), None),
        (RuntimeError("(os error 2)"), None),
        (OSError(errno.ENOENT, "os error 28"), None),
        (ValueError("28"), None),
    ],
)
def test_a_disk_that_refuses_is_told_from_everything_else(error: Exception, number: int | None, tmp_path: Path) -> None:
    assert sealed.disk_problem(error) == number
    if number is not None:
        with pytest.raises(OSError, match=rf"cannot write {tmp_path}/kept: {os.strerror(number)}") as told:
            sealed.seal(tmp_path / "kept", raising(error))
        assert (told.value.errno, told.value.__cause__) == (number, error)
        assert os.listdir(tmp_path) == []


def test_a_directory_that_is_there_is_not_replaced(written: Path) -> None:
    with pytest.raises(OSError, match="not empty"):
        sealed.seal(written, fill)
    sealed.check(written)
    assert os.listdir(written.parent) == ["kept"]


def rewrite(directory: Path, change: Callable[[dict[str, object]], object]) -> None:
    manifest = json.loads((directory / "manifest.json").read_text())
    change(manifest)
    (directory / "manifest.json").write_text(json.dumps(manifest))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda d: (d / "a.json").unlink(), r"kept/a\.json is missing$"),
        (lambda d: (d / "a.json").write_text("{ }"), r"a\.json has 3 bytes, 2 were written"),
        (lambda d: (d / "a.json").write_text("[]"), r"a\.json is not what was written: its SHA-256 differs"),
        (lambda d: (d / "c.txt").touch(), r"c\.txt is not in the manifest"),
        (lambda d: (d / "inner" / "c.txt").touch(), r"inner/c\.txt is not in the manifest"),
        (lambda d: (d / "link").symlink_to("a.json"), r"link is a symbolic link; a checkpoint has none"),
        (lambda d: (d / "inner" / "link").symlink_to("/"), r"inner/link is a symbolic link"),
        (lambda d: os.mkfifo(d / "pipe"), r"pipe is neither a file nor a directory"),
        (lambda d: (d / "manifest.json").unlink(), r"manifest\.json is missing$"),
        (lambda d: (d / "manifest.json").write_text("garbage"), r"manifest\.json is not JSON: "),
        (lambda d: (d / "manifest.json").write_text("[1]"), r"manifest\.json is not a JSON object"),
        (lambda d: (d / "manifest.json").write_text("{}"), r"manifest\.json is not a manifest: "),
        (lambda d: rewrite(d, lambda m: m.update(more=1)), r"manifest\.json is not a manifest: Extra inputs"),
        (lambda d: rewrite(d, lambda m: m.update(layout="four")), r"manifest\.json is not a manifest: "),
    ],
)
def test_whatever_was_changed_is_found_and_named(written: Path, change: Callable[[Path], object], told: str) -> None:
    change(written)
    with pytest.raises(DataError, match=told):
        sealed.check(written)


@pytest.mark.parametrize("name", ["/etc/passwd.txt", "../outside.txt", "inner/../../outside.txt", "inner\\b.txt"])
def test_a_manifest_names_nothing_outside(written: Path, name: str) -> None:
    (written.parent / "outside.txt").write_text("hello")
    rewrite(written, lambda m: m["files"].update({name: m["files"]["inner/b.txt"]}))  # type: ignore[attr-defined,index]
    with pytest.raises(DataError, match=r'manifest\.json names ".*", which may lie outside of'):
        sealed.check(written)


def test_kinds_that_could_run_are_not_read(tmp_path: Path) -> None:
    for suffix in (".json", ".safetensors", ".txt", ".jinja", ".model", ".md"):
        sealed.check(sealed.seal(tmp_path / suffix, lambda d, suffix=suffix: (d / f"a{suffix}").touch()))  # type: ignore[misc]
    for suffix in (".py", ".pkl", ".pt", ".bin", ""):
        written = sealed.seal(tmp_path / f"bad{suffix}", lambda d, suffix=suffix: (d / f"a{suffix}").touch())  # type: ignore[misc]
        with pytest.raises(
            DataError, match=r"is not of a kind that is read: \.jinja, \.json, \.md, \.model, \.safetensors, \.txt$"
        ):
            sealed.check(written)


@pytest.mark.parametrize("layout", [1, 4, 6])
def test_another_layout_is_another_versions(written: Path, layout: int) -> None:
    rewrite(written, lambda m: m.update(layout=layout, files={}))
    with pytest.raises(UserError, match=rf"has layout {layout}, this version of agentgym reads 5; go on with the ve"):
        sealed.check(written)


def test_the_first_layout_said_no_number(written: Path) -> None:
    """It had names and hashes only."""
    (written / "manifest.json").write_text(json.dumps({"a.json": "0" * 64}))
    with pytest.raises(UserError, match="has layout 1,"):
        sealed.check(written)


def test_a_directory_that_is_a_link_is_none(written: Path) -> None:
    (written.parent / "link").symlink_to(written)
    with pytest.raises(DataError, match="link is a symbolic link"):
        sealed.check(written.parent / "link")


def test_a_json_file_is_plain_and_of_a_bounded_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "a.json"
    file.write_text('{"a": 1}')
    assert sealed.read_json(file) == {"a": 1}
    monkeypatch.setattr(sealed, "_MAX_JSON", 8)
    assert sealed.read_json(file) == {"a": 1}
    monkeypatch.setattr(sealed, "_MAX_JSON", 7)
    with pytest.raises(DataError, match="is not a plain file of at most 0 MiB"):
        sealed.read_json(file)
    (tmp_path / "link.json").symlink_to(file)
    (tmp_path / "folder.json").mkdir()
    for name in ("link.json", "folder.json"):
        with pytest.raises(DataError, match="is not a plain file"):
            sealed.read_json(tmp_path / name)
    with pytest.raises(DataError, match=r"gone\.json is missing"):
        sealed.read_json(tmp_path / "gone.json")


def test_a_pointer_in_place_of_a_json_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 7\n")
    told = rf"{tmp_path}/a\.json is a pointer of git-lfs, not the file itself; type: git -C {tmp_path} lfs pull"
    with pytest.raises(DataError, match=told):
        sealed.read_json(tmp_path / "a.json")


def test_json_that_is_too_deep_is_told(tmp_path: Path) -> None:
    (tmp_path / "deep.json").write_text("[" * 200_000)
    with pytest.raises(DataError, match=r"deep\.json is not JSON: "):
        sealed.read_json(tmp_path / "deep.json")


def test_what_is_discarded_is_gone_from_the_first_moment(written: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    left = written.parent / ".kept.partial"
    left.mkdir()  # of an earlier attempt
    sealed.discard(written)
    assert os.listdir(written.parent) == []
    sealed.seal(written, fill)
    remove = shutil.rmtree

    def dies(directory: Path, ignore_errors: bool = False) -> None:
        if Path(directory).exists():
            raise KeyboardInterrupt
        remove(directory, ignore_errors=ignore_errors)

    monkeypatch.setattr(shutil, "rmtree", dies)
    with pytest.raises(KeyboardInterrupt):
        sealed.discard(written)
    assert not written.exists()


def test_of_a_link_the_link_alone_is_deleted(written: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(written)
    (tmp_path / ".link.partial").symlink_to(written)
    sealed.discard(tmp_path / "link")
    (tmp_path / ".new.partial").symlink_to(written)
    sealed.seal(tmp_path / "new", fill)
    sealed.check(written)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["kept", "new"]
    (tmp_path / "file").touch()
    sealed.remove(tmp_path / "file")
    sealed.remove(tmp_path / "nothing")
    assert not (tmp_path / "file").exists()
