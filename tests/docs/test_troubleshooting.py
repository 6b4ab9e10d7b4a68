"""Troubleshooting quotes what the program says, and knows every alarm."""

from __future__ import annotations

import re

import pytest

from agentgym.alarms.rules import RULES
from tests.kit import ROOT

PAGE = (ROOT / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
SOURCE = "\n".join(
    file.read_text(encoding="utf-8")
    for folder in ("agentgym", "environments")
    for file in (ROOT / folder).rglob("*.py")
)
SAID = [
    quoted
    for line in PAGE.partition("## Alarms")[0].splitlines()
    if line.startswith("| `")
    for quoted in re.findall(r"`([^`]+)`", line.split(" | ")[0])
]


@pytest.mark.parametrize("quoted", SAID)
def test_what_it_quotes_is_said(quoted: str) -> None:
    assert quoted in SOURCE or quoted.replace("'", "\\'") in SOURCE


def test_it_quotes_a_good_many() -> None:
    assert len(SAID) > 20


def test_every_alarm_has_a_line() -> None:
    table = PAGE.partition("## Alarms")[2]
    named = re.findall(r"`(\w+)`", "\n".join(line.split(" | ")[0] for line in table.splitlines()))
    assert named == [rule.name for rule in RULES]
