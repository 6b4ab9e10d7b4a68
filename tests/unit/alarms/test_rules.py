"""What the alarms watch, what they advise, and which of them may be left out."""

from __future__ import annotations

import re
from typing import Any

import pytest
from pydantic import ValidationError

from agentgym.alarms import RULES, AlarmSettings
from agentgym.launch.settings import TrainSettings
from agentgym.registry import plugins


def test_names_to_ignore_are_checked() -> None:
    with pytest.raises(ValidationError, match=r'no alarm "forgeting"\. Did you mean .?forgetting'):
        AlarmSettings(ignore=["forgeting"])


def test_advice_names_settings_that_exist() -> None:
    known = set(TrainSettings.model_fields)
    for name, field in TrainSettings.model_fields.items():
        known |= {f"{name}.{inner}" for inner in getattr(field.annotation, "model_fields", ())}
    for id in plugins("trainers").ids():
        factory: Any = plugins("trainers").get(id)
        known |= {f"trainer.{inner}" for inner in factory.Settings.model_fields}
    named = {key for rule in RULES for key in re.findall(r"--([a-z_.]+[a-z])", rule.advice)}
    assert "trainer.learning_rate" in named
    assert named <= known


# name: (stage, metric, what is to be changed and how)
TOLD: dict[str, tuple[str, str, list[str]]] = {
    "entropy_collapse": (
        "train", "sampled_entropy",
        ["raise trainer.clip_high", "raise trainer.entropy_coefficient", "lower trainer.learning_rate"],
    ),
    "steps_too_large": (
        "train", "old_kl", ["lower trainer.learning_rate", "lower trainer.epochs", "lower trainer.minibatches"],
    ),
    "far_from_reference": (
        "train", "reference_kl", ["raise trainer.kl_coefficient", "lower trainer.learning_rate"],
    ),
    "kl_runs_away": ("train", "reference_kl", ["raise trainer.kl_coefficient", "lower trainer.learning_rate"]),
    "clipped_too_often": (
        "train", "clip_fraction",
        ["lower trainer.learning_rate", "lower trainer.epochs", "lower trainer.minibatches",
         "widen trainer.clip_low", "widen trainer.clip_high"],
    ),
    "tasks_too_easy": ("train", "informative_groups", ["raise trainer.group_size"]),
    "tasks_too_hard": (
        "train", "informative_groups", ["raise warm_start.until", "raise trainer.group_size", "add rewards"],
    ),
    "policy_is_lost": ("train", "informative_groups", ["lower trainer.learning_rate"]),
    "replies_are_cut": ("train", "reply_fill", ["raise rollout.max_reply_tokens"]),
    "replies_explode": ("train", "tokens_per_reply", ["choose trainer.aggregation", "lower rollout.max_reply_tokens"]),
    "replies_shrink": ("train", "tokens_per_reply", ["lower trainer.learning_rate", "raise trainer.kl_coefficient"]),
    "truncated_more_often": ("train", "truncated", ["raise rollout.max_turns", "add rewards"]),
    "invalid_more_often": (
        "train", "invalid", ["lower trainer.learning_rate", "limit rollout.max_invalid_actions"],
    ),
    "gradient_explodes": ("train", "grad_norm", ["lower trainer.learning_rate", "lower trainer.max_grad_norm"]),
    "weights_did_not_move": ("train", "moved", ["raise trainer.learning_rate"]),
    "refused_update": ("train", "refused", ["lower trainer.learning_rate"]),
    "sampler_disagrees": ("train", "mismatch", ["add trainer.correction"]),
    "engine_is_stale": ("train", "engine_gap", []),
    "samples_too_old": ("train", "staleness", ["lower max_staleness", "add trainer.correction"]),
    "void_episodes": ("train", "void_share", []),
    "judges_fail": ("train", "unshaped_share", ["raise rollout.shaping_seconds"]),
    "success_collapse": ("validation", "success", ["lower trainer.learning_rate", "higher trainer.kl_coefficient"]),
    "reward_collapse": ("validation", "reward", ["lower trainer.learning_rate", "higher trainer.kl_coefficient"]),
    "forgetting": (
        "validation", "forward_kl", ["raise trainer.kl_coefficient", "lower trainer.learning_rate", "fewer updates"],
    ),
}  # fmt: skip
VERBS = ("raise", "lower", "widen", "add", "limit", "choose", "higher", "fewer")


def test_what_each_rule_watches_and_which_way_its_advice_goes() -> None:
    assert {rule.name: (rule.stage, rule.metric, advised(rule.advice)) for rule in RULES} == TOLD


def advised(text: str) -> list[str]:
    """Each setting in a text with the verb that it stands behind."""
    found, verb = [], ""
    for word in re.findall(r"--[a-z_.]+[a-z]|[a-z]+", text):
        verb = word if word in VERBS else verb
        if word.startswith("--"):
            found.append(f"{verb} {word.removeprefix('--')}")
    return found


def test_what_has_no_setting_says_what_to_do() -> None:
    advice = {rule.name: rule.advice for rule in RULES}
    assert "restart the run" in advice["engine_is_stale"]
    assert "type agentgym doctor" in advice["void_episodes"]
    assert "stop here, choose harder tasks" in advice["tasks_too_easy"]
    assert "choose easier tasks" in advice["tasks_too_hard"]
    assert "--trainer.correction truncate" in advice["sampler_disagrees"]
    assert "--trainer.correction truncate" in advice["samples_too_old"]


def test_all_names_to_ignore_are_taken_in_their_order() -> None:
    assert AlarmSettings(ignore=["forgetting", "judges_fail"]).ignore == ["forgetting", "judges_fail"]
    assert AlarmSettings().ignore == []
    with pytest.raises(ValidationError, match=r'no alarm "nonsense"\. Known: entropy_collapse, steps_too_large, '):
        AlarmSettings(ignore=["forgetting", "nonsense"])
