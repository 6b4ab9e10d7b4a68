"""Variables that are set for a while."""

from __future__ import annotations

import os

import pytest

from agentgym.variables import variables_set


def test_variables_are_put_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGENTGYM_ONE", "1")
    with variables_set({"AGENTGYM_ONE": "2", "AGENTGYM_TWO": "2"}):
        assert (os.environ["AGENTGYM_ONE"], os.environ["AGENTGYM_TWO"]) == ("2", "2")
    assert os.environ["AGENTGYM_ONE"] == "1"
    assert "AGENTGYM_TWO" not in os.environ
