"""What every engine and every trainer has."""

from __future__ import annotations

import inspect
import subprocess
import sys
from typing import Any

import pytest

import agentgym
from agentgym.config import validated
from agentgym.curricula.uniform import Uniform
from agentgym.engine import Engine
from agentgym.errors import ConfigError
from agentgym.learn.trainer import Trainer, TrainerSettings

ENGINES, TRAINERS = (agentgym.plugins(kind).ids() for kind in ("engines", "trainers"))


@pytest.mark.parametrize("id", ENGINES)
def test_engine_is_found_by_id_and_complete(id: str) -> None:
    cls = agentgym.plugins("engines").get(id)
    assert inspect.isclass(cls)
    assert issubclass(cls, Engine)
    assert not inspect.isabstract(cls)


@pytest.mark.parametrize("id", ENGINES)
def test_asking_for_an_engine_imports_nothing_heavy(id: str) -> None:
    """What it can be told is asked for by whoever mistyped it, and torch alone takes more than a second."""
    ask = f"import sys, agentgym; agentgym.plugins('engines').settings('{id}')"
    tell = "sys.exit(str({'torch', 'transformers', 'vllm', 'openai'} & {*sys.modules}))"
    done = subprocess.run([sys.executable, "-c", f"{ask}; {tell}"], capture_output=True, text=True)
    assert done.stderr == "set()\n"


@pytest.mark.parametrize("id", ENGINES)
def test_every_option_of_an_engine_is_explained(id: str) -> None:
    fields = agentgym.plugins("engines").settings(id).model_fields
    assert [name for name, field in fields.items() if not field.description] == []


@pytest.mark.parametrize("id", TRAINERS)
def test_trainer_is_found_by_id_and_has_settings(id: str) -> None:
    cls = agentgym.plugins("trainers").get(id)
    assert inspect.isclass(cls)
    assert issubclass(cls, Trainer)
    assert not inspect.isabstract(cls)
    assert issubclass(cls.Settings, TrainerSettings)
    assert cls.Settings is not TrainerSettings


@pytest.mark.parametrize("id", TRAINERS)
def test_every_setting_of_a_trainer_is_explained_and_has_a_default(id: str) -> None:
    fields = agentgym.plugins("trainers").get(id).Settings.model_fields  # type: ignore[attr-defined]
    assert [name for name, field in fields.items() if not field.description] == []
    assert [name for name, field in fields.items() if field.is_required()] == []


@pytest.mark.parametrize("id", TRAINERS)
def test_what_a_small_model_wants_are_settings_of_the_trainer(id: str) -> None:
    cls: Any = agentgym.plugins("trainers").get(id)
    assert validated(cls.Settings, cls.nano, where="trainer").learning_rate == cls.nano["learning_rate"]


def test_which_trainers_play_ahead() -> None:
    def plays_ahead(id: str, **settings: Any) -> bool:
        cls: Any = agentgym.plugins("trainers").get(id)
        return bool(cls(validated(cls.Settings, settings)).plays_ahead)

    assert {id for id in TRAINERS if plays_ahead(id)} == {"agent-q", "dpo", "grpo", "ppo", "rloo"}
    assert not plays_ahead("dpo", data="episodes.jsonl")


@pytest.mark.parametrize("id", TRAINERS)
def test_an_unknown_setting_is_refused(id: str) -> None:
    settings = agentgym.plugins("trainers").get(id).Settings  # type: ignore[attr-defined]
    with pytest.raises(ConfigError, match=r'unknown key "trainer\.learning_rat"\. Did you mean "learning_rate"\?'):
        validated(settings, {"learning_rat": 1}, where="trainer")


@pytest.mark.parametrize("id", TRAINERS)
def test_the_episodes_of_an_update_are_a_function_of_its_number(id: str) -> None:
    cls = agentgym.plugins("trainers").get(id)
    trainer = cls(cls.Settings())  # type: ignore[attr-defined]
    specs = [trainer.specs(update, Uniform(range(50), seed=3)) for update in (4, 0, 4)]
    assert specs[0] == specs[2] != specs[1]
    assert specs[0] != trainer.specs(4, Uniform(range(50), seed=4))
    names = [spec.episode_id for update in range(8) for spec in trainer.specs(update, Uniform(range(50), seed=3))]
    assert len(set(names)) == len(names)
