"""Trainers with a low-rank adapter: what learns, what stays, and what the reference is."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model

from agentgym.trainers.dpo import DPO, DPOSettings
from agentgym.trainers.grpo import GRPO, GRPOSettings
from agentgym.trainers.ppo import PPO, PPOSettings
from tests.kit import one_thread, tiny_model
from tests.unit.trainers.kit import episode, equipped

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
def test_the_reference_is_the_base_model_and_costs_no_memory(kind: str) -> None:
    module = adapted()
    trainer: Any = (
        GRPO(GRPOSettings(learning_rate=1e-2, kl_coefficient=0.1))
        if kind == "grpo"
        else DPO(DPOSettings(learning_rate=1e-2, reference="model"))
    )
    equipped(trainer, module)
    assert trainer.modules() == {}
    first = trainer.lesson(0, EPISODES).rows[0].reference_logprobs
    for update in range(3):
        trainer.learn(update, trainer.lesson(0, EPISODES))
    assert trainer.lesson(0, EPISODES).rows[0].reference_logprobs == pytest.approx(first)
    base = tiny_model()
    ids = torch.tensor(EPISODES[0].samples[0].token_ids[None])
    expected = base(input_ids=ids).logits[0, :-1].log_softmax(-1).gather(1, ids[0, 1:, None])[:, 0]
    assert first is not None
    assert first[1:] == pytest.approx(expected.tolist(), abs=1e-5)
