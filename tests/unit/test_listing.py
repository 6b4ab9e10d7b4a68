from __future__ import annotations

import importlib
import io
import json
from typing import Any

import pytest
from rich.console import Console

import agentgym
from agentgym import listing
from agentgym.errors import UnknownIdError
from agentgym.extras import require
from agentgym.registry import Registry


def test_webshop_is_listed_with_its_tasks() -> None:
    (webshop,) = listing.environments(["webshop"])
    assert webshop.tasks is not None
    assert webshop.tasks["test"] == 500
    assert webshop.has_expert
    assert webshop.restored_by == "native"
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
    assert row[1:6] == ["text", "seeds", "none", "no", "replay"]
    assert " ".join(row[6:]) == "An environment without anything."


class Heavy(Plain):
    """Needs much."""

    kind = "game"
    extra = "lora"

    def __init__(self) -> None:
        require("module_that_nobody_has", extra="lora")


def test_a_missing_extra_is_told_with_its_install_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing, "plugins", lambda kind: plugins_of(heavy=lambda: Heavy, plain=lambda: Plain))
    heavy, plain = listing.environments()
    assert (heavy.kind, heavy.extra, heavy.is_installed) == ("game", "lora", False)
    assert heavy.problem.endswith("type: pip install 'agentgym-lab[lora]'")
    assert (plain.problem, plain.is_installed) == ("", True)
    out = io.StringIO()
    Console(file=out, width=200).print(listing.environments_table([heavy, plain]))
    assert "lora (missing)" in out.getvalue()
    assert listing.measured(heavy, 3) == heavy


def test_an_extra_that_is_not_installed_is_seen_without_its_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing, "_requirements", lambda: [("package-that-nobody-has", "zoo"), ("pytest", "farm")])
    assert listing._lacking("zoo") == ["package-that-nobody-has"]
    assert listing._lacking("farm") == []
    assert listing._lacking("") == []


def test_measuring_plays_the_first_test_tasks() -> None:
    (blocks,) = listing.environments(["blocksworld"])
    told: list[tuple[int, float]] = []
    played = listing.measured(blocks, 5, on_episode=lambda done, rate: told.append((done, rate)))
    assert played.expert_success is not None
    assert played.random_success is not None
    # Wilson's interval of 5 of 5 begins at 1 / (1 + z²/n)
    assert played.expert_success == listing.Rate(won=5, episodes=5, ci95=(round(1 / (1 + 1.959964**2 / 5), 4), 1.0))
    assert str(played.expert_success) == "1.00 [0.57, 1.00]"
    assert [done for done, _ in told] == [1, 2, 3, 4, 5] * 2
    (said,) = json.loads(listing.as_json([played]))
    assert said["expert_success"] == {"won": 5, "episodes": 5, "ci95": [0.5655, 1.0]}
    out = io.StringIO()
    Console(file=out, width=200).print(listing.environments_table([played]))
    assert "1.00 [0.57, 1.00]" in out.getvalue()


def test_what_breaks_while_it_is_measured_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    class Breaks(Plain):
        def reset(self, **_: Any) -> tuple[str, dict[str, Any]]:
            return "Go.", {}

        def step(self, action: str) -> Any:
            raise ZeroDivisionError("oops")

    monkeypatch.setattr(listing, "EnvFactory", lambda id: Breaks)
    assert listing.measured(listing.Listed(id="breaks"), 2).problem == "ZeroDivisionError: oops"


def test_an_unknown_id_is_refused() -> None:
    with pytest.raises(UnknownIdError, match='Did you mean "webshop"'):
        listing.environments(["webshp"])
