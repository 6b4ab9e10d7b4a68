"""Settings that decide others, and those that are refused together."""

from __future__ import annotations

from typing import Any

import pytest

from agentgym.errors import ConfigError
from agentgym.launch.resolving import resolve
from agentgym.launch.settings import TrainSettings


def settings(**given: Any) -> TrainSettings:
    return resolve({"env": "webshop", **given})


# -- a budget --------------------------------------------------------------------------------------------


def test_a_budget_pays_for_demonstrations_and_then_for_updates() -> None:
    chosen = settings(
        recipe={"budget": 1000, "demonstrations": 50, "demonstration_cost": 4, "passes": 3},
        trainer={"groups": 4, "group_size": 8},
    )
    assert chosen.updates == 25  # (1000 - 50 * 4) / (4 * 8)
    warm = chosen.warm_start
    assert (warm.enabled, warm.demonstrations, warm.until) == (True, 50, 1.0)
    assert (warm.max_updates, warm.check_every) == (19, 19)  # 3 * 50 / 8, rounded up


def test_an_update_that_is_not_paid_for_in_full_is_not_made() -> None:
    recipe = {"budget": 95, "demonstrations": 0}
    chosen = settings(recipe=recipe, trainer={"groups": 4, "group_size": 8})
    assert (chosen.updates, chosen.warm_start.enabled) == (2, False)


def test_demonstrations_may_cost_the_whole_budget_and_no_more() -> None:
    assert settings(recipe={"budget": 60, "demonstrations": 6}).updates == 0
    told = r"7 demonstrations cost 70, the budget is 69\.5; type --recipe\.demonstrations 6 or less"
    with pytest.raises(ConfigError, match=told):
        settings(recipe={"budget": 69.5, "demonstrations": 7})


@pytest.mark.parametrize("key", ["demonstrations", "demonstration_cost", "passes"])
def test_without_a_budget_the_rest_of_a_recipe_is_refused(key: str) -> None:
    with pytest.raises(ConfigError, match=f"recipe.{key} has no effect without recipe.budget"):
        settings(recipe={key: 3})


@pytest.mark.parametrize(
    ("key", "given"),
    [
        ("updates", {"updates": 3}),
        ("warm_start.enabled", {"warm_start": {"enabled": True}}),
        ("warm_start.demonstrations", {"warm_start": {"demonstrations": 3}}),
        ("warm_start.max_updates", {"warm_start": {"max_updates": 3}}),
        ("warm_start.until", {"warm_start": {"until": 0.5}}),
    ],
)
def test_what_a_budget_decides_cannot_be_given_beside_it(key: str, given: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=f"{key} has no effect: recipe.budget decides it"):
        settings(recipe={"budget": 1000}, **given)
    assert settings(recipe={"budget": 1000}, warm_start={"learning_rate": 0.5}).warm_start.learning_rate == 0.5


# -- playing ahead ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("mode", "staleness"), [("async", 1), ("fully-async", 2)])
def test_a_mode_brings_its_staleness_and_a_correction(mode: str, staleness: int) -> None:
    chosen = settings(mode=mode)
    assert chosen.max_staleness == staleness
    assert chosen.trainer.options["correction"] == "truncate"
    own = settings(mode=mode, max_staleness=5, trainer={"correction": "mask"})
    assert (own.max_staleness, own.trainer.options["correction"]) == (5, "mask")


def test_in_turns_there_is_no_staleness_and_no_correction() -> None:
    chosen = settings()
    assert chosen.max_staleness is None
    assert "correction" not in chosen.trainer.options
    assert settings(trainer={"correction": "none"}).trainer.options["correction"] == "none"
    with pytest.raises(ConfigError, match="max_staleness has no effect with mode sync"):
        settings(max_staleness=1)


@pytest.mark.parametrize("mode", ["async", "fully-async"])
def test_playing_ahead_without_a_correction_is_refused(mode: str) -> None:
    with pytest.raises(ConfigError, match=f"mode {mode} learns from episodes of older weights, which the loss must"):
        settings(mode=mode, trainer={"correction": "none"})


def test_a_trainer_that_cannot_play_ahead_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"the trainer sft plays what depends on .*; type: --mode sync"):
        settings(mode="async", trainer="sft")


# -- which tokens may be sampled -------------------------------------------------------------------------


@pytest.mark.parametrize(("key", "value"), [("top_p", 0.9), ("top_k", 5), ("min_p", 0.1)])
def test_training_samples_from_the_whole_vocabulary(key: str, value: float) -> None:
    with pytest.raises(ConfigError, match=rf"rollout\.{key} {value} cannot be trained with"):
        settings(rollout={key: value})


def test_filters_that_filter_nothing_are_fine() -> None:
    assert settings(rollout={"top_p": 1.0, "top_k": 0, "min_p": 0.0}).rollout.top_p == 1.0


# -- what is paid beside the environment -----------------------------------------------------------------


@pytest.mark.parametrize("trainer", [{"id": "ppo"}, {"id": "sft"}])
def test_a_reward_that_compares_episodes_needs_groups(trainer: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match=r"rewards\.pairwise-judge has no effect: .* the trainer (ppo|sft) plays one"):
        settings(trainer=trainer, rewards={"pairwise-judge": {"rubric": "Be kind."}})


@pytest.mark.parametrize("trainer", ["cory", "dpo", "grpo", "mixed", "rloo"])
def test_a_trainer_that_plays_groups_takes_it(trainer: str) -> None:
    rewards = {"pairwise-judge": {"rubric": "Be kind."}, "turn-cost": 1.0}
    assert settings(trainer=trainer, rewards=rewards).rewards.keys() >= rewards.keys()
    pair = settings(trainer={"id": "grpo", "group_size": 2}, rewards=rewards)
    assert pair.rewards.keys() >= rewards.keys()
    assert settings(trainer="ppo", rewards={"turn-cost": 1.0}).rewards.keys() >= {"turn-cost"}
