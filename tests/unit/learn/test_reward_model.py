"""A reward model on disk, and what it cannot read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from agentgym.errors import DataError, UserError
from agentgym.learn.batch import microbatches
from agentgym.learn.critic import Critic, values
from agentgym.learn.policy import Policy
from agentgym.learn.reward_model import REWARD_MODEL, RewardModel, leave, marked
from agentgym.types import Trajectory
from agentgym.weights import clone, weights_of
from tests.kit import chat, one_thread, tiny_model
from tests.unit.trainers.readable import cut, readable

__all__ = ["one_thread"]


def run_with(directory: Path, *, fingerprint: str = "") -> tuple[Path, Critic]:
    """A run, and the critic with a head that says something which is left in it."""
    policy = Policy(tiny_model(vocab_size=len(chat().hf)), chat())
    policy.save(directory / "policy")
    critic = Critic(clone(policy.module))
    torch.nn.init.constant_(critic.head.weight, 0.25)
    (directory / "config.json").write_text("{}")
    leave(directory, weights_of(critic), {"tokenizer": fingerprint or chat().fingerprint, "loss": "mse"})
    return directory, critic


def episodes(num: int = 3) -> list[Trajectory]:
    return [one for task in range(num) for one in readable(task, num=1, num_turns=1 + task)]


def test_an_episode_is_read_at_its_last_reply(tmp_path: Path) -> None:
    """As training reads it, where a token is marked that stands behind it."""
    run, critic = run_with(tmp_path)
    found = RewardModel.load(run).scores(episodes())
    for one, score in zip(episodes(), found, strict=True):
        (whole,) = one.samples
        row = marked(whole, {len(whole.token_ids) - 1: 0.0})
        (batch,) = microbatches([row], [1.0], max_tokens=100)
        assert values(critic, batch).item() == pytest.approx(score, abs=1e-5)
    assert len(set(found)) == 3


def test_what_is_shown_after_the_last_reply_counts_for_nothing(tmp_path: Path) -> None:
    model = RewardModel.load(run_with(tmp_path)[0])
    (one,) = readable(1, num=1, num_turns=3)
    (whole,) = one.samples
    begun = whole.loss_mask.copy()
    begun[-2:] = False  # the third reply, as if somebody had shown it
    shown = one.model_copy(update={"samples": [whole.model_copy(update={"loss_mask": begun})]})
    assert model.scores([shown]) == pytest.approx(model.scores([cut(one, 2)]), abs=1e-6)


def test_a_batch_scores_as_each_alone(tmp_path: Path) -> None:
    model = RewardModel.load(run_with(tmp_path)[0], max_tokens=8)
    assert model.scores(episodes()) == pytest.approx([model.scores([one])[0] for one in episodes()], abs=1e-5)


def test_where_there_is_no_reward_model(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"nothing is no run; expected the directory of one that was trained with"):
        RewardModel.load(tmp_path / "nothing")
    Policy(tiny_model(vocab_size=len(chat().hf)), chat()).save(tmp_path / "policy")
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(UserError, match="is a run without a reward model"):
        RewardModel.load(tmp_path)


def test_a_damaged_one_is_refused(tmp_path: Path) -> None:
    run, _ = run_with(tmp_path)
    file = run / REWARD_MODEL / "about.json"
    file.write_text(json.dumps({"tokenizer": "other"}))
    with pytest.raises(DataError, match=r"about\.json"):
        RewardModel.load(run)


def test_one_of_another_vocabulary_than_its_policy_is_refused(tmp_path: Path) -> None:
    run, _ = run_with(tmp_path, fingerprint="other")
    with pytest.raises(DataError, match=r"reads the tokens of another tokenizer \(other\) than the run's policy has"):
        RewardModel.load(run)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"tokenizer": "other"}, r"those of another tokenizer \(other\), the reward model reads"),
        ({"tokenizer": ""}, r"those of another tokenizer \(unknown\)"),
        ({"samples": []}, "has no token that was said"),
    ],
)
def test_what_it_cannot_read(changes: dict[str, Any], says: str, tmp_path: Path) -> None:
    model = RewardModel.load(run_with(tmp_path)[0])
    with pytest.raises(DataError, match=says):
        model.scores([episodes()[0].model_copy(update=changes)])
