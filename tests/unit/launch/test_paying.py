"""What an episode is paid for, in a word."""

from __future__ import annotations

from typing import Any

import pytest

from agentgym.errors import UserError
from agentgym.launch.paying import spelled_out
from agentgym.launch.resolving import resolve


def weights(env: str, reward: str, **more: Any) -> tuple[dict[str, float], dict[str, Any]]:
    settings = resolve({"env": env, "reward": reward, **more})
    return {name: each.weight for name, each in settings.rewards.items()}, settings.env.options


@pytest.mark.parametrize(
    ("env", "reward", "expected", "options"),
    [
        ("blocksworld", "sparse", {"withheld": 1.0, "success": 1.0}, {}),
        ("blocksworld", "dense", {"success": 0.0}, {"reward": "dense"}),
        ("bfcl", "dense", {"success": 0.0}, {"reward": "progress"}),
        ("webshop", "turn-cost=0.5", {"success": 0.0, "withheld": 1.0, "turn-cost": 0.5}, {}),
        ("webshop", "environment=1, success=3", {"success": 3.0}, {}),
        ("webshop", "environment=0.25", {"success": 0.0, "withheld": 0.75}, {}),
    ],
)
def test_a_word_settles_all_of_it(env: str, reward: str, expected: dict[str, float], options: dict[str, Any]) -> None:
    assert weights(env, reward) == (expected, options)


def test_a_model_that_is_loaded_has_no_rewards_by_itself_and_the_word_means_the_same() -> None:
    def learned_from(model: str) -> dict[str, float]:
        given = spelled_out({"env": {"id": "blocksworld"}, "model": {"id": model}, "reward": "sparse"})
        return {name: each["weight"] for name, each in given["rewards"].items() if each["weight"]}

    assert learned_from("nano") == learned_from("Qwen/Qwen3-0.6B") == {"withheld": 1.0, "success": 1.0}


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"reward": "dens"}, 'found "dens" in "dens", expected dense, sparse, or each name once with a number'),
        ({"reward": "success=1,success=2"}, 'found "success=2"'),
        ({"reward": "success=nan"}, 'found "success=nan"'),
        ({"reward": "=1"}, 'found "=1"'),
        ({"reward": 3}, "reward is 3, expected"),
        ({"reward": "sparse", "rewards": {"success": 2}}, '"reward" is short for "rewards", and both are given'),
        ({"reward": "dense", "env": {"id": "blocksworld", "reward": "sparse"}}, "settles env.reward, which is given"),
        ({"reward": "dense", "env": "webshop"}, 'the environment "webshop" has one way to pay; type --reward sparse'),
        ({"reward": "nosuch=1"}, 'unknown reward "nosuch"'),
    ],
)
def test_what_cannot_be_read_is_told(given: dict[str, Any], told: str) -> None:
    with pytest.raises(UserError) as caught:
        resolve({"env": "blocksworld", **given})
    assert told in str(caught.value)
