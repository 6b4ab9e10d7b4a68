"""A plain model out of a policy: what it says, what is in its directory, and what is refused."""

from __future__ import annotations

import json
import shutil
from collections import namedtuple
from pathlib import Path
from typing import Any

import pytest
import torch

from agentgym.errors import DataError, UserError
from agentgym.launch.merging import merge
from agentgym.learn.nano import NanoConfig, build_model, build_tokenizer
from agentgym.learn.policy import Policy, load_policy
from agentgym.tokenizer import ChatTokenizer
from tests.kit import byte_tokenizer, chat, tiny_model
from tests.unit.launch.kit import a_policy

Usage = namedtuple("Usage", "total used free")

IDS = torch.arange(40)[None]


def base(directory: Path, dtype: torch.dtype = torch.float32) -> Path:
    module = tiny_model(vocab_size=len(byte_tokenizer()), hidden_size=16).to(dtype)
    Policy(module, chat()).save(directory)
    return directory


def run_of(directory: Path, policy: Policy) -> Path:
    """As it is when a run is done: its policy is a link."""
    policy.save(directory / "policies" / "000002")
    (directory / "policy").symlink_to(Path("policies") / "000002")
    return directory


def adapted(place: Path) -> Policy:
    """The model in ``place`` with an adapter that moves every layer."""
    pytest.importorskip("peft")
    policy = load_policy(place, device="cpu", lora_rank=2)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in policy.module.parameters():
            if parameter.requires_grad:
                parameter += 0.1 * torch.randn(parameter.shape, generator=generator)
    return policy


def plainly(directory: Path, dtype: torch.dtype | str = "auto") -> Any:
    """Loaded as somebody does who does not know us."""
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(directory, dtype=dtype).eval()


@torch.inference_mode()
def logprobs(module: Any) -> torch.Tensor:
    table: torch.Tensor = module(input_ids=IDS).logits[0].float().log_softmax(-1)
    return table


def apart(one: Any, other: Any) -> float:
    return float((logprobs(one) - logprobs(other)).abs().max())


def test_an_adapter_is_merged_to_1e_5_and_any_library_loads_it(tmp_path: Path) -> None:
    policy = adapted(base(tmp_path / "base"))
    told = merge(run_of(tmp_path / "run", policy), tmp_path / "plain")
    found = plainly(tmp_path / "plain")
    assert type(found).__name__ == "Qwen2ForCausalLM"
    assert apart(found, policy.module) < 1e-5
    assert apart(found, plainly(tmp_path / "base")) > 0.1
    assert load_policy(tmp_path / "plain").tokenizer.render([{"role": "user", "content": "a"}]) == (
        policy.tokenizer.render([{"role": "user", "content": "a"}])
    )
    names = {path.name for path in (tmp_path / "plain").iterdir()}
    assert names >= {"config.json", "model.safetensors", "tokenizer.json", "chat_template.jinja"}
    assert not names & {"adapter_config.json", "adapter_model.safetensors", "base_model.json"}
    size = 4 * sum(parameter.numel() for parameter in found.parameters())
    assert told.startswith(f"{tmp_path / 'plain'} is a plain model of {size / 1e6:.1f} MB in float32: log-prob")


def test_it_has_the_type_of_its_base_and_is_rounded_once(tmp_path: Path) -> None:
    policy = adapted(base(tmp_path / "base", torch.bfloat16))
    policy.save(tmp_path / "adapter")
    merge(tmp_path / "adapter", tmp_path / "plain")
    found = plainly(tmp_path / "plain")
    assert found.dtype == torch.bfloat16
    assert json.loads((tmp_path / "plain" / "config.json").read_text())["dtype"] == "bfloat16"
    whole = policy.module.merge_and_unload()
    expected = {name: tensor.to(torch.bfloat16) for name, tensor in whole.named_parameters()}
    assert all(torch.equal(tensor, expected[name]) for name, tensor in found.named_parameters())


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_all_weights_of_a_model_are_written_as_they_are(dtype: torch.dtype, tmp_path: Path) -> None:
    told = merge(base(tmp_path / "policy", dtype), tmp_path / "deep" / "plain")
    assert told.endswith("it had no adapter, and is what it was")
    before, after = plainly(tmp_path / "policy"), plainly(tmp_path / "deep" / "plain")
    assert after.dtype == dtype
    assert all(torch.equal(one, other) for one, other in zip(before.parameters(), after.parameters(), strict=True))


