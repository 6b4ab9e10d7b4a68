"""Sampler and learner that compute in different types: the difference is measured, and the loss corrected for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from agentgym.launch import train
from tests.integration.finished import SETTINGS
from tests.kit import Notes, metrics

TYPES: dict[str, dict[str, Any]] = {
    "engine in bfloat16": {"engine": {"id": "embedded", "dtype": "bfloat16"}},
    "learner in bfloat16": {"trainer": {**SETTINGS["trainer"], "precision": "bfloat16"}},
}


@pytest.mark.slow
@pytest.mark.parametrize("which", TYPES)
def test_what_the_types_differ_by_is_measured_and_corrected(which: str, tmp_path: Path) -> None:
    given = {**SETTINGS, **TYPES[which], "updates": 2, "output": tmp_path / "run"}
    given["trainer"] = {**given["trainer"], "correction": "truncate"}
    notes = Notes()
    learned = [line for line in metrics(train(given, reporter=notes), "train") if "loss" in line]
    assert learned
    for line in learned:
        assert 1e-6 < line["mismatch"] < 5e-2
        assert line["mismatch_kl"] > 0
        assert line["mismatch_weight"] != 1
        assert line["mismatch_weight"] == pytest.approx(1, abs=5e-2)
    assert not [alarm for alarm in notes.alarms if "mismatch" in alarm or "engine" in alarm]
