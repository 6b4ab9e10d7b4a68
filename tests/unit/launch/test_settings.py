from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest

from agentgym.config import Choice, read_toml
from agentgym.errors import ConfigError, DataError, UserError
from agentgym.flags import parse_flags
from agentgym.launch.resolving import resolve, settings_for
from agentgym.launch.settings import MeasureSettings, PolicySettings, SpeechSettings, TrainSettings
from agentgym.manual import describe, page
from agentgym.registry import plugins


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
        ({}, "no environment is named; type: --env webshop"),
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


def finished(folder: Path, **changes: Any) -> str:
    """The directory of a run with a trained policy, by its settings."""
    folder.mkdir()
    (folder / "policy").mkdir()
    config = resolve({"env": "webshop", **changes}).model_dump(mode="json")
    (folder / "config.json").write_text(json.dumps(config))
    return str(folder)


def test_training_goes_on_in_the_form_of_the_run_it_begins_with(tmp_path: Path) -> None:
    """Its policy has learned to reply in it; what was made of options of the prompt stays with the environment."""
    run = finished(tmp_path / "run", env="countdown", protocol={"id": "plain", "actions": "errors"})
    given = {"env": "countdown", "model": run}
    assert resolve(given).protocol == Choice(id="plain", actions="errors")
    assert resolve({**given, "protocol": {"actions": "shown"}}).protocol == Choice(id="plain", actions="shown")
    assert resolve({**given, "protocol": "tools"}).protocol == Choice(id="tools")
    kept = finished(tmp_path / "kept", env="countdown", protocol={"id": "plain", "kept": {"example": "1 + 1"}})
    assert resolve({"env": "countdown", "model": kept}).protocol.options == {"kept": {"example": "1 + 1"}}
    assert resolve({"env": "blocksworld", "model": kept}).protocol == Choice(id="plain")


def as_pipe(file: Path) -> None:
    file.unlink()
    os.mkfifo(file)


@pytest.mark.parametrize("part", ["policies", "ledger.jsonl"])
@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (lambda file: file.write_text('{"a": 1}'), "is not what a run of this version writes: it has no env"),
        (Path.unlink, "is missing"),
        (as_pipe, "is not a plain file"),
    ],
)
def test_a_run_without_its_settings_is_no_model(damage: Any, told: str, part: str, tmp_path: Path) -> None:
    run = Path(finished(tmp_path / "run"))
    (run / part).mkdir()
    damage(run / "config.json")
    with pytest.raises(DataError, match=f"{run}/config.json {told}"):
        settings_for({"env": "webshop"}, str(run), seed=0)


def test_options_alone_are_those_of_what_the_run_has(tmp_path: Path) -> None:
    run = finished(tmp_path / "run", protocol="tools", engine={"id": "openai", "max_retries": 1})
    found = settings_for({"engine": {"max_context": 64}, "model": {"device": "cpu"}}, run, seed=0)
    assert (found.engine.id, found.engine.options) == ("openai", {"max_retries": 1, "max_context": 64})
    assert (found.model.id, found.model.options) == (run, {"device": "cpu"})
    assert found.protocol.id == "tools"


@pytest.mark.parametrize(
    ("kind", "given", "told"),
    [
        (MeasureSettings, {"updates": 3}, '"updates" has no effect here, it is of training: agentgym train'),
        (MeasureSettings, {"rollout": {"temperature": 0.5}}, 'unknown key "rollout.temperature"'),
        (PolicySettings, {"rollout": {"max_turns": 3}}, 'unknown key "rollout.max_turns"'),
        (PolicySettings, {"rewards": {"success": 1}}, '"rewards" has no effect here, it is of training'),
        (
            SpeechSettings,
            {"engine": "embedded"},
            '"engine" has no effect here, it is of a policy: agentgym train',
        ),
        (SpeechSettings, {"env": {"observation_mod": "url"}}, 'unknown key "env.observation_mod"'),
    ],
)
def test_a_key_without_effect_is_refused(kind: Any, given: dict[str, Any], told: str, tmp_path: Path) -> None:
    run = finished(tmp_path / "run")
    assert settings_for({}, run, seed=0, kind=kind).env.id == "webshop"
    with pytest.raises(ConfigError, match=told.replace(".", r"\.")):
        settings_for(given, run, seed=0, kind=kind)


