from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from agentgym.config import Settings
from agentgym.errors import ConfigError
from agentgym.launch.resolving import resolve, settings_for
from agentgym.launch.settings import TrainSettings
from agentgym.manual import describe


def test_nano_gets_settings_of_its_own() -> None:
    nano, large = resolve({"env": "webshop"}), resolve({"env": "webshop", "model": "Qwen/Qwen3-0.6B"})
    assert (nano.protocol.id, large.protocol.id) == ("plain", "react")
    assert nano.trainer.options["learning_rate"] == 1e-3
    assert large.trainer.options == {}
    assert nano.rollout.max_reply_tokens < large.rollout.max_reply_tokens
    assert nano.warm_start.learning_rate > large.warm_start.learning_rate


@pytest.mark.parametrize("trainer", [{"learning_rate": 0.5}, {"id": "grpo", "learning_rate": 0.5}])
def test_one_setting_of_the_trainer_leaves_the_others(trainer: dict[str, Any]) -> None:
    chosen = resolve({"env": "webshop", "trainer": trainer}).trainer
    assert chosen.id == "grpo"
    assert chosen.options == {**resolve({"env": "webshop"}).trainer.options, "learning_rate": 0.5}


@pytest.mark.parametrize("key", ["env", "trainer", "model", "engine", "protocol"])
def test_a_bare_choice_is_the_same_as_its_long_form(key: str) -> None:
    ids = {"env": "webshop", "trainer": "sft", "model": "nano", "engine": "embedded", "protocol": "tools"}
    given = {"env": "webshop", key: ids[key]}
    assert resolve(given) == resolve({**given, key: {"id": ids[key]}})


def test_lora_is_short_for_the_models_option() -> None:
    for model in ("Qwen/Qwen3-0.6B", {"id": "Qwen/Qwen3-0.6B"}):
        given = {"env": "webshop", "model": model, "lora": True}
        assert resolve(given).model.options == {"lora": True}
        assert given["lora"] is True  # what was passed in stays as it was


def test_only_what_the_user_set_counts_as_set() -> None:
    assert resolve({"env": "webshop"}).warm_start.model_fields_set == set()
    assert resolve({"env": "webshop", "warm_start": {"until": 0.2}}).warm_start.model_fields_set == {"until"}


def test_resolved_settings_survive_the_run_directory() -> None:
    settings = resolve({"env": "webshop", "model": {"width": 48}, "rewards": {"turn-cost": -0.1}, "output": "x"})
    text = json.dumps(settings.model_dump(mode="json"))
    assert TrainSettings.model_validate(json.loads(text)).model_dump(mode="json") == json.loads(text)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({}, "env: Field required"),
        ({"env": "webshop", "eval": {"episods": 3}}, 'unknown key "eval.episods". Did you mean "episodes"'),
        ({"env": "webshop", "updates": -1, "seed": -1}, "updates: .*\nseed: "),
        ({"env": "webshop", "eval": 3}, "eval: "),
        ({"env": "webshop", "model": 3}, "model"),
    ],
)
def test_what_is_wrong_is_told(given: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        resolve(given)


def test_a_finished_policy_is_measured_as_it_was_trained(tmp_path: Path) -> None:
    trained = resolve({"env": {"id": "webshop", "observation_mode": "url"}, "rollout": {"max_turns": 4}})
    (tmp_path / "config.json").write_text(json.dumps(trained.model_dump(mode="json")))
    with pytest.raises(ConfigError, match="has no trained policy yet"):
        settings_for({}, str(tmp_path), seed=0)
    (tmp_path / "policy").mkdir()
    for given in ({}, {"env": "webshop"}, {"env": {"id": "webshop"}}):
        found = settings_for(given, str(tmp_path), seed=5)
        assert found.env.options == {"observation_mode": "url"}
        assert found.rollout.max_turns == 4
        assert found.rollout.max_invalid_actions is None  # of training episodes only
        assert found.protocol == trained.protocol
        assert (found.model.id, found.seed) == (str(tmp_path), 5)
    assert settings_for({"env": "blocksworld"}, str(tmp_path), seed=5).env.options == {}


def test_every_key_has_a_meaning_and_a_default() -> None:
    shown = describe(TrainSettings)
    assert re.search(r"^  --env ID +Environment: .*\n +\[required\]$", shown, re.MULTILINE)
    assert re.search(r"^  --updates INTEGER +Updates of the trainer\.  \[130\]$", shown, re.MULTILINE)
    assert list(without_meaning(TrainSettings)) == []


def without_meaning(settings: type[BaseModel]) -> Iterator[str]:
    """The keys of ``settings`` and of the groups in it that nothing is said of."""
    for name, field in settings.model_fields.items():
        if not field.description:
            yield f"{settings.__name__}.{name}"
        if isinstance(field.annotation, type) and issubclass(field.annotation, Settings):
            yield from without_meaning(field.annotation)
