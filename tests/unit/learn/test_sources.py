"""What cannot be loaded is told with its file and the reason, and adapters find the model that they are of."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from agentgym.config import Choice
from agentgym.errors import ConfigError, DataError, UserError
from agentgym.launch.models import make_policy
from agentgym.learn.policy import Policy, load_policy
from agentgym.learn.sources import base_of
from tests.kit import byte_tokenizer, chat, one_thread, tiny_model

__all__ = ["one_thread"]

POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 538090408\n"


def saved(directory: Path) -> Path:
    Policy(tiny_model(vocab_size=len(byte_tokenizer()), hidden_size=16), chat()).save(directory)
    return directory


def configured(directory: Path, **changes: Any) -> None:
    file = directory / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))


def cut(directory: Path) -> None:
    file = directory / "model.safetensors"
    file.write_bytes(file.read_bytes()[:1000])


def without_last_layer(directory: Path) -> None:
    configured(directory, num_hidden_layers=3, layer_types=["full_attention"] * 3)


def with_code(directory: Path) -> None:
    (directory / "code.py").write_text("raise SystemExit('the code of a model was run')")
    configured(directory, model_type="mine", auto_map={"AutoConfig": "code.Mine", "AutoModelForCausalLM": "code.Model"})


def writing(name: str, text: str) -> Callable[[Path], None]:
    def write(directory: Path) -> None:
        (directory / name).write_text(text)

    return write


def without(*names: str) -> Callable[[Path], None]:
    def remove(directory: Path) -> None:
        for name in names:
            (directory / name).unlink()

    return remove


def odd(name: str, make: Callable[[Path], None]) -> Callable[[Path], None]:
    def put(directory: Path) -> None:
        (directory / name).unlink()
        make(directory / name)

    return put


SPOILED: dict[str, tuple[Callable[[Path], Any], str]] = {
    "weights are a pointer": (
        writing("model.safetensors", POINTER),
        r"model\.safetensors is a pointer of git-lfs, not the file itself; type: git -C .* lfs pull",
    ),
    "the tokenizer is a pointer": (
        writing("tokenizer.json", POINTER),
        r"tokenizer\.json is a pointer of git-lfs",
    ),
    "the configuration is a pointer": (
        writing("config.json", POINTER),
        r"config\.json is a pointer of git-lfs",
    ),
    "weights were cut": (cut, r"model\.safetensors is broken, or was not copied in whole: SafetensorError: "),
    "the tokenizer was cut": (
        writing("tokenizer.json", '{"version": '),
        r"tokenizer\.json is broken, or was not copied in whole: Expecting value",
    ),
    "the tokenizer is none": (writing("tokenizer.json", '{"a": 1}'), r"/tokenizer\.json is broken, or was not copied"),
    "the tokenizer is a list": (writing("tokenizer.json", "[]"), r"/tokenizer\.json is broken, or was not copied"),
    "the tokenizer is a directory": (odd("tokenizer.json", Path.mkdir), r"/tokenizer\.json is not a plain file"),
    "no tokenizer": (
        without("tokenizer.json", "tokenizer_config.json"),
        r"/model has no tokenizer: none of tokenizer\.json, \*\.model, ",
    ),
    "settings of a tokenizer alone": (
        without("tokenizer.json"),
        r"/model has no tokenizer: none of tokenizer\.json, \*\.model, ",
    ),
    "weights are a pipe": (odd("model.safetensors", os.mkfifo), r"/model\.safetensors is not a plain file"),
    "the template is no text": (
        lambda d: (d / "chat_template.jinja").write_bytes(b"\xff\x00"),
        r"/chat_template\.jinja is broken, or was not copied in whole: 'utf-8' codec",
    ),
    "how it ends was cut": (
        writing("generation_config.json", '{"eos_token_id": '),
        r"/generation_config\.json is broken, .*; download it again, or delete it",
    ),
    "how it ends is a list": (
        writing("generation_config.json", "[]"),
        r"/generation_config\.json is broken, or was not copied in whole: it is not a JSON object",
    ),
    "how it ends is a pipe": (
        odd("generation_config.json", os.mkfifo),
        r"/generation_config\.json is not a plain file",
    ),
    "another size": (lambda d: configured(d, hidden_size=32), "You set `ignore_mismatched_sizes`"),
    "a layer more": (without_last_layer, r"its files have no weights for model\.layers\.2\..* and \d+ more"),
    "template": (
        writing("chat_template.jinja", "{% for m in messages %}\n{{ m"),
        r"chat_template\.jinja, line 2: the chat template does not work: unexpected end of template",
    ),
    "kernel": (lambda d: configured(d, attn_implementation="flash_attention_2"), "ImportError: FlashAttention2"),
    "quantized": (
        lambda d: configured(d, quantization_config={"quant_method": "gptq", "bits": 4, "group_size": 128}),
        "ImportError: ",
    ),
    "code of its own": (with_code, r"brings Python code of its own \(auto_map in its config\.json\), which is not run"),
}


@pytest.mark.parametrize("what", SPOILED)
def test_what_is_broken_is_told_with_its_file(what: str, tmp_path: Path) -> None:
    spoil, told = SPOILED[what]
    spoil(saved(tmp_path / "model"))
    with pytest.raises(UserError, match=told) as caught:
        load_policy(tmp_path / "model", device="cpu")
    assert str(caught.value).startswith(f'cannot load the model "{tmp_path / "model"}": ')
    assert "\n" not in str(caught.value)


def test_a_template_that_does_not_work_is_told_with_its_model(tmp_path: Path) -> None:
    (saved(tmp_path / "model") / "chat_template.jinja").write_text("{{ raise_exception('no such role') }}")
    with pytest.raises(UserError) as caught:
        load_policy(tmp_path / "model", device="cpu")
    told = str(caught.value)
    assert told.startswith(f'the chat template of "{tmp_path / "model"}" cannot write a conversation: it breaks: ')
    assert "no such role" in told
    assert "\n" not in told


@pytest.mark.parametrize("place", ["./nowhere", "../no/where", "/no/where"])
def test_a_directory_that_is_not_there_is_told_as_one(place: str) -> None:
    with pytest.raises(
        UserError, match=rf'there is no directory "{place}" to load a model from, seen from /.*; expected'
    ):
        load_policy(place, device="cpu")


def test_what_could_not_be_saved_is_told(tmp_path: Path) -> None:
    saved(tmp_path)
    (tmp_path / "generation_config.json").write_text('{"temperature": 0.9, "top_p": 0.6}')
    policy = load_policy(tmp_path, device="cpu")
    with pytest.raises(UserError, match=r"cannot be saved.* its GenerationConfig is refused by transformers: .*temper"):
        policy.refuse_unsavable()
    (tmp_path / "generation_config.json").write_text('{"temperature": 0.9, "do_sample": true}')
    load_policy(tmp_path, device="cpu").refuse_unsavable()


# -- adapters ----------------------------------------------------------------------------------------------


@pytest.fixture
def adapter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """One of rank 4, made with a relative path, which lies in a run beside its model."""
    pytest.importorskip("peft")
    saved(tmp_path / "base")
    monkeypatch.chdir(tmp_path)
    load_policy("base", device="cpu", lora_rank=4).save(tmp_path / "run" / "policies" / "7")
    return tmp_path / "run" / "policies" / "7"


def test_an_adapter_finds_its_model_from_anywhere(adapter: Path, tmp_path: Path) -> None:
    config = json.loads((adapter / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == str(tmp_path / "base")
    os.chdir("/")
    assert base_of(adapter) == str(tmp_path / "base")
    load_policy(adapter, device="cpu").refuse_unsavable()


def test_an_adapter_that_is_moved_with_its_model_finds_it(adapter: Path, tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    for name in ("base", "run"):
        (tmp_path / name).rename(tmp_path / "there" / name)
    moved = tmp_path / "there" / "run" / "policies" / "7"
    assert base_of(moved) == str(tmp_path / "there" / "base")
    shutil.copytree(moved, tmp_path / "there" / "run" / "policy")
    assert base_of(tmp_path / "there" / "run" / "policy") == str(tmp_path / "there" / "base")
    load_policy(moved, device="cpu").save(moved.parent / "8")
    config = json.loads((moved.parent / "8" / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == str(tmp_path / "there" / "base")


def test_an_adapter_whose_model_is_gone_is_told(adapter: Path, tmp_path: Path) -> None:
    shutil.rmtree(tmp_path / "base")
    with pytest.raises(DataError, match=r'trained on the model ".*base", which is not there; put it back, or write'):
        load_policy(adapter, device="cpu")


def test_an_adapter_keeps_its_rank(adapter: Path) -> None:
    with pytest.raises(ConfigError, match=r"lora_rank is 8, but the adapter .* has rank 4 .*--model .*base --lora"):
        made(adapter, lora=True, lora_rank=8)
    for options in ({}, {"lora": True}, {"lora": True, "lora_rank": 4}):
        policy = made(adapter, **options)
        assert policy.module.peft_config["default"].r == 4


def made(adapter: Path, **options: Any) -> Policy:
    choice = Choice.model_validate({"id": str(adapter), "device": "cpu", **options})
    env: Any = None
    return asyncio.run(make_policy(choice, env, seed=0))
