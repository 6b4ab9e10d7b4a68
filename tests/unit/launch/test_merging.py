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
from agentgym.launch.merging import combine, merge
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


# Arithmetic


def trained(place: Path, directory: Path, seed: int) -> Path:
    """The model in ``place`` after something changed all of its weights."""
    policy = load_policy(place, device="cpu")
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in policy.module.parameters():
            parameter += 0.1 * torch.randn(parameter.shape, generator=generator)
    policy.save(directory)
    return directory


def weights_in(*places: Path) -> list[dict[str, torch.Tensor]]:
    return [dict(plainly(place).named_parameters()) for place in places]


def test_task_vectors_are_added_with_their_weights(tmp_path: Path) -> None:
    places = base(tmp_path / "base"), tmp_path / "a", tmp_path / "b"
    for seed, place in enumerate(places[1:]):
        trained(places[0], place, seed)
    told = combine(places[0], places[1:], tmp_path / "sum", weights=[1.0, -0.5])
    began, one, other, total = weights_in(*places, tmp_path / "sum")
    for name in began:
        expected = began[name] + 1.0 * (one[name] - began[name]) - 0.5 * (other[name] - began[name])
        assert torch.allclose(total[name], expected, atol=1e-6)
        assert not torch.allclose(total[name], began[name], atol=1e-2)
    assert told.endswith(
        f"MB in float32: {places[0]} + 1 ({places[1]} - {places[0]}) - 0.5 ({places[2]} - {places[0]})"
    )
    assert load_policy(tmp_path / "sum").tokenizer.encode("a bell") == chat().encode("a bell")


def test_what_one_training_added_to_another_goes_into_a_third_model(tmp_path: Path) -> None:
    """Weights 1 and -1: the base of the sum has no say in the difference."""
    start = base(tmp_path / "base")
    imitating, third = trained(start, tmp_path / "sft", 0), trained(start, tmp_path / "third", 1)
    reinforced = trained(imitating, tmp_path / "rl", 2)
    combine(third, [reinforced, imitating], tmp_path / "sum", weights=[1, -1])
    its, after, before, total = weights_in(third, reinforced, imitating, tmp_path / "sum")
    for name in its:
        assert torch.allclose(total[name], its[name] + after[name] - before[name], atol=1e-6)


def test_without_weights_it_is_the_mean_and_with_1_the_model_itself(tmp_path: Path) -> None:
    start = base(tmp_path / "base")
    places = trained(start, tmp_path / "a", 0), trained(start, tmp_path / "b", 1)
    combine(start, places, tmp_path / "mean")
    one, other, mean = weights_in(*places, tmp_path / "mean")
    assert all(torch.allclose(mean[name], (one[name] + other[name]) / 2, atol=1e-6) for name in mean)
    combine(start, places[:1], tmp_path / "itself", weights=[1.0])
    (itself,) = weights_in(tmp_path / "itself")
    assert all(torch.equal(itself[name], one[name]) for name in one)


def test_an_adapter_is_in_the_weights_before_it_is_added(tmp_path: Path) -> None:
    policy = adapted(base(tmp_path / "base", torch.bfloat16))
    policy.save(tmp_path / "adapter")
    combine(tmp_path / "base", [tmp_path / "adapter"], tmp_path / "half", weights=[0.5])
    began, half = weights_in(tmp_path / "base", tmp_path / "half")
    whole = dict(policy.module.merge_and_unload().named_parameters())
    assert half.keys() == began.keys()
    moved = {name: (whole[name] - began[name].float()).abs().max() for name in began}
    assert max(moved.values()) > 0.05
    for name in began:
        assert half[name].dtype == torch.bfloat16
        expected = (began[name].float() + whole[name]) / 2
        assert torch.allclose(half[name].float(), expected, atol=1e-2, rtol=1e-2)


@pytest.mark.parametrize(
    ("weights", "told"),
    [
        ([1.0, 2.0], "there are 1 models beside the base and 2 weights; expected one for each"),
        ([float("nan")], "a weight is nan, expected a finite number"),
        ([0.0], "all weights are 0: it would be the base as it is"),
    ],
)
def test_weights_that_do_not_match_are_refused_before_anything_is_loaded(
    weights: list[float], told: str, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=told):
        combine(tmp_path / "none", [tmp_path / "none"], tmp_path / "sum", weights=weights)


def test_models_of_another_form_or_with_other_words_are_refused(tmp_path: Path) -> None:
    from transformers import LlamaConfig, LlamaForCausalLM

    start = base(tmp_path / "base")
    tokenizer = build_tokenizer(["A bell rings in the north."] * 9, ["north"], NanoConfig())
    wide = tiny_model(vocab_size=len(byte_tokenizer()), hidden_size=32)
    Policy(wide, chat()).save(tmp_path / "wide")
    Policy(plainly(start), ChatTokenizer(tokenizer)).save(tmp_path / "words")
    sizes: dict[str, Any] = {
        "hidden_size": 16,
        "intermediate_size": 16,
        "num_hidden_layers": 1,
        "num_attention_heads": 1,
    }
    Policy(LlamaForCausalLM(LlamaConfig(vocab_size=len(byte_tokenizer()), **sizes)), chat()).save(tmp_path / "llama")
    for name, told in (
        (
            "wide",
            r"wide is of another size or form than .*base: of .* has .*base \[.*\], .*wide \[.*\]; expected the same",
        ),
        ("words", "words has another tokenizer than .*base: the same number is another word in them"),
        ("llama", "llama is a LlamaForCausalLM and .*base a Qwen2ForCausalLM; expected models of one architecture"),
        ("none", "there is no .*none; expected a run"),
    ):
        with pytest.raises(UserError, match=told):
            combine(start, [tmp_path / name], tmp_path / "sum", weights=[1.0])
        assert not (tmp_path / "sum").exists()
