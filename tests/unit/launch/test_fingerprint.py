"""A model that is another one now is found out."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from agentgym.errors import DataError, UserError
from agentgym.launch import fingerprint
from agentgym.run import Run
from tests.kit import byte_tokenizer, chat, tiny_model


@pytest.fixture
def model(tmp_path: Path) -> Path:
    tokenizer = byte_tokenizer()
    tokenizer.save_pretrained(tmp_path / "model")
    tiny_model(vocab_size=len(tokenizer)).save_pretrained(tmp_path / "model")
    return tmp_path / "model"


@pytest.fixture
def run(model: Path, tmp_path: Path) -> Run:
    return Run.create(tmp_path / "run", {}, model=fingerprint.of_model(str(model)))


def told(run: Run, model: Path) -> str:
    notes: list[str] = []
    try:
        fingerprint.check(run, str(model), notes.append)
    except UserError as error:
        return str(error)
    return "".join(notes)


def test_the_same_files_pass(run: Run, model: Path) -> None:
    assert told(run, model) == ""
    (model / "notes.log").write_text("of no concern")
    assert told(run, model) == ""


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "chat_template.jinja", "tokenizer_config.json"])
def test_a_file_that_changed_is_named(name: str, run: Run, model: Path) -> None:
    (model / name).write_text((model / name).read_text() + " ")
    assert told(run, model) == (
        f"{model} is not the model that {run.directory} began with: {name} changed since; put the old files back, or "
        "begin a new run with another --output"
    )


def test_weights_that_were_trained_since_are_named(run: Run, model: Path) -> None:
    tiny_model(seed=1, vocab_size=len(byte_tokenizer())).save_pretrained(model)
    assert "model.safetensors changed since" in told(run, model)


def test_a_file_more_and_a_file_less(run: Run, model: Path) -> None:
    (model / "added_tokens.json").write_text("{}")
    (model / "generation_config.json").unlink()
    assert "added_tokens.json, generation_config.json changed since" in told(run, model)


@pytest.mark.parametrize("name", ["merges.txt", "spiece.model", "vocab.json", "model-00002-of-00002.safetensors"])
def test_whatever_gives_tokens_their_meaning_is_compared(name: str, tmp_path: Path) -> None:
    found = []
    for content in ("a" * 99, "a" * 98 + "b"):
        (tmp_path / name).write_text(content)
        found.append(fingerprint.of_directory(tmp_path))
    assert list(found[0]) == [name]
    assert found[0] != found[1]


def test_another_order_of_the_tokens_is_another_model(run: Run, model: Path) -> None:
    """The same tokens with other ids."""
    file = model / "tokenizer.json"
    content = json.loads(file.read_text())
    vocabulary = content["model"]["vocab"]
    first, second = list(vocabulary)[:2]
    vocabulary[first], vocabulary[second] = vocabulary[second], vocabulary[first]
    file.write_text(json.dumps(content, indent=2, ensure_ascii=False))
    assert "tokenizer.json changed since" in told(run, model)


def test_the_vocabulary_of_record_is_both_the_tokens_and_their_ids() -> None:
    """What is trained on recorded ids asks for it."""

    class Named:
        def __init__(self, **vocabulary: int) -> None:
            self.vocabulary = vocabulary

        def get_vocab(self) -> dict[str, int]:
            return self.vocabulary

    found = []
    for vocabulary in ({"a": 0, "b": 1}, {"b": 1, "a": 0}, {"a": 1, "b": 0}, {"a": 0, "c": 1}, {"a": 0}):
        tokenizer = chat()
        hf: Any = Named(**vocabulary)
        tokenizer.hf = hf
        found.append(tokenizer.fingerprint)
    assert found[0] == found[1]
    assert len(set(found)) == 4


def test_it_is_found_from_another_directory(tmp_path: Path, model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    run = Run.create(tmp_path / "other", {}, model=fingerprint.of_model("model"))
    monkeypatch.chdir("/")
    assert told(run, Path("model")) == ""


def test_the_policy_of_a_run_is_what_is_compared(tmp_path: Path, model: Path) -> None:
    (tmp_path / "before").mkdir()
    shutil.copytree(model, tmp_path / "before" / "policy")
    (tmp_path / "before" / "report.json").write_text("{}")
    run = Run.create(tmp_path / "other", {}, model=fingerprint.of_model(str(tmp_path / "before")))
    (tmp_path / "before" / "report.json").write_text("{ }")
    assert told(run, tmp_path / "before") == ""
    (tmp_path / "before" / "policy" / "config.json").write_text("{}")
    assert "config.json changed since" in told(run, tmp_path / "before")


@pytest.mark.parametrize("told_as", ["tiny.gguf", "."])
def test_a_model_in_a_gguf_file_is_that_file(told_as: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All of it: the tokenizer and the chat template are in it too."""
    (tmp_path / "model").mkdir()
    file = tmp_path / "model" / "tiny.gguf"
    file.write_bytes(bytes(2**20))
    monkeypatch.chdir(file.parent)
    run = Run.create(tmp_path / "other", {}, model=fingerprint.of_model(told_as))
    (file.parent / "notes.json").write_text("of no concern")
    assert told(run, file) == ""
    file.write_bytes(bytes(300_000) + b"!" + bytes(2**20 - 300_001))
    assert "tiny.gguf changed since" in told(run, file)
    shutil.rmtree(file.parent)
    assert "is gone from" in told(run, file)


def test_a_gguf_file_that_moved_with_its_run_is_compared(tmp_path: Path) -> None:
    (tmp_path / "tiny.gguf").write_bytes(b"GGUF")
    run = Run.create(tmp_path / "other", {}, model=fingerprint.of_model(str(tmp_path / "tiny.gguf")))
    (tmp_path / "there").mkdir()
    (tmp_path / "tiny.gguf").rename(tmp_path / "there" / "tiny.gguf")
    assert told(run, tmp_path / "there" / "tiny.gguf") == ""
    (tmp_path / "there" / "tiny.gguf").write_bytes(b"GGUG")
    assert "tiny.gguf changed since" in told(run, tmp_path / "there" / "tiny.gguf")


def test_large_weights_are_compared_from_beginning_to_end(tmp_path: Path) -> None:
    file = tmp_path / "model.safetensors"
    size = 3 * 2**20
    seen = set()
    for place in (0, 1, size - 1):
        content = bytearray(size)
        content[place] = 1
        file.write_bytes(content)
        seen.add(fingerprint.of_directory(tmp_path)["model.safetensors"])
    file.write_bytes(bytes(size))
    seen.add(fingerprint.of_directory(tmp_path)["model.safetensors"])
    file.write_bytes(bytes(size + 1))
    seen.add(fingerprint.of_directory(tmp_path)["model.safetensors"])
    assert len(seen) == 5


def test_a_directory_that_is_gone_is_noted(run: Run, model: Path) -> None:
    shutil.rmtree(model)
    assert "is gone from" in told(run, model)


def test_a_model_by_name_has_no_fingerprint(tmp_path: Path) -> None:
    run = Run.create(tmp_path / "run", {}, model=fingerprint.of_model("nano"))
    assert not (run.directory / "model.json").exists()
    assert told(run, Path("nano")) == ""


@pytest.mark.parametrize("content", ["{", "{}", json.dumps({"source": 3, "files": {}})])
def test_a_fingerprint_that_is_none(content: str, run: Run, model: Path) -> None:
    (run.directory / "model.json").write_text(content)
    with pytest.raises(DataError, match=r"model\.json is not a fingerprint"):
        fingerprint.check(run, str(model), print)