TRAINER = """
from typing import Any, ClassVar

import agentgym
from agentgym.learn.trainer import Trainer, TrainerSettings


class MySettings(TrainerSettings):
    width: int = 1
    \"\"\"Of something.\"\"\"


@agentgym.register
class Mine(Trainer[MySettings]):
    Settings = MySettings

    def specs(self, update, draws): ...
    def lesson(self, update, trajectories): ...
    def objective(self, predictions, batch): ...
"""


def test_a_trainer_from_a_file_of_ones_own_gets_nanos_defaults(tmp_path: Path) -> None:
    file = tmp_path / "my_trainer_of_settings.py"
    file.write_text(TRAINER)
    chosen = resolve({"env": "webshop", "trainer": {"id": str(file), "width": 3}}).trainer
    assert chosen.options == {"learning_rate": 1e-3, "warmup_updates": 5, "width": 3}
    with pytest.raises(ConfigError, match=r'unknown key "trainer\.widht"\. Did you mean "width"'):
        resolve({"env": "webshop", "trainer": {"id": str(file), "widht": 3}})


CURRICULA = """
from agentgym.curriculum import Curriculum
from agentgym.draw import Draw


class Easy(Curriculum):
    def __init__(self, tasks, *, seed, rungs: int = 3):
        super().__init__(tasks, seed=seed)
        self.rungs = rungs

    def draw(self, ordinal):
        return Draw(task=self.order[ordinal], level=self.rungs)
"""


def test_a_curriculum_is_chosen_like_everything_else(tmp_path: Path) -> None:
    assert resolve({"env": "webshop"}).curriculum == Choice(id="uniform")
    assert resolve({"env": "webshop", "curriculum": "frontier"}).complete()["curriculum"] == {
        "id": "frontier",
        "replay": 0.5,
        "capacity": 256,
    }
    file = tmp_path / "curricula_of_settings.py"
    file.write_text(CURRICULA)
    given = parse_flags(["--env", "webshop", "--curriculum", f"{file}:Easy", "--curriculum.rungs", "5"])
    chosen = resolve(given).curriculum
    mine = plugins("curricula").build(chosen.id, chosen.options, range(9), seed=1)
    assert (mine.draw(0).level, mine.seed, len(mine.tasks)) == (5, 1, 9)
    toml = tmp_path / "mine.toml"
    toml.write_text('env = "webshop"\ncurriculum = "frontier"\n')
    assert resolve(read_toml(toml)).curriculum.id == "frontier"
    for wrong, told in (
        ({"curriculum": "frontire"}, 'unknown curriculum "frontire". Did you mean "frontier"?'),
        ({"curriculum": {"rungs": 5}}, 'unknown key "curriculum.rungs"'),
        ({"curriculum": {"id": "frontier", "replay": 2}}, "curriculum.replay: Input should be less than or equal to 1"),
    ):
        with pytest.raises(UserError, match=re.escape(told)):
            resolve({"env": "webshop", **wrong})
    with pytest.raises(ConfigError, match='"curriculum" has no effect here, it is of training: agentgym train'):
        settings_for({"curriculum": "frontier"}, finished(tmp_path / "run"), seed=0)


def test_a_curriculum_that_nothing_follows_or_teaches_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "curricula_without_effect.py"
    file.write_text(CURRICULA)
    for trainer in ("sft", "dpo"):
        recorded = {"env": "webshop", "trainer": {"id": trainer, "data": "episodes.jsonl"}}
        with pytest.raises(ConfigError, match=f"has no effect: the trainer {trainer} learns from recorded episodes"):
            resolve({**recorded, "curriculum": f"{file}:Easy"})
        assert resolve({**recorded, "curriculum": "uniform"}).curriculum.id == "uniform"
    with pytest.raises(ConfigError, match="curriculum frontier learns from the policy's episodes, and the trainer sft"):
        resolve({"env": "webshop", "trainer": "sft", "curriculum": "frontier"})
    assert resolve({"env": "webshop", "trainer": "sft", "curriculum": f"{file}:Easy"}).trainer.id == "sft"
    with pytest.raises(ConfigError, match="curriculum horizon has no effect: it is of the policy's episodes, and the"):
        resolve({"env": "webshop", "trainer": "sft", "curriculum": "horizon"})


