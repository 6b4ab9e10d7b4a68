"""What may change when a run goes on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from agentgym.errors import ConfigError
from agentgym.launch.resolving import resolve
from agentgym.launch.resuming import changed
from agentgym.launch.settings import TrainSettings

RUN = Path("runs/mine")
BASE: dict[str, Any] = {"env": "webshop", "trainer": {"id": "ppo", "episodes": 8}, "updates": 5, "output": str(RUN)}


def has(**changes: Any) -> TrainSettings:
    return TrainSettings.model_validate(resolve({**BASE, **changes}).model_dump(mode="json"))


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"updates": 5},
        {"trainer": "ppo"},
        {"trainer": {"episodes": 8}, "env": {"id": "webshop"}},
        {"trainer": {"minibatches": 2}},  # its default
        {"model": {"width": 96}},  # its default
        {"output": "runs/../runs/mine"},
        BASE,
    ],
)
def test_what_the_run_has_anyway_is_no_change(given: dict[str, Any]) -> None:
    assert changed(has(), given, run=RUN) == has()


def test_without_force_every_difference_is_told() -> None:
    with pytest.raises(ConfigError) as told:
        changed(has(), {"seed": 3, "updates": 9, "trainer": {"episodes": 16}}, run=RUN)
    assert str(told.value).startswith("--resume goes on with the settings of runs/mine; leave out ")
    for line in ("seed: found 3, the run has 0", "updates: found 9, the run has 5", "trainer.episodes: found 16, the"):
        assert f"\n  {line}" in str(told.value)
    assert str(told.value).endswith("with --force-config these can change: updates")


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"curriculum": "uniform"}, 'curriculum.id: found "uniform", the run has "frontier"'),
        ({"curriculum": {"replay": 0.1}}, "curriculum.replay: found 0.1, the run has 0.25"),
    ],
)
def test_another_curriculum_is_another_run(given: dict[str, Any], told: str) -> None:
    mine = has(curriculum={"id": "frontier", "replay": 0.25})
    assert changed(mine, {"curriculum": {"replay": 0.25}}, run=RUN) == mine
    with pytest.raises(ConfigError, match="what decides which run it is cannot change") as refused:
        changed(mine, given, run=RUN, force=True)
    assert told in str(refused.value)


def test_the_short_form_of_lora_is_known() -> None:
    with pytest.raises(ConfigError, match=r"\n  model.lora: found true, the run has false"):
        changed(has(model="Qwen/Qwen3-0.6B"), {"lora": True}, run=RUN, force=True)


def test_a_key_that_there_is_not_is_told_first() -> None:
    with pytest.raises(ConfigError, match=r'unknown key "trainer\.episode"\. Did you mean "episodes"'):
        changed(has(), {"trainer": {"episode": 9}}, run=RUN, force=True)
    with pytest.raises(ConfigError, match=r'unknown key "udpates"\. Did you mean "updates"'):
        changed(has(), {"udpates": 9}, run=RUN)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("updates", 9),
        ("max_seconds", 60.0),
        ("eval.every", 3),
        ("eval.episodes", 7),
        ("checkpoint_seconds", 5.0),
        ("keep_checkpoints", 4),
        ("threads", 2),
        ("rollout.concurrency", 4),
        ("trainer.learning_rate", 0.5),  # every trainer has it
        ("trainer.epochs", 5),
        ("trainer.max_microbatch_tokens", 99),
        ("trainer.clip_low", 0.1),  # ppo has it, a real number
        ("trainer.value_clip", 0.1),  # or none
        ("trainer.lam", 0.9),
    ],
)
def test_with_force_what_leaves_the_run_the_same_run_may_change(key: str, value: Any) -> None:
    settings = changed(has(), nested(key, value), run=RUN, force=True)
    dumped = settings.model_dump(mode="json")
    for part in key.split("."):
        dumped = dumped[part]
    assert dumped == value
    assert changed(settings, {}, run=RUN) == settings


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        ("env", "blocksworld", 'env.id: found "blocksworld", the run has "webshop"'),
        ("env.catalogue", "x", 'env.catalogue: found "x", the run has null'),
        ("trainer", "grpo", 'trainer.id: found "grpo", the run has "ppo"'),
        ("trainer.episodes", 9, "trainer.episodes: found 9, the run has 8"),
        ("trainer.critic_warmup", 9, "trainer.critic_warmup: found 9, the run has 0"),
        ("trainer.whiten", False, "trainer.whiten: found false, the run has true"),
        ("trainer.loss", "cispo", 'trainer.loss: found "cispo", the run has "clip"'),
        ("model", "Qwen/Qwen3-0.6B", 'model.id: found "Qwen/Qwen3-0.6B", the run has "nano"'),
        ("model.width", 64, "model.width: found 64, the run has 96"),
        ("protocol", "tools", 'protocol.id: found "tools", the run has "plain"'),
        ("seed", 1, "seed: found 1, the run has 0"),
        ("rewards.success", 1.0, "rewards.success.weight: found 1.0, the run has 2.0"),
        ("rollout.temperature", 0.5, "rollout.temperature: found 0.5, the run has 1.0"),
        ("warm_start.until", 0.5, "warm_start.until: found 0.5, the run has 0.1"),
        ("output", "elsewhere", 'output: found "elsewhere", the run has "runs/mine"'),
    ],
)
def test_with_force_what_makes_it_another_run_is_refused_by_name(key: str, value: Any, told: str) -> None:
    with pytest.raises(ConfigError) as error:
        changed(has(), {**nested(key, value), "updates": 9}, run=RUN, force=True)
    assert str(error.value).startswith("what decides which run it is cannot change; leave out ")
    assert f"\n  {told}\n" in str(error.value)
    assert "updates" not in str(error.value)
    assert "begin a new run with another --output" in str(error.value)


@pytest.mark.parametrize("given", [{"updates": 9}, {"trainer": {"lam": 0.5}}, {"eval": {"every": 3}}])
def test_what_has_no_effect_any_more_is_refused(given: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="the training of runs/mine is over, and with it its optimizer; leave out"):
        changed(has(), given, run=RUN, force=True, is_trained=True)
    assert changed(has(), {"threads": 3}, run=RUN, force=True, is_trained=True).threads == 3


def nested(key: str, value: Any) -> dict[str, Any]:
    """As ``parse_flags`` has it.

    >>> nested("a.b", 1)
    {'a': {'b': 1}}
    """
    owner, _, rest = key.partition(".")
    if rest:
        return {owner: nested(rest, value)}
    return {owner: {"id": value}} if owner in ("env", "trainer", "model", "protocol") else {owner: value}
