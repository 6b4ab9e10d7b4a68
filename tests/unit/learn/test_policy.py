from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

import pytest
import torch

from agentgym.errors import UserError
from agentgym.learn.nano import NanoConfig, build_model, build_tokenizer
from agentgym.learn.policy import Policy, load_policy, saved_ends
from agentgym.tokenizer import ChatTokenizer
from tests.kit import byte_tokenizer, chat, tiny_model


def save(directory: Path) -> Policy:
    policy = Policy(tiny_model(vocab_size=len(byte_tokenizer()), hidden_size=16), chat())
    policy.save(directory)
    return policy


def test_a_saved_policy_is_the_same_again(tmp_path: Path) -> None:
    policy = save(tmp_path)
    loaded = load_policy(tmp_path, device="cpu")
    before, after = policy.module.state_dict(), loaded.module.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert not loaded.module.training
    assert loaded.num_parameters == policy.num_parameters == sum(p.numel() for p in policy.module.parameters())
    messages = [{"role": "user", "content": "Ünïcode\n <|im_end|>"}]
    assert loaded.tokenizer.encode(loaded.tokenizer.render(messages)) == policy.tokenizer.encode(
        policy.tokenizer.render(messages)
    )


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_a_policy_takes_up_the_weights_that_it_saved(dtype: Literal["float32", "bfloat16"], tmp_path: Path) -> None:
    save(tmp_path / "first")
    policy = load_policy(tmp_path / "first", device="cpu", dtype=dtype)
    assert str(policy.module.dtype) == f"torch.{dtype}"
    saved = {name: tensor.clone() for name, tensor in policy.weights()}
    policy.save(tmp_path / "saved")
    with torch.no_grad():
        for parameter in policy.module.parameters():
            parameter.add_(1)
    policy.restore(tmp_path / "saved")
    assert all(torch.equal(tensor, saved[name]) for name, tensor in policy.weights())
    assert str(policy.module.dtype) == f"torch.{dtype}"


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_an_adapter_takes_up_its_own_weights_and_reads_no_others(
    dtype: Literal["float32", "bfloat16"], tmp_path: Path
) -> None:
    pytest.importorskip("peft")
    save(tmp_path / "base")
    policy = load_policy(tmp_path / "base", device="cpu", dtype=dtype, lora_rank=2)
    policy.save(tmp_path / "adapter")
    saved = {name: tensor.clone() for name, tensor in policy.weights()}
    with torch.no_grad():
        for parameter in policy.module.parameters():
            if parameter.requires_grad:
                parameter.add_(1)
    (tmp_path / "base" / "model.safetensors").unlink()
    policy.restore(tmp_path / "adapter")
    assert all(torch.equal(tensor, saved[name]) for name, tensor in policy.weights())


def test_another_adapter_is_not_taken_up(tmp_path: Path) -> None:
    peft: Any = pytest.importorskip("peft")
    save(tmp_path / "base")
    policy = load_policy(tmp_path / "base", device="cpu", lora_rank=2)
    policy.save(tmp_path / "adapter")
    other = load_policy(tmp_path / "base", device="cpu")
    config = peft.LoraConfig(r=2, target_modules=["q_proj"], task_type="CAUSAL_LM")
    with pytest.raises(UserError, match="it is another adapter: only one of the two has"):
        Policy(peft.get_peft_model(other.module, config), other.tokenizer).restore(tmp_path / "adapter")


def test_a_saved_nano_policy_keeps_its_own_tokenizer(tmp_path: Path) -> None:
    tokenizer = build_tokenizer(["A bell rings in the north."] * 9, ["north"], NanoConfig())
    policy = Policy(build_model(len(tokenizer), NanoConfig(width=16), seed=0), ChatTokenizer(tokenizer))
    policy.save(tmp_path)
    loaded = load_policy(tmp_path, device="cpu")
    text = loaded.tokenizer.render([{"role": "user", "content": "A bell rings in the south."}])
    assert loaded.tokenizer.encode(text) == policy.tokenizer.encode(text)
    assert loaded.tokenizer.decode(loaded.tokenizer.encode("click[zebra]")) == "click[zebra]"
    assert loaded.tokenizer.stop_token_ids == policy.tokenizer.stop_token_ids


@pytest.mark.parametrize(("ends", "more"), [([257, 256], [256]), (256, [256]), (None, [])])
def test_a_reply_ends_with_what_the_model_was_saved_with_too(ends: Any, more: list[int], tmp_path: Path) -> None:
    """259 is <|im_end|>, 257 <|endoftext|>, 256 another one."""
    save(tmp_path)
    (tmp_path / "generation_config.json").write_text(json.dumps({"eos_token_id": ends}))
    assert load_policy(tmp_path, device="cpu").tokenizer.stop_token_ids == (259, 257, *more)
    assert saved_ends(str(tmp_path)) == (ends if isinstance(ends, list) else more)


def test_without_settings_of_generation_nothing_more_ends_a_reply(tmp_path: Path) -> None:
    assert saved_ends(str(tmp_path)) == []


@pytest.mark.parametrize("what", ["nothing", "no weights", "bad config", "no template"])
def test_what_cannot_be_loaded_is_told(what: str, tmp_path: Path) -> None:
    if what != "nothing":
        save(tmp_path)
    if what == "no weights":
        (tmp_path / "model.safetensors").unlink()
    if what == "bad config":
        (tmp_path / "config.json").write_text('{"model_type": "unheard-of"}')
    if what == "no template":
        (tmp_path / "chat_template.jinja").unlink()
    told = "has no chat template" if what == "no template" else f'cannot load the model "{tmp_path}": '
    with pytest.raises(UserError, match=told):
        load_policy(tmp_path, device="cpu")


def test_an_adapter_is_saved_alone_and_loads_with_its_base(tmp_path: Path) -> None:
    pytest.importorskip("peft")
    save(tmp_path / "base")
    policy = load_policy(tmp_path / "base", device="cpu", lora_rank=4)
    trained = [parameter for parameter in policy.module.parameters() if parameter.requires_grad]
    assert 0 < sum(p.numel() for p in trained) < policy.num_parameters / 2
    with torch.no_grad():
        for parameter in trained:
            parameter.add_(0.1)
    policy.save(tmp_path / "adapter")
    config = json.loads((tmp_path / "adapter" / "adapter_config.json").read_text())
    assert (config["r"], config["lora_alpha"]) == (4, 8)
    assert not (tmp_path / "adapter" / "model.safetensors").exists()
    loaded = load_policy(tmp_path / "adapter", device="cpu")
    ids = torch.arange(8)[None]
    with torch.inference_mode():
        assert torch.equal(loaded.module(ids).logits, policy.module(ids).logits)
        assert not torch.allclose(loaded.module(ids).logits, load_policy(tmp_path / "base").module(ids).logits)
    assert any(parameter.requires_grad for parameter in loaded.module.parameters())
