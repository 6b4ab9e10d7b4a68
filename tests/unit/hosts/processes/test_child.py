"""The process of one environment: whatever that raises is an answer, and its seed and options reach it."""

from __future__ import annotations

import pytest

from agentgym.errors import EnvError
from agentgym.types import Action, Observation
from tests.unit.hosts.kit import finishes, hosted


def test_an_exit_is_an_answer_and_the_expert_sees_what_was_last_or_what_it_is_shown() -> None:
    async def go() -> None:
        async with hosted("processes", "Raise") as host:
            await host.reset(5, {"what": "SystemExit", "when": "step"})
            with pytest.raises(EnvError, match=r"raised SystemExit: 3 \(seed 5, last action 'x'\)"):
                await host.step(Action("x"))
            await host.reset(6, {"what": "", "when": ""})
        async with hosted("processes", "Show") as host:
            seen, info = await host.reset(1, {"task": 3})
            assert info["options"] == {"task": 3}
            assert str(await host.expert(seen)).endswith(f"shown {seen}")
            last = (await host.step(Action("y"))).observation
            assert await host.expert(last) == "made at 0, asked at 1, shown heard y"
            assert await host.expert(Observation("else")) == "made at 0, asked at 1, shown else"

    finishes(go(), 100)
