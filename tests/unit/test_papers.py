"""The table of papers names what there is."""

from __future__ import annotations

import re

import pytest

from agentgym.registry import plugins
from agentgym.trainers.grpo import PRESETS
from tests.kit import ROOT

PAGE = (ROOT / "docs" / "papers" / "README.md").read_text()
ROWS = [line.split("|") for line in PAGE.splitlines() if re.match(r"\| \d+ \|", line)]
SMALL = """
    1 8 10 12 14 16 21 34 40 47 55 63 69 72 74 77 81 83 84 87 92 68 116 6 108 93 2 9 20 50 61 62 95 111 115 86 85 105 94
    106 36 53 4 78 48 37 38 80 18 22 24 30 43 75 99 112 3 109 117
"""
TRAINERS = plugins("trainers").ids()


def test_every_paper_has_a_line_and_only_one() -> None:
    assert sorted(int(row[1]) for row in ROWS) == sorted(map(int, SMALL.split()))


@pytest.mark.parametrize(
    ("flag", "kind"),
    [("--trainer", "trainers"), ("--curriculum", "curricula"), ("--augment", "augmentations")],
)
def test_ids_are_there(flag: str, kind: str) -> None:
    named = set(re.findall(rf"{flag} ([a-z][\w-]*)", PAGE))
    assert named
    assert named <= set(plugins(kind).ids())


def test_rewards_are_there_and_have_the_settings() -> None:
    found = re.findall(r"--rewards\.([\w-]+)(?:\.(\w+))?", PAGE)
    assert found
    for id, key in found:
        assert not key or key in plugins("rewards").settings(id).model_fields


def test_settings_of_trainers_are_there() -> None:
    found = re.findall(r"--trainer\.(\w+)", PAGE)
    assert found
    known = {key for id in TRAINERS for key in plugins("trainers").settings(id).model_fields}
    assert set(found) <= known


def test_presets_and_losses_are_there() -> None:
    assert set(re.findall(r"--trainer\.preset (\w+)", PAGE)) <= set(PRESETS)
    fields = [plugins("trainers").settings(id).model_fields.get("loss") for id in TRAINERS]
    losses = {name for field in fields if field is not None for name in re.findall(r"'(\w+)'", str(field.annotation))}
    named = set(re.findall(r"--trainer\.loss (\w+)", PAGE))
    assert named
    assert named <= losses


def test_files_are_there() -> None:
    named = set(re.findall(r"`(?:agentgym/)?(\w+(?:/\w+)*\.py)`", PAGE))
    assert named
    assert all((ROOT / "agentgym" / name).is_file() or (ROOT / "agentgym" / "learn" / name).is_file() for name in named)
