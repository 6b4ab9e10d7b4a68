"""What ``agentgym envs`` lists, of whatever is registered and however it fails."""

from __future__ import annotations

import email.message
import importlib
import importlib.metadata
import io
import json
import re
from typing import Any, ClassVar

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
    assert re.fullmatch(r"ZeroDivisionError: oops \(tests/unit/test_listing\.py:\d+\)", found["broken"])
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
    wanted = ["pytest>=7; extra == 'farm'", "package-that-nobody-has (>1) ; extra == 'zoo'", "pytest; extra == 'zoo'"]
    wanted += ["another-that-nobody-has"]  # which everybody needs
    monkeypatch.setattr(listing, "metadata", lambda name: requiring(*wanted) if name == "agentgym-lab" else None)
    kinds = {extra: type("Kind", (Plain,), {"extra": extra}) for extra in ("zoo", "farm", "")}
    monkeypatch.setattr(
        listing,
        "plugins",
        lambda kind: plugins_of(**{f"of_{extra}": lambda kind=kind: kind for extra, kind in kinds.items()}),
    )
    found = {env.id: (env.extra, env.is_installed, env.problem) for env in listing.environments()}
    assert found == {"of_zoo": ("zoo", False, ""), "of_farm": ("farm", True, ""), "of_": ("", True, "")}


def requiring(*requirements: str) -> Any:
    """What the metadata of a distribution say of others."""
    about = email.message.Message()
    for requirement in requirements:
        about["Requires-Dist"] = requirement
    return about


