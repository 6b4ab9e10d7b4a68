"""Trainers with a low-rank adapter: what learns, what stays, and what the reference is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model

from agentgym.learn import tensors
from agentgym.trainers.dpo import DPO, DPOSettings
from agentgym.trainers.grpo import GRPO, GRPOSettings
from agentgym.trainers.ppo import PPO, PPOSettings
from agentgym.trainers.sft import SFT, SFTSettings
from tests.kit import one_thread, tiny_model
from tests.unit.trainers.kit import episode, equipped, moved

__all__ = ["one_thread"]

EPISODES = [episode([1.0], [[5, 9]]), episode([0.0], [[6, 9]]), episode([0.0], [[7, 9]])]


def adapted() -> Any:
    config = LoraConfig(
        r=4, lora_alpha=8, target_modules="all-linear", task_type="CAUSAL_LM", init_lora_weights="gaussian"
    )
    return get_peft_model(tiny_model(), config)


def frozen(module: Any) -> dict[str, torch.Tensor]:
    return {name: p.detach().clone() for name, p in module.named_parameters() if not p.requires_grad}


def test_ppo_trains_the_adapter_and_a_critic_with_one_of_its_own() -> None:
    module = adapted()
    ppo = equipped(PPO(PPOSettings(learning_rate=1e-2)), module)
    assert isinstance(ppo, PPO)
    before, critic_before = frozen(module), frozen(ppo.critic.module)
    assert critic_before  # the trunk's own weights
    metrics = ppo.learn(0, ppo.lesson(0, EPISODES))
    assert metrics["grad_norm"] > 0
    assert metrics["critic_grad_norm"] > 0
    for kept, now in ((before, frozen(module)), (critic_before, frozen(ppo.critic.module))):
        assert all(torch.equal(kept[name], now[name]) for name in kept)


@pytest.mark.parametrize("kind", ["grpo", "dpo"])
def test_the_reference_is_the_adapter_that_training_began_with(kind: str) -> None:
    """Not the bare base model: a warm start, or whoever made the adapter, taught it something."""
    module = adapted()
    warm = equipped(SFT(SFTSettings(learning_rate=1e-2)), module)
    for update in range(5):
        warm.learn(update, warm.lesson(update, [episode([1.0], [[5, 9]], role="expert")]))
    ids = torch.tensor(EPISODES[0].samples[0].token_ids[None])
    with torch.no_grad():
        taught, bare = (
            model(input_ids=ids).logits[0, :-1].log_softmax(-1).gather(1, ids[0, 1:, None])[:, 0].tolist()
            for model in (module, tiny_model())
        )
    assert max(abs(a - b) for a, b in zip(taught, bare, strict=True)) > 0.1
    trainer: Any = (
        GRPO(GRPOSettings(learning_rate=1e-2, kl_coefficient=0.1))
        if kind == "grpo"
        else DPO(DPOSettings(learning_rate=1e-2, reference="model"))
    )
    equipped(trainer, module)
    for update in range(3):
        reference = trainer.lesson(0, EPISODES).rows[0].reference_logprobs
        assert reference[1:] == pytest.approx(taught, abs=1e-5)
        metrics = trainer.learn(update, trainer.lesson(0, EPISODES))
        if kind == "grpo":
            assert (metrics["reference_kl"] < 1e-6) == (update == 0)
    with torch.no_grad():  # and the policy is where it was going
        moved = module(input_ids=ids).logits[0, :-1].log_softmax(-1).gather(1, ids[0, 1:, None])[:, 0].tolist()
    assert moved != pytest.approx(taught, abs=1e-3)


def test_the_reference_of_an_adapter_is_small_and_comes_back(tmp_path: Path) -> None:
    trainer = equipped(GRPO(GRPOSettings(learning_rate=1e-2, kl_coefficient=0.1)), adapted())
    (kept,) = trainer.modules().values()
    assert sum(weight.numel() for weight in kept.parameters()) == sum(
        weight.numel() for weight in trainer.equipment.learner.parameters
    )
    tensors.write_weights(tmp_path / "reference.safetensors", kept)
    first = trainer.lesson(0, EPISODES).rows[0].reference_logprobs
    moved(kept)
    assert trainer.lesson(0, EPISODES).rows[0].reference_logprobs != pytest.approx(first, abs=1e-3)
    tensors.read_weights(tmp_path / "reference.safetensors", kept)()
    assert trainer.lesson(0, EPISODES).rows[0].reference_logprobs == pytest.approx(first, abs=1e-6)
