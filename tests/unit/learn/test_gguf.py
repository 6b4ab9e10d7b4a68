"""A model in a GGUF file is the model that it was made of; what is damaged or would be another model is refused."""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import (
    AutoModelForCausalLM,
    Gemma2Config,
    GPT2Config,
    NemotronConfig,
    Phi3Config,
    Qwen2Config,
    Qwen3Config,
    Starcoder2Config,
)

from agentgym.errors import MissingExtraError, UserError
from agentgym.learn import gguf as ours
from agentgym.learn.policy import load_policy
from agentgym.learn.sources import base_of
from tests.gguf_files import tiny_llama, written
from tests.kit import one_thread

__all__ = ["one_thread"]

gguf = pytest.importorskip("gguf", reason="needs gguf; type: pip install 'agentgym-lab[gguf]'")
pytest.importorskip("transformers.integrations.gguf")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "agentgym" / "gguf"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return written(tmp_path / "tiny.gguf", tiny_llama())


@pytest.fixture
def dequantized(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Sizes of the tensors that were, in order."""
    sizes: list[int] = []
    real = gguf.dequantize

    def counted(data: Any, kind: Any) -> Any:
        sizes.append(data.size)
        return real(data, kind)

    monkeypatch.setattr(gguf, "dequantize", counted)
    return sizes


def logprobs(module: Any) -> torch.Tensor:
    with torch.inference_mode():
        logits: torch.Tensor = module(torch.arange(3, 43)[None]).logits
    return logits.log_softmax(-1)


# -- the same model ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("tied", [True, False])
def test_it_is_the_model_that_the_file_was_made_of(tied: bool, tmp_path: Path) -> None:
    model = tiny_llama(tie_word_embeddings=tied)
    loaded = load_policy(written(tmp_path / "a model.GGUF", model), device="cpu")
    assert torch.equal(logprobs(loaded.module), logprobs(model))
    assert {name for name, _ in loaded.weights()} == {
        n for n in model.state_dict() if not (tied and n == "lm_head.weight")
    }
    assert loaded.module.dtype == torch.float32
    assert loaded.tokenizer.encode("the<|im_end|>\n  1") == [3 + 83, 260, 2, 3 + 188 + 10, 3 + 188 + 32, 261]
    assert loaded.tokenizer.stop_token_ids == (2,)
    assert loaded.tokenizer.render([{"role": "user", "content": "a"}]).startswith("<|im_start|>user\na<|im_end|>\n")


SMALL: dict[str, Any] = {
    "vocab_size": 263,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 512,
    "rms_norm_eps": 1e-5,
    "initializer_range": 0.3,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "pad_token_id": 2,
}


@pytest.mark.parametrize(
    ("architecture", "config"),
    [
        ("qwen2", Qwen2Config(**SMALL, rope_parameters={"rope_type": "default", "rope_theta": 1e6})),
        ("qwen3", Qwen3Config(**SMALL, head_dim=16, tie_word_embeddings=True)),
        ("gemma2", Gemma2Config(**SMALL, head_dim=16, query_pre_attn_scalar=16)),
        pytest.param(
            *("gemma2", Gemma2Config(**SMALL | {"num_hidden_layers": 46}, head_dim=16, query_pre_attn_scalar=8)),
            marks=pytest.mark.slow,
        ),
        ("phi3", Phi3Config(**SMALL)),
        ("nemotron", NemotronConfig(**SMALL, norm_eps=1e-5)),
        ("starcoder2", Starcoder2Config(**SMALL, norm_epsilon=1e-5)),
        ("gpt2", GPT2Config(vocab_size=263, n_embd=32, n_layer=2, n_head=4, n_positions=512, initializer_range=0.3)),
    ],
)
def test_other_architectures_are_the_models_that_they_were_made_of(
    architecture: str, config: Any, tmp_path: Path
) -> None:
    """Weights of any number, so that a norm or a bias that is taken otherwise shows."""
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter), alpha=0.1)
    wide: dict[str, Any] = (
        {f"{architecture}__attention__key_length": 16} if getattr(config, "head_dim", None) == 16 else {}
    )
    file = written(tmp_path / "tiny.gguf", model, architecture=architecture, **wide)
    assert torch.equal(logprobs(load_policy(file, device="cpu").module), logprobs(model))


def test_as_it_is_in_a_directory_and_in_half_the_bytes(file: Path) -> None:
    (file.parent / "README.md").write_text("a model")
    loaded = load_policy(file.parent, device="cpu", dtype="bfloat16")
    weights = tiny_llama().state_dict()
    assert all(torch.equal(tensor, weights[name].to(torch.bfloat16)) for name, tensor in loaded.weights())


def of_eight_bits(weight: np.ndarray, rng: np.random.Generator) -> tuple[Any, np.ndarray, np.ndarray]:
    """Q8_0: of 32 numbers a scale in half precision, and a byte each."""
    scales = rng.uniform(0.001, 0.01, (weight.shape[0], weight.shape[1] // 32, 1)).astype(np.float16)
    steps = rng.integers(-127, 128, (*scales.shape[:2], 32), dtype=np.int8)
    raw = np.concatenate([scales.view(np.uint8), steps.view(np.uint8)], axis=2).reshape(weight.shape[0], -1)
    return gguf.GGMLQuantizationType.Q8_0, raw, (scales.astype(np.float32) * steps).reshape(weight.shape)


def of_six_bits(weight: np.ndarray, rng: np.random.Generator) -> tuple[Any, np.ndarray, np.ndarray]:
    """Q6_K: of 256 numbers the low four bits, the high two, sixteen scales of a byte, and a scale of these."""
    rows = weight.shape[0]
    low, high = rng.integers(0, 256, (rows, 128), dtype=np.uint8), rng.integers(0, 256, (rows, 64), dtype=np.uint8)
    scales = rng.integers(-20, 20, (rows, 16), dtype=np.int8)
    whole = rng.uniform(0.0001, 0.001, (rows, 1)).astype(np.float16)
    raw = np.concatenate([low, high, scales.view(np.uint8), whole.view(np.uint8)], axis=1)
    found = np.zeros((rows, 256), np.float32)
    for at in range(256):
        half, within = divmod(at, 128)
        quarter, place = divmod(within, 32)
        nibble = low[:, 64 * half + 32 * (quarter % 2) + place] >> (4 * (quarter // 2)) & 15
        step = (nibble | (high[:, 32 * half + place] >> (2 * quarter) & 3) << 4).astype(np.int32) - 32
        found[:, at] = whole[:, 0].astype(np.float32) * scales[:, at // 16] * step
    return gguf.GGMLQuantizationType.Q6_K, raw, found


def test_blocks_of_eight_and_six_bits_become_the_numbers_that_they_stand_for(tmp_path: Path) -> None:
    model, rng = tiny_llama(width=256), np.random.default_rng(0)
    state, quantized = model.state_dict(), {}
    for name, short, made in [
        ("model.layers.0.mlp.up_proj.weight", "blk.0.ffn_up.weight", of_eight_bits),
        ("model.layers.1.mlp.down_proj.weight", "blk.1.ffn_down.weight", of_six_bits),
    ]:
        kind, raw, numbers = made(state[name].numpy(), rng)
        quantized[short] = (kind, raw)
        state[name].copy_(torch.from_numpy(numbers))
    loaded = load_policy(written(tmp_path / "q.gguf", model, quantized=quantized), device="cpu").module
    assert torch.equal(loaded.model.layers[0].mlp.up_proj.weight, model.model.layers[0].mlp.up_proj.weight)
    assert torch.equal(loaded.model.layers[1].mlp.down_proj.weight, model.model.layers[1].mlp.down_proj.weight)
    assert torch.equal(logprobs(loaded), logprobs(model))
    model.save_pretrained(tmp_path / "plain")
    shutil.copytree(ours.unpacked(tmp_path / "q.gguf"), tmp_path / "other")
    shutil.copy(tmp_path / "plain" / "model.safetensors", tmp_path / "other")
    assert torch.equal(logprobs(load_policy(tmp_path / "other", device="cpu").module), logprobs(loaded))


def test_what_was_unpacked_can_be_saved_and_trained(file: Path, tmp_path: Path) -> None:
    policy = load_policy(file, device="cpu")
    policy.refuse_unsavable()
    policy.save(tmp_path / "saved")
    assert all(parameter.requires_grad for parameter in policy.module.parameters())
    config = json.loads((tmp_path / "saved" / "config.json").read_text())
    assert "quantization_config" not in config
    assert torch.equal(logprobs(load_policy(tmp_path / "saved", device="cpu").module), logprobs(policy.module))


def test_an_adapter_keeps_the_file_and_finds_it_when_it_moves(file: Path, tmp_path: Path) -> None:
    pytest.importorskip("peft")
    load_policy(file, device="cpu", lora_rank=4).save(tmp_path / "run" / "policy")
    config = json.loads((tmp_path / "run" / "policy" / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == str(file)
    (tmp_path / "there").mkdir()
    file.rename(tmp_path / "there" / "tiny.gguf")
    (tmp_path / "run").rename(tmp_path / "there" / "run")
    moved = tmp_path / "there" / "run" / "policy"
    assert base_of(moved) == str(tmp_path / "there" / "tiny.gguf")
    assert torch.equal(logprobs(load_policy(moved, device="cpu").module), logprobs(tiny_llama()))


# -- what the reader leaves out ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "pieces"),
    [
        ("gpt-2", ["a", "Ġ", "Ġ1", "2", "!"]),
        ("smollm", ["a", "ĠĠ", "1", "2", "!"]),
        ("bloom", ["a", "Ġ", "Ġ1", "2", "!"]),
        ("falcon", ["a", "Ġ", "Ġ", "12", "!"]),
        ("stablelm2", ["a", "Ġ", "Ġ", "1", "2", "!"]),
    ],
)
def test_text_is_split_as_the_file_says(name: str, pieces: list[str], tmp_path: Path) -> None:
    """The vocabulary has "  ", "he", " 1" and "12"; where a digit stands alone, two blanks before it are one token."""
    file = written(tmp_path / "tiny.gguf", tiny_llama(), tokenizer__ggml__pre=name)
    assert load_policy(file, device="cpu").tokenizer.hf.tokenize("a  12!") == pieces


@pytest.mark.parametrize(("name", "pieces"), [("llama-bpe", ["the"]), ("qwen2", ["t", "he"])])
def test_a_word_of_the_vocabulary_is_one_token_where_llama_3_says_so(
    name: str, pieces: list[str], tmp_path: Path
) -> None:
    """No merge leads to "the"."""
    model = tiny_llama(vocab_size=264)
    from tests import gguf_files

    tokens = [*gguf_files._TOKENS, "the"]
    file = written(
        tmp_path / "tiny.gguf",
        model,
        tokenizer__ggml__pre=name,
        tokenizer__ggml__tokens=tokens,
        tokenizer__ggml__token_type=[3] * 3 + [1] * 261,
    )
    assert load_policy(file, device="cpu").tokenizer.hf.tokenize("the") == pieces


def test_every_token_that_ends_a_reply_does(tmp_path: Path) -> None:
    file = written(
        tmp_path / "tiny.gguf", tiny_llama(), tokenizer__ggml__eot_token_id=0, tokenizer__ggml__eom_token_id=7
    )
    assert load_policy(file, device="cpu").tokenizer.stop_token_ids == (2, 0, 7)


def test_heads_may_be_wider_than_their_share(tmp_path: Path) -> None:
    model = tiny_llama(head_dim=16)
    file = written(tmp_path / "tiny.gguf", model, llama__attention__key_length=16)
    assert torch.equal(logprobs(load_policy(file, device="cpu").module), logprobs(model))


def test_positions_that_are_scaled_as_llama_3s(tmp_path: Path) -> None:
    """Of 8 dimensions and base 500000 waves are 6, 167, 4443 and 118000 tokens long: divided from 2048 on."""
    model = tiny_llama(rope_theta=500000.0, max_position_embeddings=131072)
    divisors = np.array([1.0, 1.0, 3.29226, 32.0], np.float32)
    file = written(tmp_path / "tiny.gguf", model, tensors={"rope_freqs.weight": divisors})
    loaded = load_policy(file, device="cpu").module
    ratio = model.model.rotary_emb.inv_freq / loaded.model.rotary_emb.inv_freq
    assert ratio.tolist() == pytest.approx([1.0, 1.0, 3.29226, 32.0], rel=1e-5)
    even = written(tmp_path / "even.gguf", model, tensors={"rope_freqs.weight": np.ones(4, np.float32)})
    assert torch.equal(logprobs(load_policy(even, device="cpu").module), logprobs(model))


def test_positions_that_are_scaled_evenly(tmp_path: Path) -> None:
    file = written(
        tmp_path / "a.gguf", tiny_llama(), llama__rope__scaling__type="linear", llama__rope__scaling__factor=4.0
    )
    loaded = load_policy(file, device="cpu").module
    ratio = tiny_llama().model.rotary_emb.inv_freq / loaded.model.rotary_emb.inv_freq
    assert ratio.tolist() == pytest.approx([4.0] * 4)


# -- the cache ---------------------------------------------------------------------------------------------


def test_it_is_unpacked_once_and_said_in_one_line(
    file: Path, cache: Path, dequantized: list[int], capsys: pytest.CaptureFixture[str]
) -> None:
    load_policy(file, device="cpu")
    assert len(dequantized) == 2 + 2 * 9
    [there] = [path for path in cache.iterdir() if path.is_dir()]
    assert capsys.readouterr().err == f"unpacking {file}, once, into {there} (0.0 GB)\n"
    shutil.copy(file, file.with_name("copy.gguf"))
    load_policy(file, device="cpu")
    load_policy(file.with_name("copy.gguf"), device="cpu")
    assert len(dequantized) == 2 + 2 * 9
    assert capsys.readouterr().err == ""


def test_another_content_is_another_directory(file: Path, cache: Path) -> None:
    ours.unpacked(file)
    written(file, tiny_llama(initializer_range=0.2))
    loaded = load_policy(file, device="cpu")
    assert torch.equal(logprobs(loaded.module), logprobs(tiny_llama(initializer_range=0.2)))
    assert len([path for path in cache.iterdir() if path.is_dir()]) == 2


@pytest.mark.parametrize("name", ["model.safetensors", "manifest.json", "tokenizer.json"])
def test_what_is_cut_in_the_cache_is_made_anew(name: str, file: Path, dequantized: list[int]) -> None:
    there = ours.unpacked(file)
    whole = (there / name).read_bytes()
    (there / name).write_bytes(whole[: len(whole) // 2])
    (there.parent / f".{there.name}.partial").mkdir()  # of one that was killed
    assert ours.unpacked(file) == there
    assert (there / name).read_bytes() == whole
    assert len(dequantized) == 2 * (2 + 2 * 9)
    assert not (there.parent / f".{there.name}.partial").exists()


def test_two_processes_unpack_it_once(file: Path, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second waits, and never sees a half of it."""

    def fill(directory: Path, header: Any) -> None:
        with (tmp_path / "filled").open("a") as log:
            log.write("x")
        (directory / "config.json").write_text("{")
        with (tmp_path / "began").open("a") as log:
            log.write("x")
        while (tmp_path / "hold").exists():
            pass
        (directory / "config.json").write_text("{}")

    def report() -> None:
        there = ours.unpacked(file)
        (tmp_path / f"seen-{os.getpid()}").write_text((there / "config.json").read_text())

    monkeypatch.setattr(ours, "_fill", fill)
    (tmp_path / "hold").touch()
    context = multiprocessing.get_context("fork")
    both = [context.Process(target=report) for _ in range(2)]
    for process in both:
        process.start()
    while not (tmp_path / "began").exists():
        pass
    (tmp_path / "hold").unlink()
    for process in both:
        process.join(60)
    assert [process.exitcode for process in both] == [0, 0]
    assert (tmp_path / "filled").read_text() == "x"
    assert [path.read_text() for path in tmp_path.glob("seen-*")] == ["{}", "{}"]


def test_a_cache_that_cannot_be_written_is_told(file: Path, cache: Path) -> None:
    cache.parent.mkdir(parents=True)
    cache.touch()
    with pytest.raises(UserError, match=r"cannot be unpacked into .*gguf: .*; choose another folder .* XDG_CACHE_HOME"):
        load_policy(file, device="cpu")


def test_a_disk_without_room_is_told_before(
    file: Path, monkeypatch: pytest.MonkeyPatch, dequantized: list[int]
) -> None:
    used = shutil.disk_usage(file)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: used._replace(free=1000))
    with pytest.raises(UserError, match=r"unpacked it takes 0\.0 GB, 0\.0 GB are free in .*XDG_CACHE_HOME=DIR"):
        load_policy(file, device="cpu")
    assert dequantized == []


