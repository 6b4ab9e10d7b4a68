"""A model that is another one now is found out."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from agentgym.errors import DataError, UserError
from agentgym.launch import fingerprint
from agentgym.run import Run
from tests.kit import byte_tokenizer, tiny_model


@pytest.fixture
def model(tmp_path: Path) -> Path:
    tokenizer = byte_tokenizer()
    tokenizer.save_pretrained(tmp_path / "model")
    tiny_model(vocab_size=len(tokenizer)).save_pretrained(tmp_path / "model")
    return tmp_path / "model"


@pytest.fixture
def run(model: Path, tmp_path: Path) -> Run:
    run = Run.create(tmp_path / "run", {})
    fingerprint.record(run, str(model))
    return run


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
    run = Run.create(tmp_path / "run", {})
    fingerprint.record(run, "nano")
    assert not (run.directory / "model.json").exists()
    assert told(run, Path("nano")) == ""


@pytest.mark.parametrize("content", ["{", "{}", json.dumps({"source": 3, "files": {}})])
def test_a_fingerprint_that_is_none(content: str, run: Run, model: Path) -> None:
    (run.directory / "model.json").write_text(content)
    with pytest.raises(DataError, match=r"model\.json is not a fingerprint"):
        fingerprint.check(run, str(model), print)
