"""A model that is not to be had and a package that is missing are told before torch is imported."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import HfApi, errors

from agentgym.errors import MissingExtraError, UserError
from agentgym.launch.absent import refuse_unloadable
from agentgym.launch.settings import TrainSettings


def settings(model: str, **more: Any) -> TrainSettings:
    return TrainSettings(env={"id": "bell"}, model={"id": model, **more.pop("options", {})}, **more)


def asked(monkeypatch: pytest.MonkeyPatch, error: Exception | None) -> list[str]:
    """Hugging Face answers so; what it was asked for."""
    ids: list[str] = []

    def answers(self: HfApi, id: str, *, timeout: float) -> None:
        ids.append(id)
        if error is not None:
            raise error

    monkeypatch.setattr(HfApi, "model_info", answers)
    return ids


def raised(kind: type[Exception]) -> Exception:
    return kind.__new__(kind)  # its constructor wants an answer of whichever HTTP package there is


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (OSError("no route"), "it is not in the cache of Hugging Face, and Hugging Face cannot be reached (no route)"),
        (raised(errors.RepositoryNotFoundError), "Hugging Face has no such model (a private one wants: hf auth login)"),
        (raised(errors.GatedRepoError), "Hugging Face gives it to those alone who asked for it there"),
        (errors.HFValidationError(), "it is no Hugging Face id, which is NAME or OWNER/NAME"),
    ],
)
def test_an_id_that_cannot_be_had_is_refused(error: Exception, told: str, monkeypatch: pytest.MonkeyPatch) -> None:
    ids = asked(monkeypatch, error)
    with pytest.raises(UserError) as found:
        refuse_unloadable(settings("nobody/has-this"))
    assert str(found.value).startswith('cannot load the model "nobody/has-this": ')
    assert told in str(found.value)
    assert str(found.value).endswith("or a Hugging Face id such as Qwen/Qwen3-0.6B")
    assert ids == ["nobody/has-this"]


@pytest.mark.parametrize("error", [None, TimeoutError("slow"), raised(errors.HfHubHTTPError)])
def test_what_may_still_be_had_is_left_to_the_loader(error: Exception | None, monkeypatch: pytest.MonkeyPatch) -> None:
    ids = asked(monkeypatch, error)
    refuse_unloadable(settings("nobody/has-this"))
    assert ids == ["nobody/has-this"]


def test_nobody_is_asked_for_nano_a_server_or_what_is_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ids = asked(monkeypatch, OSError("no route"))
    monkeypatch.chdir(tmp_path)
    for name in ("run", "model", "adapter", "weights"):
        Path(name).mkdir()
    Path("run/policy").mkdir()
    for file in ("model/config.json", "adapter/adapter_config.json", "weights/small.gguf", "small.gguf"):
        Path(file).touch()
    for model in ("nano", "run", "model", "adapter", "weights", "small.gguf"):
        refuse_unloadable(settings(model))
    pytest.importorskip("openai", reason="needs the extra openai")
    refuse_unloadable(settings("theirs", engine={"id": "openai"}))
    assert ids == []


def test_a_run_that_was_meant_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked(monkeypatch, OSError("no route"))
    monkeypatch.chdir(tmp_path)
    Path("runs/mine").mkdir(parents=True)
    Path("runs/mine/config.json").touch()
    for typed in ("mine", "mins"):
        with pytest.raises(UserError, match=r'; did you mean "runs/mine"\? expected a run directory'):
            refuse_unloadable(settings(typed))
    with pytest.raises(UserError, match=r'"runs": that directory has no config\.json; did you mean "runs/mine"\?'):
        refuse_unloadable(settings("runs"))


def test_a_file_and_a_directory_of_something_else_are_no_model(tmp_path: Path) -> None:
    (tmp_path / "policy.py").touch()
    with pytest.raises(UserError, match=r"policy\.py\": it is a file; expected a run directory"):
        refuse_unloadable(settings(str(tmp_path / "policy.py")))
    with pytest.raises(UserError, match=r"that directory has no config\.json; expected a run directory"):
        refuse_unloadable(settings(str(tmp_path)))


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"engine": {"id": "vllm"}}, "the vllm engine needs vLLM, which is not installed; type: pip install "),
        ({"engine": {"id": "openai"}}, "this needs openai, which is not installed; type: pip install 'agentgym-lab[op"),
        ({"options": {"lora": True}}, "this needs peft, which is not installed; type: pip install 'agentgym-lab[lora]"),
    ],
)
def test_a_missing_package_is_told(given: dict[str, Any], told: str, monkeypatch: pytest.MonkeyPatch) -> None:
    there = importlib.util.find_spec
    missing = ("vllm", "openai", "peft")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name in missing else there(name))
    with pytest.raises(MissingExtraError) as found:
        refuse_unloadable(settings("some/model", **given))
    assert str(found.value).startswith(told)