def test_it_lies_in_the_users_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/somewhere")
    assert ours.default_cache() == Path("/somewhere/agentgym/gguf")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert ours.default_cache() == Path.home() / ".cache/agentgym/gguf"


# -- refused -----------------------------------------------------------------------------------------------


def making(**changes: Any) -> Callable[[Path], object]:
    return lambda file: written(file, tiny_llama(), **changes)


def cutting(share: float) -> Callable[[Path], object]:
    return lambda file: file.write_bytes(file.read_bytes()[: int(file.stat().st_size * share)])


def replacing(old: bytes, new: bytes) -> Callable[[Path], object]:
    def spoil(file: Path) -> None:
        content = file.read_bytes()
        assert old in content
        file.write_bytes(content.replace(old, new, 1))

    return spoil


def norm(value: float) -> np.ndarray:
    return np.full(32, value, np.float32)


REFUSED: dict[str, tuple[Callable[[Path], object], str]] = {
    "empty": (lambda file: file.write_bytes(b""), "it is empty; download it again"),
    "something else": (
        lambda file: file.write_text("<!DOCTYPE html>"),
        r"it is no GGUF file: it begins with b'<!DO' in place of b'GGUF'",
    ),
    "a pointer": (
        lambda file: file.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 98362432\n"),
        r"tiny\.gguf is a pointer of git-lfs, not the file itself; type: git -C (?!\S+\.gguf )\S+ lfs pull",
    ),
    "old": (replacing(b"GGUF\x03", b"GGUF\x01"), r"it is of GGUF's version 1; versions 2 and 3 .* are read"),
    "other machines": (replacing(b"GGUF\x03\0\0\0", b"GGUF\0\0\0\x03"), "in the byte order of other machines"),
    "cut early": (lambda file: file.write_bytes(file.read_bytes()[:7]), "its header cannot be read"),
    "cut in the header": (cutting(0.01), r"it is damaged, or was not copied in whole: its header cannot be read"),
    "cut in the weights": (cutting(0.9), r"not copied in whole: it has [\d,]+ bytes and needs [\d,]+; download"),
    "a wild length": (
        replacing(b"architecture\x08\0\0\0\x05\0\0\0", b"architecture\x08\0\0\0\x05\0\0\x01"),
        "its header cannot be read .a text of 16777221 bytes goes beyond its end",
    ),
    "a value of no type": (
        replacing(b"general.architecture\x08", b"general.architecture\x63"),
        "its header cannot be read .a value of the unknown type 99",
    ),
    "no architecture": (
        replacing(b"general.architecture", b"general.archetecture"),
        r'does not say of which architecture it is \("general\.architecture"\)',
    ),
    "images": (
        making(architecture="clip"),
        r'its architecture is "clip", which transformers \S+ does not read as a .*',
    ),
    "not causal": (making(architecture="t5"), r'its architecture is "t5", .* it reads bloom, deci, falcon, .*qwen3moe'),
    "unheard of": (making(architecture="llama9"), 'its architecture is "llama9"'),
    "a part": (making(split__count=3), r"one of 3 parts of a model; join them: llama-gguf-split --merge tiny\.gguf"),
    "split otherwise": (
        making(tokenizer__ggml__pre="kimi-k2"),
        r'its tokenizer splits text as "kimi-k2" \(tokenizer\.ggml\.pre\), which is none of bloom, .* tokens would',
    ),
    "no tokenizer of ours": (making(tokenizer__ggml__model="bert"), "tokenizer 'bert'"),
    "positions": (
        making(llama__rope__scaling__type="longrope", llama__rope__scaling__factor=4.0),
        r'its rotary positions are scaled in a way .* \(llama: "longrope"\)',
    ),
    "positions of its own": (
        making(tensors={"rope_freqs.weight": np.array([1, 2, 3, 4], np.float32)}),
        r"\(llama: rope_freqs\.weight, other than Llama 3's\)",
    ),
    "a weight less": (
        making(tensors={"blk.1.ffn_up.weight": None}),
        r"no weights for model\.layers\.1\.mlp\.up_proj\.wei",
    ),
    "a weight more": (
        making(tensors={"blk.1.attn_q.bias": norm(1)}),
        r"it holds [\d,]+ numbers, a LlamaForCausalLM of its settings takes [\d,]+: the others would be left out",
    ),
    "another size": (making(tensors={"output_norm.weight": np.ones(31, np.float32)}), "mismatch"),
    "no number": (
        making(tensors={"output_norm.weight": norm(np.nan)}),
        r'it is damaged: "model\.norm\.weight" is not finite',
    ),
    "no template": (making(tokenizer__chat_template=""), "has no chat template"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_would_be_another_model_is_refused(what: str, file: Path, cache: Path) -> None:
    spoil, told = REFUSED[what]
    spoil(file)
    with pytest.raises(UserError, match=told) as caught:
        load_policy(file, device="cpu")
    assert str(file) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not list(cache.glob(".*"))


@pytest.mark.parametrize("what", ["images", "split otherwise", "positions", "positions of its own", "a part"])
def test_what_the_header_tells_is_refused_before_anything_is_unpacked(
    what: str, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spoil, told = REFUSED[what]
    spoil(file)
    with pytest.raises(UserError, match=told):
        load_policy(file, device="cpu")
    assert capsys.readouterr().err == ""


def test_of_two_files_in_a_directory_one_is_to_be_said(file: Path) -> None:
    shutil.copy(file, file.with_name("other.gguf"))
    with pytest.raises(UserError, match=r"2 GGUF files \(other\.gguf, tiny\.gguf\); say which: --model .*other\.gguf"):
        load_policy(file.parent, device="cpu")


def test_a_directory_of_safetensors_is_read_as_it_was(file: Path, tmp_path: Path) -> None:
    load_policy(file, device="cpu").save(tmp_path / "saved")
    file.rename(tmp_path / "saved" / "beside.gguf").write_bytes(b"of no concern")
    load_policy(tmp_path / "saved", device="cpu")


@pytest.mark.parametrize("package", ["gguf", "accelerate"])
def test_the_package_that_is_missing_is_named(package: str, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    told = rf"^this needs {package}, which is not installed; type: pip install 'agentgym-lab\[gguf\]'$"
    with pytest.raises(MissingExtraError, match=told):
        load_policy(file, device="cpu")
