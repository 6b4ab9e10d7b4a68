"""A checkpoint is whole or it is not there, whatever fails while it is written."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from agentgym.learn import checkpoint
from agentgym.learn.batch import Row
from agentgym.learn.learner import Learner
from agentgym.learn.objectives.imitation import imitation
from agentgym.learn.policy import Policy, load_policy
from tests.kit import byte_tokenizer, chat, tiny_model


def a_policy(seed: int = 0) -> Policy:
    size = len(byte_tokenizer())
    return Policy(tiny_model(seed, vocab_size=size, hidden_size=16, intermediate_size=16), chat())


def step(learner: Learner, first: int) -> None:
    ids = list(range(first, first + 6))
    row = Row(token_ids=ids, loss_mask=[True] * 6, behavior_logprobs=[0.0] * 6, advantages=[1.0] * 6)
    learner.update([row], lambda predictions, batch: imitation(predictions.logprobs_N))


def weights(policy: Policy) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in policy.module.state_dict().items()}


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def test_training_goes_on_as_if_nothing_had_happened(tmp_path: Path) -> None:
    policy = a_policy()
    learner = Learner(policy.module, learning_rate=0.01, warmup_updates=3)
    step(learner, 10)
    step(learner, 20)
    saved = checkpoint.save(tmp_path / "1", policy, learner, {"next_update": 2})
    drawn = torch.rand(3)
    step(learner, 30)

    loaded = load_policy(saved / "policy", device="cpu")
    again = Learner(loaded.module, learning_rate=0.01, warmup_updates=3)
    assert checkpoint.load(saved, again) == {"next_update": 2}
    assert torch.equal(torch.rand(3), drawn)
    step(again, 30)
    assert again.num_updates == 3
    assert same(weights(loaded), weights(policy))


def break_at(monkeypatch: pytest.MonkeyPatch, at: int) -> list[str]:
    """The ``at``-th write, flush or rename fails, a write after half of its text. Returns what was tried, growing."""
    tried: list[str] = []

    def failing(real: Any, name: str) -> Any:
        def call(*args: Any, **kwargs: Any) -> Any:
            tried.append(name)
            if len(tried) != at:
                return real(*args, **kwargs)
            if name == "write_text":
                real(args[0], args[1][: len(args[1]) // 2])
            raise OSError("disk full")

        return call

    places = [(checkpoint, "save_file"), (os, "rename"), (os, "fsync"), (Policy, "save"), (Path, "write_text")]
    for owner, name in places:
        monkeypatch.setattr(owner, name, failing(getattr(owner, name), name))
    return tried


def test_whatever_fails_the_older_one_still_loads(tmp_path: Path) -> None:
    policy = a_policy()
    learner = Learner(policy.module, learning_rate=0.01)
    step(learner, 10)
    older = checkpoint.save(tmp_path / "1", policy, learner, {"next_update": 1})
    hashes = {file: hashlib.sha256(file.read_bytes()).hexdigest() for file in older.rglob("*") if file.is_file()}
    step(learner, 20)
    with pytest.MonkeyPatch.context() as patch:
        tried = break_at(patch, -1)
        shutil.rmtree(checkpoint.save(tmp_path / "2", policy, learner, {}))
    assert {"save_file", "rename", "fsync", "save", "write_text"} == set(tried)
    num = len(tried)
    for name in ("2", "1"):  # a new name, and the one that is taken
        for at in range(1, num):  # the last flush comes after the rename: by then the new one is there
            with pytest.MonkeyPatch.context() as patch:
                break_at(patch, at)
                with pytest.raises(OSError, match="disk full"):
                    checkpoint.save(tmp_path / name, policy, learner, {"next_update": 2})
            assert checkpoint.latest(tmp_path) == older, (name, at)
    assert {file: hashlib.sha256(file.read_bytes()).hexdigest() for file in hashes} == hashes
    newer = checkpoint.save(tmp_path / "2", policy, learner, {"next_update": 2})
    assert checkpoint.latest(tmp_path) == newer
    assert sorted(path.name for path in tmp_path.iterdir() if not path.name.startswith(".1")) == ["1", "2"]


def test_a_name_that_is_taken_is_not_overwritten(tmp_path: Path) -> None:
    policy = a_policy()
    learner = Learner(policy.module, learning_rate=0.01)
    saved = [checkpoint.save(tmp_path / "2-train-000001", policy, learner, {"number": i}) for i in range(3)]
    assert len(set(saved)) == 3
    assert checkpoint.latest(tmp_path) == saved[-1]
    following = checkpoint.save(tmp_path / "2-train-000002", policy, learner, {})
    assert checkpoint.latest(tmp_path) == following
    checkpoint.prune(tmp_path, keep=2)
    assert sorted(tmp_path.iterdir()) == [saved[-1], following]


@pytest.mark.parametrize("name", ["state.json", "optimizer.safetensors", "policy/model.safetensors", "manifest.json"])
@pytest.mark.parametrize("damage", ["flip", "cut", "gone"])
def test_a_damaged_one_is_passed_over(name: str, damage: str, tmp_path: Path) -> None:
    policy = a_policy()
    learner = Learner(policy.module, learning_rate=0.01)
    step(learner, 5)
    older, newer = (checkpoint.save(tmp_path / str(i), policy, learner, {}) for i in (1, 2))
    assert checkpoint.latest(tmp_path) == newer
    content = bytearray((newer / name).read_bytes())
    content[len(content) // 2] ^= 1
    if damage == "gone":
        (newer / name).unlink()
    else:
        (newer / name).write_bytes(content if damage == "flip" else content[: len(content) // 2])
    assert checkpoint.latest(tmp_path) == older


def test_there_may_be_none(tmp_path: Path) -> None:
    assert checkpoint.latest(tmp_path) is None
    assert checkpoint.latest(tmp_path / "nowhere") is None
    checkpoint.discard_after(tmp_path / "nowhere", None)


def test_after_falling_back_newer_ones_and_half_written_ones_go(tmp_path: Path) -> None:
    policy = a_policy()
    learner = Learner(policy.module, learning_rate=0.01)
    one, two, _ = (checkpoint.save(tmp_path / str(i), policy, learner, {}) for i in (1, 2, 3))
    (tmp_path / ".4.partial").mkdir()
    (tmp_path / ".4.partial" / "manifest.json").write_text(json.dumps({}))
    checkpoint.discard_after(tmp_path, two)
    assert sorted(tmp_path.iterdir()) == [one, two]
    checkpoint.discard_after(tmp_path, None)
    assert list(tmp_path.iterdir()) == []
