from __future__ import annotations

import importlib
import io
from typing import Any

import pytest
from rich.console import Console

import agentgym
from agentgym import listing
from agentgym.registry import Registry


def test_webshop_is_listed_with_its_tasks() -> None:
    (webshop,) = (env for env in listing.environments() if env.id == "webshop")
    assert webshop.tasks is not None
    assert webshop.tasks["test"] == 500
    assert webshop.has_expert
    assert webshop.has_native_snapshot
    assert webshop.about.startswith("Buy what the instruction asks for")


class Plain(agentgym.Env):
    """An environment without anything.

    Its tasks are seeds.
    """


class Picky(Plain):
    def tasks(self, split: str) -> list[int]:
        return [int(importlib.import_module("docker_that_nobody_has").tasks)]


def plugins_of(**loaders: Any) -> Registry:
    """A registry whose plug-ins come from these functions."""

    class Fake(Registry):
        def ids(self) -> list[str]:
            return sorted(loaders)

        def get(self, id: str) -> Any:
            return loaders[id]()

    return Fake("environments", "agentgym.environments")


def fails_with(error: Exception) -> Any:
    def load() -> Any:
        raise error

    return load


def test_what_cannot_be_used_is_listed_with_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    registry = plugins_of(
        textworld=fails_with(ImportError("No module", name="textworld.core")),
        zoo=fails_with(ImportError("No module", name="zookeeper")),
        lora=fails_with(ImportError("No module", name="peft")),
        broken=fails_with(ZeroDivisionError("oops\nmore")),
        picky=lambda: Picky,
        plain=lambda: Plain,
        thing=lambda: 3,
    )
    monkeypatch.setattr(listing, "plugins", lambda kind: registry)
    found = {env.id: env.problem for env in listing.environments()}
    assert found["textworld"] == "needs textworld: pip install 'agentgym-lab[textworld]'"
    assert found["lora"] == "needs peft: pip install 'agentgym-lab[lora]'"
    assert found["zoo"] == "needs zookeeper: pip install zookeeper"
    assert found["broken"] == "ZeroDivisionError: oops"
    assert found["picky"] == "needs docker_that_nobody_has: pip install docker_that_nobody_has"
    assert found["thing"] == "not a subclass of agentgym.Env"
    assert found["plain"] == ""
    out = io.StringIO()
    Console(file=out, width=120).print(listing.environments_table())
    (row,) = (line.split() for line in out.getvalue().splitlines() if line.startswith("plain"))
    assert row[1:6] == ["seeds", "seeds", "seeds", "no", "replay"]
    assert " ".join(row[6:]) == "An environment without anything."
