"""The check that none but the work is paid, on an environment with cheats that one by one begin to pay."""

from __future__ import annotations

from typing import Any

import pytest

from agentgym.doctor import Remark, pays_no_cheat
from agentgym.env import Expert
from agentgym.errors import EnvError
from tests.unit.doctor.kit import Result, Sound, Start


class Work(Sound):
    """Pays for work; its cheats are there to be tried."""

    paid: tuple[str, ...] = ("work",)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Start:
        self.did: list[str] = []
        return "Work, then submit.", {}

    def step(self, action: str) -> Result:
        self.did.append(action)
        over = action == "submit"
        return "", float(over and any(did in self.paid for did in self.did)), over, False, {}

    def expert(self) -> Expert | None:
        return lambda observation: "submit" if self.did else "work"

    def cheats(self) -> dict[str, list[str]]:
        return {"do nothing": ["submit"], "forge": ["forge", "submit", "beyond the end"]}


def test_a_sound_one_passes_and_says_what_was_tried() -> None:
    assert pays_no_cheat(Work, 60.0) == "none of 6 cheats was paid, the expert's work was"


def test_without_cheats_it_is_left_out() -> None:
    told = pays_no_cheat(Sound, 60.0)
    assert (type(told), told) == (Remark, "left out: there is no cheats()")


@pytest.mark.parametrize(("paid", "name"), [("forge", "forge"), ("submit", "do nothing")])
def test_a_cheat_that_pays_is_named(paid: str, name: str) -> None:
    class Broken(Work):
        pass

    Broken.paid = ("work", paid)
    with pytest.raises(EnvError, match=rf'the cheat "{name}" is paid 1 in '):
        pays_no_cheat(Broken, 60.0)


def test_work_that_nobody_sees_is_told() -> None:
    class Blind(Work):
        paid = ()

    with pytest.raises(EnvError, match=r"the expert lost .*: nobody sees what it does"):
        pays_no_cheat(Blind, 60.0)


def test_nothing_is_tried_on_this_machine_itself() -> None:
    """Where the environment says that there is no container, not even the list is asked for."""

    class Local(Work):
        unsafe_local = True

        def cheats(self) -> dict[str, list[str]]:
            raise AssertionError("asked for")

    told = pays_no_cheat(Local, 60.0)
    assert type(told) is Remark
    assert told == "left out: cheats attack whatever they run on, and unsafe_local has no container around it"
