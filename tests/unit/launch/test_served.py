"""``openai:URL`` for a model: which server, which of its models, and what is said where there is none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from agentgym.errors import ConfigError
from agentgym.launch.resolving import settings_for
from agentgym.launch.served import in_full
from tests.openai_server import FakeServer, Fault


def models(*names: str) -> list[dict[str, Any]]:
    return [{"id": name, "root": "start", "owned_by": "me", "max_model_len": 64} for name in names]


def test_another_model_stays_as_it_is() -> None:
    given = {"engine": {"id": "vllm"}}
    assert in_full(given, "runs/mine") == (given, "runs/mine")


def test_the_only_model_of_a_server_need_not_be_named() -> None:
    with FakeServer() as server:
        given, model = in_full({"env": {"id": "webshop"}}, f"openai:{server.url}")
        assert (given["engine"], model) == ({"id": "openai", "base_url": server.url}, "tiny")
        own = {"engine": {"id": "openai", "form": "text", "base_url": server.url}}
        assert in_full(own, f"openai:{server.url}")[0]["engine"] == own["engine"]
        assert [asked.path for asked in server.asked] == ["/v1/models"] * 2


def test_of_several_models_one_is_named() -> None:
    with FakeServer(models=models("small", "large")) as server:
        assert in_full({}, f"openai:{server.url}#large")[1] == "large"
        with pytest.raises(ConfigError, match=rf"serves small, large; choose one: openai:{server.url}#NAME"):
            in_full({}, f"openai:{server.url}")
        with pytest.raises(
            ConfigError, match=r'does not serve "lagre"\. Did you mean "large"\? It serves small, large'
        ):
            in_full({}, f"openai:{server.url}#lagre")


def test_a_key_is_sent_where_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    with FakeServer(api_key="secret") as server:
        monkeypatch.delenv("OPENAI_API_KEY", raising=False)
        with pytest.raises(ConfigError, match="answered /models with 401; set its key: export OPENAI_API_KEY="):
            in_full({}, f"openai:{server.url}")
        monkeypatch.setenv("OPENAI_API_KEY", "secret")
        assert in_full({}, f"openai:{server.url}")[1] == "tiny"
        monkeypatch.setenv("OTHER", "secret")
        monkeypatch.setenv("OPENAI_API_KEY", "none")
        assert in_full({"engine": {"id": "openai", "api_key_env": "OTHER"}}, f"openai:{server.url}")[1] == "tiny"


def test_what_is_no_server_is_told() -> None:
    for model, given, told in (
        ("openai:gpt", {}, "names no server; expected openai:URL"),
        ("openai:http://127.0.0.1:9/v1", {}, "is no OpenAI-compatible server that answers: .*refused"),
        ("openai:http://h/v1", {"engine": {"id": "vllm"}}, 'and the engine "vllm"; leave --engine out'),
        ("openai:http://h/v1", {"engine": {"id": "openai", "base_url": "http://g/v1"}}, "the server is given twice"),
    ):
        with pytest.raises(ConfigError, match=told):
            in_full(given, model)
    with FakeServer() as server:
        with pytest.raises(ConfigError, match="answered /models with 404; the address usually ends in /v1"):
            in_full({}, f"openai:{server.url.removesuffix('/v1')}")
        server.fault = lambda asked: Fault(body="<html>")
        with pytest.raises(ConfigError, match="is no OpenAI-compatible server"):
            in_full({}, f"openai:{server.url}")


def test_settings_are_those_of_the_engine_and_the_name(tmp_path: Path) -> None:
    with FakeServer(models=models("small")) as server:
        settings = settings_for({"env": "blocksworld"}, f"openai:{server.url}", seed=0)
    assert (settings.model.id, settings.engine.id) == ("small", "openai")
    assert settings.engine.options["base_url"] == server.url
