"""A reward model from end to end: trained in a run, gone on with, and paid by in another run."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from agentgym import store
from agentgym.archive import FILE
from agentgym.critics.model import ModelCritic
from agentgym.errors import UserError
from agentgym.launch import resume, train
from tests.kit import BELL, Notes, metrics, one_thread, report

__all__ = ["one_thread"]

NANO = {"id": "nano", "width": 32, "feed_forward": 32}
SHORT: dict[str, Any] = {
    "env": BELL,
    "model": NANO,
    "rollout": {"max_reply_tokens": 4},
    "warm_start": {"max_updates": 3, "check_every": 3},
    "eval": {"episodes": 4, "validation_episodes": 4},
}
MODEL: dict[str, Any] = {
    **SHORT,
    "trainer": {"id": "reward-model", "groups": 4, "group_size": 4},
    "updates": 3,
    "checkpoint_seconds": 0,
    "rewards": {"turn-cost": 1},  # so that no episode is as good as any other, however little the policy knows
}


def scores(run: Path) -> list[float]:
    """Of the first train episodes of the run, by what it left."""
    episodes = [one for one in store.opened(run).episodes(stage="train") if one.split == "train"][:4]

    async def score() -> list[float]:
        critic = ModelCritic(run)
        await critic.open()
        return await critic.score(episodes)

    return asyncio.run(score())


def test_a_reward_model_is_trained_gone_on_with_and_paid_by(tmp_path: Path) -> None:
    run = train({**MODEL, "output": str(tmp_path / "model")})
    assert len(set(scores(run))) > 1
    assert all("loss" in line and "moments" in line for line in metrics(run, "train"))
    assert metrics(run, "validation") == []  # nobody looks at a policy that stays as it is
    assert list(report(run)["eval"]) == ["before"]  # its warm start is measured
    assert "The policy was not trained" in (run / "report.md").read_text()
    with pytest.raises(KeyboardInterrupt):
        train({**MODEL, "output": str(tmp_path / "again")}, reporter=Notes(interrupt="training", at=1))
    with pytest.raises(UserError, match="whose training is over"):
        asyncio.run(ModelCritic(tmp_path / "again").open())
    assert scores(resume(tmp_path / "again")) == scores(run)
    critic = {"weight": 0.5, "critic": {"id": "model", "model": str(run)}}
    settings = {"trainer": {"id": "grpo", "groups": 2, "group_size": 4}, "updates": 1, "rewards": {"critic": critic}}
    paid = train({**SHORT, **settings, "output": str(tmp_path / "paid")})
    episodes = [one for one in store.opened(paid).episodes(stage="train") if one.split == "train"]
    assert len(episodes) == 8
    given = [[turn.breakdown.get("critic") for turn in one.turns] for one in episodes]
    assert all(one[-1] and not any(one[:-1]) for one in given)


@pytest.mark.slow
def test_it_learns_from_a_file_without_playing(tmp_path: Path) -> None:
    played = train({**MODEL, "output": str(tmp_path / "played")})
    data = {"id": "reward-model", "groups": 4, "data": str(played), "held_out": 0.2, "check_every": 1}
    run = train(
        {
            **MODEL,
            "model": str(played),
            "trainer": data,
            "warm_start": {"enabled": False},
            "output": str(tmp_path / "r"),
        }
    )
    lines = metrics(run, "train")
    assert all({"held_out_agreement", "held_out_error"} <= line.keys() for line in lines)
    assert report(run)["eval"] == {}
    assert not (run / FILE).exists()
    assert (run / "reward_model").is_dir()