def test_help_lists_curricula_and_shows_the_settings_of_the_chosen_one() -> None:
    shown = page(TrainSettings, parse_flags(["--env", "webshop", "--curriculum", "frontier"]))
    assert re.search(r"^  --curriculum .*?\bfrontier\b.*?\buniform\b", shown, re.MULTILINE | re.DOTALL)
    assert "With --curriculum frontier" in shown
    assert "--curriculum.replay NUMBER" in shown


def test_each_part_brings_what_nano_wants_of_it() -> None:
    assert resolve({"env": "webshop", "engine": "vllm"}).model.options == {"width": 128}
    assert resolve({"env": "webshop", "trainer": "ppo"}).trainer.options["critic_learning_rate"] == 2e-3
    assert resolve({"env": "webshop", "warm_start": {"until": 0.5}}).warm_start.batch_size == 8
    assert resolve({"env": "webshop", "rewards": {"success": 1}}).rewards["success"].weight == 1.0
    with pytest.raises(ConfigError, match=r'unknown key "protocol\.x"'):
        resolve({"env": "webshop", "protocol": {"x": 1}})


def test_what_a_preset_decides_it_decides_for_nano() -> None:
    """Which otherwise wants means over episodes."""
    for preset, aggregation in (("dr_grpo", "constant"), ("dapo", "token"), ("lead", "sequence")):
        chosen = resolve({"env": "webshop", "trainer": {"preset": preset}}).complete()["trainer"]
        assert (chosen["aggregation"], chosen["learning_rate"]) == (aggregation, 1e-3)
    given = {"env": "webshop", "trainer": {"preset": "dr_grpo", "aggregation": "token"}}
    assert resolve(given).complete()["trainer"]["aggregation"] == "token"


@pytest.mark.parametrize(
    ("options", "scaled"),
    [
        ({}, False),
        ({"scale_by_std": True}, True),
        ({"preset": "dapo"}, True),  # as in its paper
        ({"preset": "dr_grpo"}, False),
        ({"set_size": 4}, True),  # which knows no deviation, so that the setting would have no effect
        ({"loss": "nft"}, True),
        ({"loss": "balance", "kl_coefficient": 0.1, "kl_in": "reward", "aggregation": "sequence"}, True),
        ({"group_size": 4}, False),
    ],
)
def test_nano_does_not_divide_by_the_deviation(options: dict[str, Any], scaled: bool) -> None:
    chosen = resolve({"env": "webshop", "trainer": options}).complete()["trainer"]
    assert chosen["scale_by_std"] is scaled
    assert resolve({"env": "webshop", "model": "some/model", "trainer": options}).complete()["trainer"][
        "scale_by_std"
    ] is (options.get("preset") != "dr_grpo")


@pytest.mark.parametrize(
    ("trainer", "updates"),
    [
        ({"id": "grpo"}, 62),  # 500 of the budget's 800 are left, for 8 episodes each
        ({"id": "cory"}, 31),  # 16, of two copies
        ({"id": "mixed", "demonstrations": 1}, 27),  # 8 and a demonstration for 10
        ({"id": "mixed", "method": "srft"}, 10),  # 8 and 4 demonstrations
    ],
)
def test_a_budget_pays_for_all_that_an_update_plays(trainer: dict[str, Any], updates: int) -> None:
    recipe = {"budget": 800, "demonstrations": 30}
    given = {"env": "blocksworld", "trainer": {**trainer, "groups": 4, "group_size": 2}, "recipe": recipe}
    assert resolve(given).updates == updates


@pytest.mark.parametrize("trainer", [{"id": "sft"}, {"id": "dpo", "data": "episodes.jsonl"}])
def test_a_budget_for_episodes_that_are_not_played_is_refused(trainer: dict[str, Any]) -> None:
    given = {"env": "blocksworld", "trainer": trainer, "recipe": {"budget": 10_000}}
    with pytest.raises(ConfigError, match=f"the trainer {trainer['id']} plays none; leave out --recipe"):
        resolve(given)


def test_tasks_are_measured_at_the_temperature_of_training_unless_another_is_given() -> None:
    for given, expected in (
        ({}, 1.0),
        ({"rollout": {"temperature": 0.6}}, 0.6),
        ({"rollout": {"temperature": 0.6}, "eval": {"temperature": 0.8}}, 0.8),
    ):
        assert resolve({"env": "webshop", **given}).measuring_temperature == expected


