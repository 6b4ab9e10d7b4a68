"""Which policies stay on the disk, and which one is the best."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from agentgym.errors import DataError
from agentgym.launch.kept import Kept
from agentgym.learn import checkpoint
from agentgym.learn.policy import Policy, load_policy
from agentgym.run import Run
from tests.unit.launch.kit import a_policy, mark, marked


@pytest.fixture
def kept(tmp_path: Path) -> Kept:
    return Kept(Run.create(tmp_path / "run", {}))


def there(kept: Kept) -> list[str]:
    return sorted(path.name for path in kept.run.policies.glob("*"))


def keep(kept: Kept, *updates: int) -> Policy:
    policy = a_policy()
    for update in updates:
        mark(policy.module, update)
        kept.keep(policy, update)
    return policy


def test_the_last_kept_is_the_best_and_the_others_go(kept: Kept) -> None:
    assert (kept.name, there(kept)) == (None, [])
    keep(kept, 0, 30)
    assert kept.name == "000030"
    assert there(kept) == ["000030"]
    assert os.readlink(kept.run.policy) == "policies/000030"
    assert list(kept.run.directory.glob(".*.partial")) == []


def test_at_no_moment_is_there_no_best_policy(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    """The link changes in one step, even where an earlier attempt left something aside."""
    keep(kept, 0)
    (kept.run.directory / ".policy.partial").symlink_to("nowhere")
    replaced: list[str] = []
    replace = os.replace

    def watched(source: Path, target: Path) -> None:
        if target == kept.run.policy:
            replaced.append(os.readlink(target))
        replace(source, target)

    monkeypatch.setattr(os, "replace", watched)
    keep(kept, 30)
    assert replaced == ["policies/000000"]
    assert os.readlink(kept.run.policy) == "policies/000030"


@pytest.mark.parametrize("number", [errno.EPERM, errno.EOPNOTSUPP])
def test_without_links_the_best_is_a_copy(kept: Kept, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    def refuse(*_: object) -> object:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(Path, "symlink_to", refuse)
    for update in (0, 30):
        policy = keep(kept, update)
        assert not kept.run.policy.is_symlink()
        assert marked(load_policy(kept.run.policy, device="cpu").module) == update
    kept.restore(policy)
    assert there(kept) == ["000030"]
    assert kept.go_back(None, print)
    assert not kept.run.policy.exists()
    assert list(kept.run.directory.glob(".*.partial")) == []


def test_the_best_is_restored_whatever_was_learned_since(kept: Kept) -> None:
    policy = keep(kept, 3)
    mark(policy.module, 9.0)
    kept.restore(policy)
    assert marked(policy.module) == 3.0


def test_what_is_not_what_was_written_is_not_restored(kept: Kept) -> None:
    policy = keep(kept, 3)
    file = kept.run.policies / "000003" / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-1] + b"\1")
    with pytest.raises(DataError, match=r"000003/model\.safetensors is not what was written"):
        kept.restore(policy)


def test_the_same_update_kept_again_replaces_what_was_there(kept: Kept) -> None:
    policy = keep(kept, 3)
    mark(policy.module, 7.0)
    kept.keep(policy, 3)
    kept.restore(policy)
    assert marked(policy.module) == 7.0


def test_what_a_checkpoint_goes_back_to_stays_until_the_checkpoint_goes(kept: Kept) -> None:
    policy = keep(kept, 0)
    saved = checkpoint.save(kept.run.checkpoints / "1", policy, None, {"kept": kept.name})
    keep(kept, 10, 20)
    assert there(kept) == ["000000", "000020"]
    (kept.run.policies / ".000030.partial").mkdir()
    checkpoint.save(kept.run.checkpoints / "2", policy, None, {"kept": kept.name})
    checkpoint.prune(kept.run.checkpoints, keep=1)
    assert not saved.exists()
    kept.discard_unused()
    assert there(kept) == ["000020"]


def test_where_the_disk_refuses_the_best_is_as_it_was(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    keep(kept, 3)

    def full(self: Policy, directory: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Policy, "save", full)
    with pytest.raises(OSError, match="cannot write"):
        kept.keep(a_policy(), 4)
    assert (kept.name, there(kept), os.readlink(kept.run.policy)) == ("000003", ["000003"], "policies/000003")


def test_going_back_points_to_the_policy_of_then(kept: Kept) -> None:
    policy = keep(kept, 0)
    checkpoint.save(kept.run.checkpoints / "1", policy, None, {"kept": "000000"})
    keep(kept, 10)
    notes: list[str] = []
    assert kept.go_back("000000", notes.append)
    assert (kept.name, os.readlink(kept.run.policy), notes) == ("000000", "policies/000000", [])
    assert kept.go_back(None, notes.append)
    assert (kept.name, os.path.lexists(kept.run.policy)) == (None, False)


def test_a_corrupt_policy_is_moved_aside_and_told(kept: Kept) -> None:
    for moved in ("policy-000012", "policy-000012+"):
        keep(kept, 12)
        (kept.run.policies / "000012" / "config.json").write_text("{}")
        notes: list[str] = []
        assert not kept.go_back("000012", notes.append)
        assert (kept.name, os.path.lexists(kept.run.policy), there(kept)) == (None, False, [])
        (note,) = notes
        assert note.startswith("the best policy so far, of update 12, is lost: ")
        assert note.endswith(f"what is left of it is in {kept.run.corrupt / moved}")
        assert (kept.run.corrupt / moved / "config.json").read_text() == "{}"


def test_a_policy_that_is_gone_is_told_as_well(kept: Kept) -> None:
    notes: list[str] = []
    assert not kept.go_back("000005", notes.append)
    assert "of update 5, is lost" in notes[0]


def test_nothing_is_deleted_while_a_checkpoint_cannot_say_what_it_needs(kept: Kept) -> None:
    policy = keep(kept, 0)
    damaged = checkpoint.save(kept.run.checkpoints / "1", policy, None, {"kept": "000000"})
    state = (damaged / "state.json").read_bytes()
    (damaged / "state.json").write_text("{")
    keep(kept, 10)
    assert there(kept) == ["000000", "000010"]
    (damaged / "state.json").write_bytes(state)
    keep(kept, 20)
    assert there(kept) == ["000000", "000020"]