def test_a_nano_policy_is_written_as_it_is_with_its_own_tokenizer(tmp_path: Path) -> None:
    tokenizer = build_tokenizer(["A bell rings in the north."] * 9, ["north"], NanoConfig())
    policy = Policy(build_model(len(tokenizer), NanoConfig(width=16), seed=0), ChatTokenizer(tokenizer))
    (tmp_path / "plain").mkdir()  # an empty one is taken
    merge(run_of(tmp_path / "run", policy), tmp_path / "plain")
    found = load_policy(tmp_path / "plain", device="cpu")
    assert torch.equal(logprobs(found.module), logprobs(policy.module))
    assert found.tokenizer.encode("A bell in the north") == policy.tokenizer.encode("A bell in the north")


@pytest.mark.filterwarnings("ignore:Model with:UserWarning", "ignore:Setting .save_embedding_layers:UserWarning")
def test_what_cannot_be_merged_is_found_out(tmp_path: Path) -> None:
    """A head that is the embedding: merged into one, the adapter would act on both."""
    peft = pytest.importorskip("peft")
    policy = load_policy(base(tmp_path / "base"), device="cpu")
    config = peft.LoraConfig(r=2, target_modules=["embed_tokens"], task_type="CAUSAL_LM", init_lora_weights=False)
    Policy(peft.get_peft_model(policy.module, config), policy.tokenizer).save(tmp_path / "adapter")
    with pytest.raises(DataError, match=r"cannot be merged: log-probabilities would be .* expected less than 0\.01"):
        merge(tmp_path / "adapter", tmp_path / "plain")
    assert not (tmp_path / "plain").exists()


def test_what_is_no_policy_is_told(tmp_path: Path) -> None:
    (tmp_path / "run" / "policies").mkdir(parents=True)
    with pytest.raises(UserError) as told:
        merge(tmp_path / "run", tmp_path / "plain")
    assert str(told.value) == (
        f"{tmp_path}/run has no trained policy yet; let it finish: agentgym train --resume {tmp_path}/run"
    )
    with pytest.raises(
        UserError, match=f"there is no {tmp_path}/none; expected a run, the directory of a model or of an adapter"
    ):
        merge(tmp_path / "none", tmp_path / "plain")


def test_nothing_is_written_over(tmp_path: Path) -> None:
    source = run_of(tmp_path / "run", a_policy())
    (tmp_path / "file").write_text("mine")
    for taken, what in ((source, "is not empty"), (tmp_path / "file", "is no directory")):
        with pytest.raises(UserError) as told:
            merge(source, taken)
        assert str(told.value) == f"{taken} {what}; expected a new or an empty directory: choose another --output"
    assert (tmp_path / "file").read_text() == "mine"
    with pytest.raises(UserError, match=r"cannot write .*/file/plain: Not a directory; choose another --output"):
        merge(source, tmp_path / "file" / "plain")


@pytest.mark.parametrize(("dtype", "size"), [(torch.float32, 4), (torch.bfloat16, 2)])
def test_a_disk_without_room_is_told_before_anything_is_written(
    dtype: torch.dtype, size: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Path] = []
    policy = a_policy()
    needed = size * policy.num_parameters
    policy.module.to(dtype)

    def usage(path: Path) -> Usage:
        asked.append(path)
        return Usage(10**9, 10**9 - free, free)

    source = run_of(tmp_path / "run", policy)
    monkeypatch.setattr(shutil, "disk_usage", usage)
    free = needed - 1
    with pytest.raises(UserError, match=r"the model takes 0.0 MB under .*/plain, 0.0 MB are free; choose an --output"):
        merge(source, tmp_path / "plain")
    assert (asked, [path.name for path in tmp_path.iterdir()]) == ([tmp_path], ["run"])
    free = needed
    merge(source, tmp_path / "plain")