def test_complete_settings_have_every_plugins_own_defaults() -> None:
    given = {"env": {"id": "blocksworld", "level": "b3"}, "rewards": {"turn-cost": 0.1}, "trainer": "sft"}
    whole = resolve(given).complete()
    assert (whole["env"]["level"], whole["env"]["goal"]) == ("b3", "remaining")
    assert whole["rewards"] == {"success": {"weight": 2.0}, "turn-cost": {"weight": 0.1, "free_turns": 0}}
    assert (whole["trainer"]["batch_size"], whole["trainer"]["loss"]) == (8, "nll")
    assert whole["model"]["layers"] == 2
    assert json.loads(json.dumps(whole)) == whole


def test_every_key_has_a_meaning() -> None:
    formed = TrainSettings.model_fields
    assert [key for key, field in formed.items() if not field.description] == []
    page = describe(TrainSettings)
    assert "--updates INTEGER" in page
    assert "[130]" in page
    assert "--mode sync|async|fully-async" in page


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"rollout": {"shaping_seconds": 5.0}, "model": "some/model"}, "shaping_seconds has no effect without rewards"),
        ({"rollout": {"keep_observations": 3}}, 'keep_observations has no effect without on_overflow "keep-last"'),
        ({"rollout": {"on_overflow": "keep-last", "keep_observations": 0}}, "greater than or equal to 1"),
        ({"rollout": {"temperature": 0.0}}, "rollout.temperature: Input should be greater than 0"),
        ({"rollout": {"max_invalid_actions": -1}}, "greater than or equal to 0"),
        ({"eval": {"every": 0}}, "eval.every: Input should be greater than or equal to 1"),
        ({"eval": {"validation_episodes": 0}}, "eval.validation_episodes: Input should be greater than or equal to 1"),
        ({"archive": {"keep": 1.5}}, "archive.keep: Input should be less than or equal to 1"),
    ],
)
def test_a_setting_without_effect_or_sense_is_refused(given: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(told)):
        resolve({"env": "webshop", **given})


def test_the_least_that_makes_sense_is_taken() -> None:
    rollout = {"max_invalid_actions": 0, "on_overflow": "keep-last", "keep_observations": 1}
    chosen = resolve({"env": "webshop", "rollout": rollout, "eval": {"every": 1}, "archive": {"keep": 0}})
    assert (chosen.rollout.max_invalid_actions, chosen.rollout.keep_observations) == (0, 1)
    assert (chosen.eval.every, chosen.archive.keep) == (1, 0.0)


def test_what_the_user_says_has_the_last_word_and_only_a_small_model_has_wishes() -> None:
    given = {"env": "webshop", "protocol": "react", "rollout": {"max_reply_tokens": 7}, "threads": 3}
    chosen = resolve(given)
    assert (chosen.protocol.id, chosen.rollout.max_reply_tokens, chosen.threads) == ("react", 7, 3)
    other = resolve({"env": "webshop", "model": "some/model"})
    assert (other.threads, other.rewards, other.rollout.max_invalid_actions) == (None, {}, None)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"rollout": {"top_p": 0.5}}, "rollout.top_p 0.5 cannot be trained with"),
        ({"max_staleness": 2}, "max_staleness has no effect with mode sync"),
        ({"trainer": "sft", "curriculum": "frontier"}, "curriculum frontier learns from the policy's episodes"),
        ({"env": {"id": "webshop", "observation_mod": 1}}, 'unknown key "env.observation_mod"'),
    ],
)
def test_whatever_does_not_go_is_found_when_settings_are_resolved(given: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(told)):
        resolve({"env": "webshop", **given})


def test_a_small_model_cannot_be_measured_untrained() -> None:
    with pytest.raises(UserError, match="nano is made anew for each training run; pass the run directory"):
        settings_for({"env": "webshop"}, "nano", seed=0)


def test_what_is_given_goes_before_what_the_run_has(tmp_path: Path) -> None:
    run = finished(tmp_path / "run", rollout={"max_turns": 4, "concurrency": 9}, protocol="tools")
    found = settings_for({"rollout": {"max_turns": 6}, "protocol": "react"}, run, seed=0)
    assert (found.rollout.max_turns, found.rollout.concurrency, found.protocol.id) == (6, 9, "react")
