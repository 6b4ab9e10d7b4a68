"""The estimate against what is written, and the refusal."""

from __future__ import annotations

import shutil
from collections import namedtuple
from pathlib import Path

import pytest

from agentgym.errors import UserError
from agentgym.launch.room import DiskEstimate, refuse_full_disk
from agentgym.learn import checkpoint
from agentgym.learn.policy import Policy
from tests.kit import byte_tokenizer, chat, tiny_model
from tests.unit.learn.test_checkpoint import Loaded, a_learner, update

Usage = namedtuple("Usage", "total used free")


def test_the_estimate_is_what_a_checkpoint_takes(tmp_path: Path) -> None:
    policy = Policy(tiny_model(vocab_size=len(byte_tokenizer()), hidden_size=64, intermediate_size=256), chat())
    learner, trainer = a_learner(policy.module), Loaded(1, hidden_size=64, intermediate_size=256)
    needed = DiskEstimate.of(policy, learner, trainer, keep=2, updates=10, episode_tokens=500)
    update(learner, trainer)
    saved = checkpoint.save(tmp_path / "1", policy, learner, {}, trainer=trainer)
    taken = sum(file.stat().st_size for file in saved.rglob("*") if file.is_file())
    assert taken <= needed.checkpoint <= taken + 2**18
    assert needed.episodes == 3000
    assert needed.optimizers == pytest.approx(
        sum(file.stat().st_size for file in saved.glob("learners/*/optimizer.safetensors")), rel=0.02
    )


def test_the_total_by_hand() -> None:
    # 1 kept: 2 checkpoints of 100 + 300 + 50 + 262144 bytes, 4 policies of 100, 7 of lines, 9 of episodes.
    needed = DiskEstimate(policy=100, optimizers=300, further=50, lines=7, episodes=9, keep=1)
    assert needed.checkpoint == 262_594
    assert needed.total == 2 * 262_594 + 400 + 7 + 9


def test_a_full_disk_is_refused_with_the_figures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Path] = []

    def usage(path: Path) -> Usage:
        asked.append(path)
        return Usage(10**12, 10**12 - 31 * 10**9, 31 * 10**9)

    monkeypatch.setattr(shutil, "disk_usage", usage)
    needed = DiskEstimate(
        policy=2 * 10**9, optimizers=4 * 10**9, further=10**9, lines=16_000_000, episodes=10**7, keep=2
    )
    with pytest.raises(UserError) as told:  # 3 of 7.0 GB, 5 of 2.0 GB
        refuse_full_disk(tmp_path / "not" / "yet", needed)
    assert str(told.value) == (
        f"the run needs 31.0 GB under {tmp_path}/not/yet, 31.0 GB are free: 3 checkpoints of 7.0 GB (policy 2.0 GB, "
        "optimizers 4.0 GB, other weights 1.0 GB), 5 policies, 10.0 MB of episodes (--archive.keep) and 16.0 MB of "
        "metrics; lower --keep_checkpoints (now 2) or choose an --output on a larger disk"
    )
    assert asked == [tmp_path]
    refuse_full_disk(tmp_path, DiskEstimate(policy=10**9, optimizers=10**9, further=0, lines=0, episodes=0, keep=1))
    with pytest.raises(UserError, match="of metrics; choose an --output on a larger disk"):
        refuse_full_disk(tmp_path, DiskEstimate(policy=10**10, optimizers=0, further=0, lines=0, episodes=0, keep=1))
