"""What config.json says: every value, and what of it is taken up again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import agentgym
from agentgym.launch.resolving import resolve
from agentgym.launch.settings import TrainSettings
from agentgym.launch.written import as_given, resolved

PLUGINS = """
import dataclasses
import agentgym
from agentgym.reward import EpisodeShaper

@dataclasses.dataclass
class Scale:
    by: float = 2.0

@agentgym.register
class Praise(EpisodeShaper):
    def __init__(self, size: int = None, weigh=len, scale: Scale = Scale(), words: int = 3):
        self.given = (size, weigh, scale, words)

    def __call__(self, trajectory):
        return [1.0] * len(trajectory.turns)
"""


def test_every_value_of_every_plugin_is_written() -> None:
    config = resolved(resolve({"env": "blocksworld", "rewards": {"turn-cost": 0.5}}))
    assert json.loads(json.dumps(config)) == config
    assert set(config["env"]) == {"id", "level", "reward", "goal", "show_admissible", "problem_seed"}
    assert config["env"]["level"] == "b4"
    assert (config["trainer"]["learning_rate"], config["trainer"]["group_size"]) == (1e-3, 8)
    assert (config["model"]["id"], config["model"]["width"], config["model"]["layers"]) == ("nano", 96, 2)
    assert config["rewards"] == {"success": {"weight": 2.0}, "turn-cost": {"weight": 0.5, "free_turns": 0}}
    assert (config["engine"]["max_sessions"], config["engine"]["own_copy"]) == (128, False)


def test_what_a_run_wants_of_its_engine_is_written_as_it_is() -> None:
    config = resolved(resolve({"env": "blocksworld", "mode": "async", "rollout": {"concurrency": 5}}))
    assert (config["engine"]["max_sessions"], config["engine"]["own_copy"]) == (5, True)
    assert config["trainer"]["correction"] == "truncate"
    told = resolved(resolve({"env": "blocksworld", "rollout": {"concurrency": 5}, "engine": {"max_sessions": 3}}))
    assert told["engine"]["max_sessions"] == 3


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"mode": "async", "rollout": {"concurrency": 5}},
        {"engine": {"max_sessions": 3}},
        {"trainer": {"preset": "dapo"}},
        {"trainer": {"preset": "dapo", "minibatches": 1, "clip_high": 0.28}},
        {"trainer": {"id": "ppo", "gamma": 0.9}, "rewards": {"turn-cost": {"free_turns": 2}}},
        {"model": {"id": "some/where", "lora": True, "lora_rank": 4}},
        {"model": {"id": "some/where"}, "trainer": "rloo"},
        {"recipe": {"budget": 5000}},
    ],
)
def test_a_run_is_gone_on_with_as_it_began(given: dict[str, Any]) -> None:
    began = resolve({"env": {"id": "blocksworld", "level": "b3"}, **given})
    again = TrainSettings.model_validate(as_given(json.loads(json.dumps(resolved(began)))))
    assert resolved(again) == resolved(began)
    assert again.complete() == began.complete()
    assert again.env.options == {"level": "b3"}


def test_more_episodes_at_once_have_more_slots() -> None:
    config = as_given(resolved(resolve({"env": "blocksworld", "rollout": {"concurrency": 5}})))
    assert "max_sessions" not in config["engine"]
    config["rollout"]["concurrency"] = 9
    assert resolved(TrainSettings.model_validate(config))["engine"]["max_sessions"] == 9


def test_what_a_preset_would_decide_again_stays() -> None:
    config = as_given(resolved(resolve({"env": "blocksworld", "trainer": {"preset": "dapo", "minibatches": 1}})))
    assert config["trainer"]["minibatches"] == 1


def test_defaults_that_are_no_json_or_no_values_of_their_type_are_left_to_the_plugin(tmp_path: Path) -> None:
    file = tmp_path / "odd_praise.py"
    file.write_text(PLUGINS)
    began = resolve({"env": "blocksworld", "rewards": {str(file): {"weight": 1, "words": 5}}})
    config = json.loads(json.dumps(resolved(began)))
    assert config["rewards"][str(file)] == {"weight": 1, "words": 5, "size": None, "scale": {"by": 2.0}}
    again = as_given(config)["rewards"][str(file)]
    assert again == {"weight": 1, "words": 5}
    size, weigh, scale, words = agentgym.plugins("rewards").build(str(file), {"words": 5}).given
    assert (size, weigh, scale.by, words) == (None, len, 2.0, 5)


def test_what_is_not_there_any_more_stays_as_it_is() -> None:
    config = {"env": {"id": "gone", "size": 3}, "trainer": {"id": "./gone.py", "epochs": 1}, "seed": 0}
    assert as_given(config) == config
