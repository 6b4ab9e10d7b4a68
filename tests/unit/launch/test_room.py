"""The estimate against what is written, and the refusal."""

from __future__ import annotations

import dataclasses
import shutil
from collections import namedtuple
from pathlib import Path
from typing import Any

import pytest
import torch

from agentgym.errors import UserError
from agentgym.launch.room import DiskEstimate, episodes_at_once, refuse_full_disk, refuse_too_large
from agentgym.learn import checkpoint, footprint
from agentgym.learn.policy import Policy
from agentgym.learn.trainer import TrainerSettings
from tests.kit import byte_tokenizer, chat, tiny_model
from tests.unit.launch.kit import Pupil, workbench
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


def estimated(policy: Policy) -> DiskEstimate:
    learner = a_learner(policy.module)
    return DiskEstimate.of(policy, learner, Pupil(), keep=1, updates=7, episode_tokens=0)


def test_saved_is_the_whole_policy_or_the_adapter_alone_and_a_shared_weight_once() -> None:
    policy = Policy(tiny_model(vocab_size=len(byte_tokenizer())), chat())
    whole = estimated(policy)
    embedding, head = policy.module.get_input_embeddings().weight, policy.module.get_output_embeddings().weight
    assert embedding is head  # tied
    assert whole.optimizers == 2 * 4 * policy.num_parameters
    assert whole.lines == 7 * 2**14
    embedding.requires_grad_(False)
    frozen = estimated(policy)
    assert frozen.policy == whole.policy  # what is not trained is saved as well
    assert frozen.optimizers == whole.optimizers - 2 * embedding.nbytes
    policy.module.peft_config = {}
    assert estimated(policy).policy == whole.policy - embedding.nbytes


def test_the_weights_of_critic_and_reference_are_counted() -> None:
    policy, trainer = Policy(tiny_model(vocab_size=len(byte_tokenizer())), chat()), Loaded(1)
    needed = DiskEstimate.of(policy, a_learner(policy.module), trainer, keep=1, updates=1, episode_tokens=0)
    size = sum(parameter.nbytes for parameter in trainer.reference.parameters())
    assert needed.further == 2 * size  # they are of one size
    assert needed.optimizers == estimated(policy).optimizers + 2 * size


class Told:
    """What is asked of the estimate of memory, and what then has to fit."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.asked: dict[str, Any] = {}
        self.fits: dict[str, int] = {}

        def estimate(config: Any, **given: Any) -> dict[str, int]:
            self.asked = given
            return {"weights": 10**9, "gradients": 2 * 10**6, "cache": 0, "logits": 3 * 10**6}

        monkeypatch.setattr(footprint, "estimate", estimate)
        monkeypatch.setattr(footprint, "check_fits", lambda needed, device: self.fits.update(needed))


def test_what_has_to_fit_beside_the_weights_by_hand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told, bench = Told(monkeypatch), workbench(tmp_path, rollout={"concurrency": 5})
    policy: Any = bench.parts.policy
    policy.module.get_input_embeddings().weight.requires_grad_(False)
    frozen = policy.module.get_input_embeddings().weight.numel()
    trainer = TrainerSettings(max_microbatch_tokens=99)
    said = refuse_too_large(bench.settings, bench.parts, trainer, episodes=5)
    assert told.asked == {
        "num_parameters": policy.num_parameters,
        "num_trained": policy.num_parameters - frozen,
        "max_microbatch_tokens": 99,
        "max_context": 99,  # the engine would hold more
        "sessions": 5,
        "element_size": 4,
        "trained_size": 4,
        "autocast": False,
        "gradient_checkpointing": False,
        "on_cpu": True,
    }
    assert told.fits == {"gradients": 2 * 10**6, "cache": 0, "logits": 3 * 10**6}
    assert said.startswith("memory beside the weights: about ")
    assert "gradients" in said
    assert "cache" not in said


@pytest.mark.parametrize(("given", "most", "context"), [(None, 50, 50), (None, 200, 99), (300, 50, 300), (20, 200, 20)])
def test_the_cache_is_for_the_context_that_is_given_or_for_what_fills_a_microbatch(
    given: int | None, most: int, context: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = Told(monkeypatch)
    settings: dict[str, Any] = {"engine": {"max_context": given}} if given else {}
    bench = workbench(tmp_path, **settings)
    engine: Any = bench.parts.engine
    engine.max_context = most
    refuse_too_large(bench.settings, bench.parts, TrainerSettings(max_microbatch_tokens=99), episodes=1)
    assert told.asked["max_context"] == context


def test_what_saves_memory_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told, bench = Told(monkeypatch), workbench(tmp_path)
    policy = dataclasses.replace(bench.parts.policy, module=bench.parts.policy.module.to(torch.bfloat16))
    parts = dataclasses.replace(bench.parts, policy=policy)
    refuse_too_large(
        bench.settings, parts, TrainerSettings(precision="bfloat16", gradient_checkpointing=True), episodes=1
    )
    asked = told.asked
    assert (asked["element_size"], asked["autocast"], asked["gradient_checkpointing"]) == (2, True, True)


@pytest.mark.parametrize(
    ("given", "an_update", "num"),
    [
        ({"eval": {"episodes": 2, "validation_episodes": 3}}, 1, 3),
        ({"eval": {"episodes": 4, "validation_episodes": 3}}, 1, 4),
        ({"eval": {"episodes": 2, "validation_episodes": 3}}, 8, 8),
        ({"eval": {"episodes": 200, "validation_episodes": 3}}, 1, 9),  # so many test tasks there are
        ({"eval": {"episodes": 2}, "rollout": {"concurrency": 5}}, 8, 5),
        ({"eval": {"episodes": 2}, "mode": "async"}, 1, 128),  # as many as may be
    ],
)
def test_as_many_episodes_are_under_way_as_can_be(
    given: dict[str, Any], an_update: int, num: int, tmp_path: Path
) -> None:
    bench = workbench(tmp_path, **given)
    assert episodes_at_once(bench.settings, bench.parts, an_update) == num


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


def test_just_as_much_is_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    needed = DiskEstimate(policy=100, optimizers=300, further=50, lines=7, episodes=9, keep=1)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(10**12, 0, needed.total))
    refuse_full_disk(tmp_path, needed)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(10**12, 0, needed.total - 1))
    with pytest.raises(UserError, match="the run needs"):
        refuse_full_disk(tmp_path, needed)
