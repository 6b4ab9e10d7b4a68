"""A checkpoint that is not what was written is found out before anything is loaded, whatever happened to it."""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import pickle
import shutil
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import assume, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from agentgym import sealed
from agentgym.errors import DataError, UserError
from agentgym.learn import checkpoint
from agentgym.learn.learner import Learner
from agentgym.learn.policy import Policy
from tests.kit import byte_tokenizer, chat, tiny_model
from tests.unit.learn.test_checkpoint import Loaded, a_learner, step

NUM_FILES = 14


@pytest.fixture(scope="module")
def policy() -> Policy:
    return Policy(tiny_model(0, vocab_size=len(byte_tokenizer()), hidden_size=16, intermediate_size=16), chat())


@pytest.fixture(scope="module")
def learner(policy: Policy) -> Learner:
    learner = a_learner(policy.module)
    step(learner, 10)
    return learner


@pytest.fixture(scope="module")
def written(policy: Policy, learner: Learner, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the checkpoints "1" and "2"."""
    parent, trainer = tmp_path_factory.mktemp("written") / "checkpoints", Loaded(1)
    for name in ("1", "2"):
        step(trainer.critic, 20)
        checkpoint.save(parent / name, policy, learner, {"name": name}, trainer=trainer)
    return parent


@pytest.fixture
def parent(written: Path, tmp_path: Path) -> Path:
    """A copy to be damaged."""
    return Path(shutil.copytree(written, tmp_path / "checkpoints"))


def files(directory: Path) -> list[Path]:
    return sorted(path for path in directory.rglob("*") if path.is_file())


def assert_found_out(parent: Path, name: str) -> None:
    """The damage to "2" is told, with the file's ``name``, and "1" is used."""
    notes: list[str] = []
    assert checkpoint.latest(parent, note=notes.append) == parent / "1"
    assert len(notes) == 1
    assert notes[0].startswith("checkpoint 2 is corrupt, the one before it is tried: ")
    assert str(parent / "2" / name) in notes[0]


def test_the_undamaged_one_is_used(written: Path) -> None:
    assert checkpoint.latest(written) == written / "2"
    assert len(files(written / "2")) == NUM_FILES


def damages(size: int) -> st.SearchStrategy[tuple[str, int]]:
    place = st.integers(0, max(0, size - 1))
    return st.tuples(st.sampled_from(["flip", "cut", "zero", "insert", "empty", "gone"]), place)


def damaged(content: bytes, kind: str, place: int, bit: int) -> bytes | None:
    """None: the file goes."""
    flipped = bytes([content[place] ^ 1 << bit]) if content else b""
    return {
        "flip": content[:place] + flipped + content[place + 1 :],
        "cut": content[:place],
        "zero": b"\0" * len(content),
        "insert": content[:place] + b" " + content[place:],
        "empty": b"",
        "gone": None,
    }[kind]


@examples(max_examples=300, deadline=None)
@given(data=st.data())
def test_any_damage_to_any_file(written: Path, data: st.DataObject) -> None:
    file = data.draw(st.sampled_from(files(written / "2")))
    content = file.read_bytes()
    kind, place = data.draw(damages(len(content)))
    changed = damaged(content, kind, place, data.draw(st.integers(0, 7)))
    assume(changed != content)
    assume(file.name != "manifest.json" or not _means_the_same(changed, content))
    try:
        file.unlink()
        if changed is not None:
            file.write_bytes(changed)
        assert checkpoint.latest(written) == written / "1"
        with pytest.raises(UserError):
            sealed.check(written / "2")
    finally:
        file.write_bytes(content)
    assert checkpoint.latest(written) == written / "2"


def _means_the_same(changed: bytes | None, content: bytes) -> bool:
    """A blank more in JSON is no damage."""
    try:
        return bool(json.loads(changed or b"") == json.loads(content))
    except ValueError:
        return False


def test_cut_at_every_4_kib(parent: Path) -> None:
    num = 0
    for file in files(parent / "2"):
        content = file.read_bytes()
        for size in range(0, len(content), 4096):
            os.truncate(file, size)
            assert checkpoint.latest(parent) == parent / "1"
            file.write_bytes(content)
            num += 1
    assert num > NUM_FILES
    assert checkpoint.latest(parent) == parent / "2"


def test_swapped_files(parent: Path) -> None:
    names = ["policy/model.safetensors", "learners/critic/weights.safetensors", "modules/reference.safetensors"]
    for one, other in itertools.pairwise(names):
        assert (parent / "2" / one).stat().st_size != 0
        _swap(parent / "2" / one, parent / "2" / other)
        assert_found_out(parent, "")
        _swap(parent / "2" / one, parent / "2" / other)
    assert checkpoint.latest(parent) == parent / "2"
    _swap(parent / "1" / names[1], parent / "2" / names[1])  # of the same shape and size, from another checkpoint
    assert checkpoint.latest(parent) is None


def _swap(one: Path, other: Path) -> None:
    aside = one.with_name("aside")
    one.rename(aside)
    other.rename(one)
    aside.rename(other)


def _lose(name: str) -> Callable[[Path], None]:
    return lambda newest: shutil.rmtree(newest / name) if (newest / name).is_dir() else (newest / name).unlink()


def _empty_directory(newest: Path) -> None:
    shutil.rmtree(newest)
    newest.mkdir()


@pytest.mark.parametrize(
    ("damage", "name"),
    [
        (_lose("manifest.json"), "manifest.json"),
        (_lose("policy"), "policy/"),
        (_lose("learners/critic/optimizer.safetensors"), "learners/critic/optimizer.safetensors"),
        (_empty_directory, "manifest.json"),
        (lambda newest: (newest / "policy" / "added.json").write_text("{}"), "policy/added.json"),
        (lambda newest: (newest / "manifest.json").write_text("[]"), "manifest.json"),
        (
            lambda newest: (newest / "manifest.json").write_text(
                json.dumps({"layout": sealed.LAYOUT, "files": {"a": 1}})
            ),
            "manifest.json",
        ),
        (lambda newest: (newest / "manifest.json").write_text("{}"), "manifest.json"),
        (lambda newest: (newest / "manifest.json").write_text("[" * 10**6), "manifest.json"),
    ],
)
def test_half_there(damage: Callable[[Path], None], name: str, parent: Path) -> None:
    damage(parent / "2")
    assert_found_out(parent, name)


def test_what_is_half_written_has_no_part_in_it(parent: Path) -> None:
    (parent / "2").rename(parent / ".3.partial")
    (parent / ".3.partial" / "state.json").unlink()
    notes: list[str] = []
    assert checkpoint.latest(parent, note=notes.append) == parent / "1"
    assert notes == []
    assert checkpoint.clean(parent, parent / "1", corrupt=parent.parent / "corrupt") == []
    assert list(parent.iterdir()) == [parent / "1"]


# -- what was written to do harm -----------------------------------------------------------------------


class Bomb:
    """What a pickle of this runs when it is loaded."""

    def __init__(self, canary: Path) -> None:
        self.canary = canary

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.canary),)


