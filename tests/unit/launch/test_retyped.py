"""The command that begins a run again: short, and it leads to the same settings."""

from __future__ import annotations

import shlex
from typing import Any

import pytest

from agentgym.flags import parse_flags
from agentgym.launch.resolving import resolve
from agentgym.launch.retyped import command_of
from agentgym.launch.written import resolved

GIVEN: list[str] = [
    "--env blocksworld",
    "--env webshop --updates 7",
    "--env blocksworld --env.level b5 --trainer rloo --trainer.groups 4 --seed 9",
    "--env blocksworld --trainer agent-q --warm_start.enabled false",
    "--env webshop --curriculum frontier --rewards.success 0.5",
]


def settings(command: str) -> dict[str, Any]:
    return resolved(resolve(parse_flags(shlex.split(command))))


@pytest.mark.parametrize("given", GIVEN)
def test_it_leads_to_the_same_settings(given: str) -> None:
    config = settings(given)
    command = command_of(config)
    assert command.startswith("agentgym train --env ")
    assert len(command) < len(given) + 80
    assert settings(command.removeprefix("agentgym train ")) == config