def test_a_module_is_asked_for_by_the_extra_that_brings_it(monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = ["Two-Words>=1; extra == 'talk'", "animals; extra == 'zoo'"]
    monkeypatch.setattr(listing, "metadata", lambda name: requiring(*wanted))
    loaders = {
        "speaker": fails_with(ImportError("No module", name="two_words.deep")),
        "zoo": fails_with(ImportError("No module", name="keepers")),
        "other": fails_with(ImportError("No module", name="keepers")),
        "nameless": fails_with(ImportError("cannot import name")),
    }
    monkeypatch.setattr(listing, "plugins", lambda kind: plugins_of(**loaders))
    found = {env.id: (env.problem, env.is_installed) for env in listing.environments()}
    assert found["speaker"] == ("needs two_words: pip install 'agentgym-lab[talk]'", False)
    assert found["zoo"] == ("needs keepers: pip install 'agentgym-lab[zoo]'", False)
    assert found["other"] == ("needs keepers: pip install keepers", False)


def test_where_the_distribution_is_not_installed_no_extra_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(name: str) -> Any:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(listing, "metadata", unknown)
    monkeypatch.setattr(listing, "plugins", lambda kind: plugins_of(heavy=fails_with(ImportError("No", name="peft"))))
    (env,) = listing.environments()
    assert env.problem == "needs peft: pip install peft"


class Housed(Plain):
    """Has tasks of its own."""

    kind = "house"
    restored_by = "copy"
    closed: ClassVar[list[str]] = []

    def __init__(self, fails: bool = False) -> None:
        self.fails = fails

    def tasks(self, split: str) -> list[int]:
        return list(range({"train": 5, "validation": 0, "test": 2}[split]))

    def close(self) -> None:
        self.closed.append("closed")

    def expert(self) -> Any:
        return lambda observation: "word"


class Native(Housed):
    """Says what its state is."""

    def get_state(self) -> Any:
        return {}


class Shut(Housed):
    """Breaks when its tasks are counted."""

    def tasks(self, split: str) -> list[int]:
        raise agentgym.UserError("the house is shut\ntry the other")


def test_what_an_environment_says_of_itself_is_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    registry = plugins_of(house=lambda: Housed, native=lambda: Native, shut=lambda: Shut, plain=lambda: Plain)
    monkeypatch.setattr(listing, "plugins", lambda kind: registry)
    Housed.closed.clear()
    house, native, plain, shut = listing.environments()
    assert house == listing.Listed(
        id="house",
        about="Has tasks of its own.",
        kind="house",
        tasks={"train": 5, "validation": 0, "test": 2},
        has_expert=True,
        restored_by="copy",
    )
    assert (native.restored_by, plain.restored_by) == ("native", "replay")
    assert (plain.tasks, plain.has_expert) == (None, False)
    assert (shut.problem, shut.tasks, shut.kind, shut.is_installed) == ("the house is shut", None, "house", True)
    assert Housed.closed == ["closed"] * 3  # the one that broke as well
    assert [env.id for env in listing.environments(["plain", "house"])] == ["plain", "house"]  # as they were asked for


def test_the_table_shows_what_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    rate = listing.Rate(won=1, episodes=4, ci95=(0.05, 0.7))
    rows = [
        listing.Listed(id="house", kind="home", about="A house.", tasks={"train": 5, "validation": 0, "test": 2}),
        listing.Listed(id="shut", kind="home", problem="is shut"),
        listing.Listed(id="half", problem="is shut", tasks={"train": 1, "validation": 1, "test": 1}, extra="lora"),
    ]
    assert shown(rows) == [
        ["environment", "kind", "train/validation/test", "extra", "expert", "snapshot", "what it is"],
        ["house", "home", "5/0/2", "none", "no", "replay", "A house."],
        ["shut", "home", "?", "none", "?", "?", "is shut"],
        ["half", "?", "1/1/1", "lora", "?", "?", "is shut"],
    ]
    played = [
        listing.Listed(id="house", has_expert=True, random_success=rate, restored_by="copy"),
        listing.Listed(id="won", expert_success=rate, random_success=rate),
    ]
    assert shown(played) == [
        ["environment", "kind", "train/validation/test", "extra", "expert", "random", "snapshot", "what it is"],
        ["house", "?", "seeds", "none", "none", "0.25 [0.05, 0.70]", "copy"],
        ["won", "?", "seeds", "none", "0.25 [0.05, 0.70]", "0.25 [0.05, 0.70]", "replay"],
    ]


def shown(rows: list[listing.Listed]) -> list[list[str]]:
    out = io.StringIO()
    Console(file=out, width=200).print(listing.environments_table(rows))
    return [re.split(r" {2,}|(?<=home) (?=\?)", line.strip()) for line in out.getvalue().splitlines()]


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


class Coin(Plain):
    """Won by the expert in even tasks; by others never."""

    given: ClassVar[list[Any]] = []
    closed: ClassVar[list[str]] = []

    def tasks(self, split: str) -> list[int]:
        return list(range(100, 106)) if split == "test" else [0]

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
        self.task = (options or {})["task"]
        self.given.append((self.task, seed))
        return "word", {}

    def step(self, action: str) -> Any:
        return "", float(action == "expert" and self.task % 2 == 0), True, False, {}

    def expert(self) -> Any:
        return lambda observation: "expert"

    def close(self) -> None:
        self.closed.append("closed")


def test_the_first_test_tasks_are_played_once_each_by_the_expert_and_at_random(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing, "EnvFactory", lambda id: Coin)
    Coin.given.clear()
    Coin.closed.clear()
    told: list[tuple[int, float]] = []
    listed = listing.Listed(id="coin", has_expert=True)
    played = listing.measured(listed, 4, on_episode=lambda done, rate: told.append((done, rate)))
    assert [task for task, _ in Coin.given] == [100, 101, 102, 103] * 2
    assert [seed for _, seed in Coin.given] == [1, 2, 3, 4] * 2
    assert told == [(1, 1.0), (2, 0.5), (3, 2 / 3), (4, 0.5), (1, 0.0), (2, 0.0), (3, 0.0), (4, 0.0)]
    assert played.expert_success is not None
    assert played.random_success is not None
    assert (played.expert_success.won, played.expert_success.episodes) == (2, 4)
    assert (played.random_success.won, played.random_success.episodes) == (0, 4)
    # Wilson: (0.5 + z²/8 ± z · sqrt(0.25/4 + z²/64)) / (1 + z²/4), z = 1.96
    assert played.expert_success.ci95 == (0.15, 0.85)
    assert played.random_success.ci95 == (0.0, 0.4899)
    assert Coin.closed == ["closed"]
    assert listing.measured(listing.Listed(id="coin"), 9).expert_success is None  # which has none
    assert len(Coin.given) == 8 + 6  # there are six


def test_what_breaks_while_it_is_measured_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    class Breaks(Plain):
        def reset(self, **_: Any) -> tuple[str, dict[str, Any]]:
            return "Go.", {}

        def step(self, action: str) -> Any:
            raise ZeroDivisionError("oops")

    monkeypatch.setattr(listing, "EnvFactory", lambda id: Breaks)
    problem = listing.measured(listing.Listed(id="breaks"), 2).problem
    assert re.fullmatch(r"ZeroDivisionError: oops \(tests/unit/test_listing\.py:\d+\)", problem)


def test_an_unknown_id_is_refused() -> None:
    with pytest.raises(UnknownIdError, match='Did you mean "webshop"'):
        listing.environments(["webshp"])