def resealed(directory: Path, **more: str) -> None:
    """Write a manifest that fits what is there, as whoever changed it would."""
    seals = {
        file.relative_to(directory).as_posix(): {
            "size": file.stat().st_size,
            "sha256": hashlib.sha256(file.read_bytes()).hexdigest(),
        }
        for file in files(directory)
        if file.name != "manifest.json"
    }
    seals |= {name: {"size": 1, "sha256": sha256} for name, sha256 in more.items()}
    (directory / "manifest.json").write_text(json.dumps({"layout": sealed.LAYOUT, "files": seals}))


@pytest.mark.parametrize("name", ["policy/pytorch_model.bin", "optimizer.pt", "state.pkl", "policy/model.py", "x.npy"])
def test_a_pickle_is_refused(name: str, parent: Path, tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    (parent / "2" / name).write_bytes(pickle.dumps(Bomb(canary)))
    if name.startswith("policy/pytorch"):
        (parent / "2" / "policy" / "model.safetensors").unlink()  # transformers would fall back to it
    resealed(parent / "2")
    assert_found_out(parent, name)
    assert not canary.exists()
    pickle.loads((parent / "2" / name).read_bytes())  # it would have gone off
    assert canary.exists()


@pytest.mark.parametrize("name", ["../1/state.json", "/etc/hostname", "policy/../../x", "..\\x", "a/./../../b"])
def test_names_that_lead_out_are_refused(name: str, parent: Path) -> None:
    resealed(parent / "2", **{name: "0" * 64})
    assert_found_out(parent, "")
    with pytest.raises(DataError, match="which may lie outside of"):
        sealed.check(parent / "2")


@pytest.mark.parametrize("target", ["state.json", "policy", "manifest.json", ""])
def test_links_are_refused(target: str, parent: Path, tmp_path: Path) -> None:
    linked = parent / "2" / target
    linked.rename(tmp_path / "elsewhere")
    linked.symlink_to(tmp_path / "elsewhere")
    assert_found_out(parent, target)


def test_a_pipe_is_refused_and_not_waited_for(parent: Path) -> None:
    for name in ("state.json", "manifest.json"):
        (parent / "2" / name).unlink()
        os.mkfifo(parent / "2" / name)
        assert_found_out(parent, name)


def bomb_header(shape: list[int], offsets: list[int]) -> bytes:
    header = json.dumps({"model.norm.weight/exp_avg": {"dtype": "F32", "shape": shape, "data_offsets": offsets}})
    return struct.pack("<Q", len(header)) + header.encode()


@pytest.mark.parametrize(
    "content",
    [
        bomb_header([10**10], [0, 4 * 10**10]) + b"\0" * 64,  # 40 GB that are not there
        bomb_header([10**10], [0, 64]) + b"\0" * 64,
        struct.pack("<Q", 2**62) + b"{}",  # a header of 4 EB
        struct.pack("<Q", 2) + b"{}" + b"\0" * 4096,  # bytes that no tensor owns
        bomb_header([2**33, 2**33], [0, 0]),
        b"",
    ],
)
def test_a_header_that_promises_too_much_is_refused(content: bytes, parent: Path, policy: Policy) -> None:
    (parent / "2" / "learners" / "policy" / "optimizer.safetensors").write_bytes(content)
    resealed(parent / "2")
    learner = a_learner(policy.module)
    before = torch.get_rng_state()
    with pytest.raises(DataError, match=r"learners/policy/optimizer\.safetensors is not a safetensors file"):
        checkpoint.load(parent / "2", learner, trainer=Loaded(1))
    assert not learner.optimizer.state
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("text", ["[" * 10**6, '{"a":' * 10**5, "{", "[]", "\udcff"])
def test_a_state_that_is_no_object_is_refused(text: str, parent: Path, policy: Policy) -> None:
    (parent / "2" / "state.json").write_bytes(text.encode(errors="surrogateescape"))
    resealed(parent / "2")
    with pytest.raises(DataError, match=r"state\.json is not"):
        checkpoint.load(parent / "2", a_learner(policy.module), trainer=Loaded(1))
