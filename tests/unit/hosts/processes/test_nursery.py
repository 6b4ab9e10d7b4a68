"""Whom the nursery kills, and what it tells of who died."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from agentgym.errors import EnvError
from agentgym.types import Action
from tests.kit import until
from tests.unit.hosts.kit import begun, finishes, hanging, opened


def test_one_is_killed_while_it_hangs_another_dies_and_a_third_goes_on() -> None:
    async def go() -> None:
        async with opened("processes", "Trouble") as hosts:
            (first, one), (second, two), (third, _) = [await begun(hosts) for _ in range(3)]
            steps = [await hanging(first, one, "ignore"), await hanging(second, two, "sleep")]
            first.kill()
            os.kill(two, signal.SIGTERM)
            for step, told in zip(steps, (r"was given up", r"was killed by signal 15 \(SIGTERM\)"), strict=True):
                with pytest.raises(EnvError, match=told):
                    await step
            await until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in (one, two)))
            assert (await third.step(Action("babble 0"))).observation == "done"
            await third.close()

    finishes(go(), 100)
