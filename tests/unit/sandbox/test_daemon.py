"""What the engine is asked, and what its answers mean."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from agentgym.sandbox.daemon import Daemon


def test_one_that_is_listed_without_a_name_has_been_removed(monkeypatch: pytest.MonkeyPatch) -> None:
    def containers(**asked: Any) -> list[dict[str, Any]]:
        assert asked == {"all": True, "filters": {"label": "mine"}}
        return [{"Id": "here", "Names": ["/a"]}, {"Id": "gone", "Names": []}]

    monkeypatch.setattr(Daemon, "__init__", lambda self: None)
    engine = Daemon()
    engine.client = SimpleNamespace(containers=containers)
    assert [container["Id"] for container in engine.containers("mine")] == ["here"]
