"""From an environment's name to a game, and who is watched."""

from __future__ import annotations

import asyncio
import contextlib
import io
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

import agentgym
import agentgym.repl
from agentgym.actors.scripted import ScriptedEngine
from agentgym.engine import Sampling
from agentgym.errors import UserError
from agentgym.launch.settings import PolicySettings
from agentgym.protocols.plain import Plain
from tests.kit import chat
from tests.unit.repl.kit import Scripted, Stairs, transcript


class Closes(Stairs):
    """Counts how often it is closed."""

    closed = 0

    def close(self) -> None:
        self.closed += 1


def test_the_environment_is_closed_at_the_end_and_after_a_failure() -> None:
    env = Closes()
    transcript(":quit", env=env)
    assert env.closed == 1
    with pytest.raises(UserError, match="unknown split"):
        transcript(env=env, split="nope")
    assert env.closed == 2


def test_an_async_environment_is_closed_too() -> None:
    class Later(Stairs):
        closed = 0

        async def reset(self, **options: Any) -> Any:  # type: ignore[override]
            return super().reset(**options)

        async def close(self) -> None:  # type: ignore[override]
            await asyncio.sleep(0)
            self.closed += 1

    env = Later()
    assert "stair 0 of seed 2" in transcript(":quit", env=env, seed=2)
    assert env.closed == 1


def test_an_episode_is_begun_as_it_was_asked_for() -> None:
    assert "Stairs: seed 3" in transcript(env=Stairs(), seed=3)
    assert "Stairs: task 7, seed 0" in transcript(env=Stairs(), task=7)
    assert "Stairs: task 1001" in transcript(env=Stairs(), split="test")


def test_a_policy_that_is_given_plays() -> None:
    policy = Scripted("up", protocol=Plain())
    assert "policy: up" in transcript(":step", env=Stairs(), policy=policy)
    assert policy.shown == [["Climb.", "stair 0 of seed 0"]]


class Asked(ScriptedEngine):
    """Is asked in text, and tells what for."""

    speaks_text, supports_seeds = True, False

    async def chat(self, messages: Any, sampling: Sampling, *, tools: Any = ()) -> str:
        return f"{sampling.temperature} {sampling.max_tokens}"


@pytest.mark.parametrize("env", ["stairs", {"env": {"id": "stairs", "level": 3}}])
def test_a_model_is_watched_with_what_a_run_of_it_would_have(env: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    log: list[str] = []

    def settings_for(given: Any, model: str, **options: Any) -> Any:
        asked.append((given, model, options))
        return SimpleNamespace(env=SimpleNamespace(id="tower", options={"level": 5}))

    def make(id: str, **options: Any) -> Stairs:
        log.append(f"{id} with {options}")
        return Stairs()

    @contextlib.asynccontextmanager
    async def assembled(settings: Any) -> AsyncIterator[Any]:
        log.append(f"made of {settings.env.id}")
        yield SimpleNamespace(
            engine=Asked(lambda _: []),
            policy=SimpleNamespace(tokenizer=chat()),
            protocol=Plain(),
            limits=SimpleNamespace(max_reply_tokens=17),
            rollout=None,
        )
        log.append("taken apart")

    monkeypatch.setattr("agentgym.launch.resolving.settings_for", settings_for)

    async def refuse_unplayable(settings: Any) -> None:
        log.append(f"{settings.env.id} can be played")

    monkeypatch.setattr("agentgym.launch.early.refuse_unplayable", refuse_unplayable)
    monkeypatch.setattr("agentgym.launch.parts.assembled", assembled)
    monkeypatch.setattr("agentgym.repl.playing.make", make)
    out = io.StringIO()
    console = Console(file=out, width=100, highlight=False)
    agentgym.repl.play(
        env, model="runs/mine", task=4, seed=6, temperature=0.25, stdin=io.StringIO(":step\n"), console=console
    )
    given = {"env": "stairs"} if isinstance(env, str) else env
    note = asked[0][2].pop("note")
    assert callable(note)
    assert asked == [(given, "runs/mine", {"seed": 6, "kind": PolicySettings})]
    assert log == ["tower can be played", "made of tower", "tower with {'level': 5}", "taken apart"]
    assert "Stairs: task 4, seed 6" in out.getvalue()
    assert "policy: 0.25 17" in out.getvalue()
    assert "reward 0.25" in out.getvalue()


def test_a_model_is_watched_in_an_environment_that_is_told_by_its_id() -> None:
    with pytest.raises(UserError, match=r'in an environment that is told by its id, such as "Stairs"$'):
        agentgym.repl.play(Stairs(), model="runs/mine")


def test_an_environment_is_made_from_its_id_or_from_settings() -> None:
    def first(env: Any, **options: Any) -> str:
        out = io.StringIO()
        console = Console(file=out, width=100, highlight=False)
        agentgym.repl.play(env, stdin=io.StringIO(""), console=console, **options)
        return out.getvalue().splitlines()[1]

    assert first("blocksworld", split="test") == "blocksworld: task 1001459, seed 0"
    assert first({"env": {"id": "blocksworld", "level": "b3"}}, task=0) == "blocksworld: task 0, seed 0"
    with pytest.raises(UserError, match="unknown environment"):
        agentgym.repl.play("blocksword")
    with pytest.raises(UserError, match='Did you mean "level"'):
        agentgym.repl.play({"env": {"id": "blocksworld", "levle": "b3"}})
