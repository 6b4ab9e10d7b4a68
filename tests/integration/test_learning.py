"""Learning is real: it comes from the reward, and from nothing else."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from agentgym.launch import train
from tests.kit import BELL, ROOT, Notes, metrics, report

CURVES = ROOT / "tests" / "golden" / "curves"

GRPO = {"groups": 8, "group_size": 8, "learning_rate": 1e-3, "warmup_updates": 5, "aggregation": "sequence"}
SETTINGS: dict[str, Any] = {
    "env": BELL,
    "trainer": {"id": "grpo", **GRPO},
    "updates": 16,
    "rollout": {"max_reply_tokens": 4},
    "warm_start": {"max_updates": 20, "check_every": 20},
    "eval": {"episodes": 60, "validation_episodes": 40, "every": 8},
}

SHUFFLED = '''
"""GRPO that is told the truth about rewards, only not about whose they are."""

import numpy as np

import agentgym
from agentgym.trainers.grpo import GRPO


@agentgym.register
class Shuffled(GRPO):
    """Rewards change places among all episodes of the batch."""

    def lesson(self, update, trajectories):
        order = np.random.default_rng(len(trajectories)).permutation(len(trajectories))
        turns = [trajectories[i].turns for i in order]
        return super().lesson(update, [t.model_copy(update={"turns": other}) for t, other in zip(trajectories, turns)])
'''

NEWCOMER = '''
import agentgym


@agentgym.register
class Mine(agentgym.Env):
    """Say the right one of two words."""

    def reset(self, *, seed=None, options=None):
        return "Say red or blue.", {}

    def step(self, action):
        return "Thank you.", REWARD, True, False, {}
'''


@pytest.fixture(scope="module")
def learned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train({**SETTINGS, "output": tmp_path_factory.mktemp("learned") / "run"})


@pytest.fixture(scope="module")
def shuffled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("shuffled")
    (directory / "shuffled.py").write_text(SHUFFLED)
    trainer = {"id": f"{directory}/shuffled.py:Shuffled", **GRPO}
    return train({**SETTINGS, "trainer": trainer, "output": directory / "run"})


def test_grpo_raises_success(learned: Path) -> None:
    result = report(learned)["eval"]
    assert result["after"]["success"] >= result["before"]["success"] + 0.25
    assert result["after"]["ci95"][0] > result["before"]["ci95"][1]
    assert result["after"]["reward"] > result["before"]["reward"] + 0.1


@pytest.mark.slow
def test_with_shuffled_rewards_nothing_is_learned(shuffled: Path, learned: Path) -> None:
    result, honest = report(shuffled)["eval"], report(learned)["eval"]
    assert result["before"] == honest["before"]  # the same policy, from the same warm start
    assert sum("loss" in line for line in metrics(shuffled, "train")) >= 12  # it did train
    assert result["after"]["success"] <= result["before"]["success"] + 0.1
    assert result["after"]["success"] < honest["after"]["success"] - 0.2
    first, last = (metrics(shuffled, "validation")[i]["reward"] for i in (0, -1))
    assert last <= first + 0.1
    assert metrics(learned, "validation")[-1]["reward"] > metrics(learned, "validation")[0]["reward"] + 0.1


def newcomer(directory: Path, reward: str) -> dict[str, Any]:
    file = directory / f"mine_{len(reward)}.py"  # its name is its id
    file.write_text(NEWCOMER.replace("REWARD", reward))
    return {
        "env": f"{file}:Mine",
        "model": {"id": "nano", "width": 48},
        "trainer": {"id": "grpo", "groups": 4, "group_size": 32, "learning_rate": 5e-3, "warmup_updates": 0},
        "rollout": {"max_reply_tokens": 4},
        "eval": {"episodes": 40, "validation_episodes": 20, "every": 5},
        "updates": 15,
        "output": directory / "run",
    }


@pytest.mark.slow
def test_a_newcomers_environment_without_expert_is_learned_from_nothing(tmp_path: Path) -> None:
    run = train(newcomer(tmp_path, "float('blue' in action)"))
    result = report(run)
    assert "warm_start" not in result["stages"]
    assert result["eval"]["before"]["reward"] < 0.2
    assert result["eval"]["after"]["reward"] > 0.6


def test_a_reward_that_never_varies_is_told(tmp_path: Path) -> None:
    reporter = Notes()
    run = train({**newcomer(tmp_path, "0.0"), "updates": 2}, reporter=reporter)
    assert [note for note in reporter.notes if note.startswith("nothing was learned: ")]
    assert [line["informative_groups"] for line in metrics(run, "train")] == [0, 0]
    assert report(run)["eval"]["after"]["reward"] == 0


RISING: dict[str, dict[str, Any]] = {
    "rloo": {"groups": 8, "group_size": 8, "learning_rate": 1e-3, "warmup_updates": 5},
    "ppo": {"episodes": 64, "learning_rate": 5e-4, "critic_learning_rate": 2e-3, "warmup_updates": 5},
    "dpo": {"groups": 8, "group_size": 8, "learning_rate": 3e-4, "warmup_updates": 5, "pairs": "steps"},
}


@pytest.mark.slow
@pytest.mark.parametrize("trainer", RISING)
def test_the_other_trainers_raise_success_too(trainer: str, learned: Path, tmp_path: Path) -> None:
    run = train({**SETTINGS, "trainer": {"id": trainer, **RISING[trainer]}, "output": tmp_path / "run"})
    result = report(run)["eval"]
    assert result["before"] == report(learned)["eval"]["before"]  # the same warm start
    assert result["after"]["success"] >= result["before"]["success"] + 0.2
    assert result["after"]["ci95"][0] > result["before"]["ci95"][1]


TINY: dict[str, dict[str, Any]] = {
    "sft": {"learning_rate": 0.01, "warmup_updates": 0},
    "grpo": {"groups": 4, "group_size": 6},
    "rloo": {"groups": 4, "group_size": 6, "kl_coefficient": 0.05},
    "ppo": {"episodes": 16},
    "dpo": {"groups": 4, "group_size": 6, "replay": 1},
    "mixed": {"groups": 4, "group_size": 6},
    "cory": {"groups": 3, "group_size": 4, "swap_every": 2},
    "agent-q": {"groups": 4, "group_size": 6},
    "reward-model": {"groups": 4, "group_size": 6},
}


def test_every_trainer_has_a_golden_curve() -> None:
    trainers = {file.stem.replace("_", "-") for file in (ROOT / "trainers").glob("[!_]*.py")}
    assert set(TINY) == trainers == {file.stem for file in CURVES.glob("*.txt")}


@pytest.fixture
def double() -> Iterator[None]:
    """Processors add in different orders. In double precision no choice of a token depends on that."""
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


@pytest.mark.parametrize(
    "trainer", [t if t in ("grpo", "ppo") else pytest.param(t, marks=pytest.mark.slow) for t in TINY]
)
@pytest.mark.usefixtures("double")
def test_golden_curve(trainer: str, tmp_path: Path) -> None:
    given: dict[str, Any] = {
        "env": BELL,
        "model": {"id": "nano", "width": 32, "feed_forward": 32},
        "trainer": {"id": trainer, **TINY[trainer]},
        "rollout": {"max_reply_tokens": 3},
        "eval": {"episodes": 5, "validation_episodes": 5, "every": 6},
        "updates": 6,
        "output": tmp_path / "run",
    }
    if trainer != "sft":
        given["warm_start"] = {"max_updates": 10, "check_every": 5, "learning_rate": 0.02, "warmup_updates": 0}
    lines = metrics(train(given), "train")
    names = ("success", "reward", "loss", "entropy", "grad_norm")
    shown = "".join(
        f"{line['update']} " + " ".join(f"{name} {line.get(name, 0) + 5e-8:.4f}" for name in names) + "\n"
        for line in lines
    )  # the little more keeps a loss of 0, which GRPO's is on-policy, from showing as -0
    assert len({line.get("grad_norm") for line in lines}) > 4
    file = CURVES / f"{trainer}.txt"
    if os.environ.get("AGENTGYM_GOLDEN") == "write":
        file.write_text(shown)
    assert numbers(shown) == pytest.approx(numbers(file.read_text()), abs=2e-4), shown


def numbers(shown: str) -> list[float]:
    """Without their names; processors round the last of their digits each in its way."""
    return [float(word) for word in shown.split() if not word.isalpha() and "_" not in word]
