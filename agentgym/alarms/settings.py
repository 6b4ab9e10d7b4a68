"""What the alarms can be told."""

from __future__ import annotations

from pydantic import Field, field_validator

from agentgym.alarms.bounds import Bounds
from agentgym.alarms.rules import RULES
from agentgym.errors import did_you_mean

__all__ = ["AlarmSettings"]


class AlarmSettings(Bounds):
    """When an alarm goes off."""

    ignore: list[str] = Field(default_factory=list)
    """Names of alarms that are not to go off."""

    @field_validator("ignore")
    @classmethod
    def _known(cls, names: list[str]) -> list[str]:
        known = [rule.name for rule in RULES]
        for name in names:
            if name not in known:
                raise ValueError(f'no alarm "{name}".{did_you_mean(name, known)} Known: {", ".join(known)}')
        return names
