"""One finished run for every test that needs any: trained once a worker, and never written to."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from agentgym.launch import train
from tests.kit import BELL

__all__ = ["SETTINGS", "finished"]

SETTINGS: dict[str, Any] = {
    "env": BELL,
    "model": {"id": "nano", "width": 32, "feed_forward": 32},
    "trainer": {"id": "grpo", "groups": 3, "group_size": 6},
    "rollout": {"max_reply_tokens": 3},
    "warm_start": {"max_updates": 12, "check_every": 4, "learning_rate": 0.02, "warmup_updates": 0, "until": 0.9},
    "eval": {"episodes": 6, "validation_episodes": 4, "every": 2},
    "updates": 4,
    "keep_checkpoints": 3,
}


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its directory."""
    return train({**SETTINGS, "output": tmp_path_factory.mktemp("finished") / "run"})
