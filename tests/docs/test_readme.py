"""README is what a new user needs in three minutes."""

from __future__ import annotations

from agentgym.reference import own
from tests.kit import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_it_is_short_and_has_one_picture() -> None:
    assert len(README.splitlines()) <= 150
    assert README.count("![") == 1


def test_set_up_and_tests_are_as_ever() -> None:
    assert "\npip install torch==2.13.0 && pip install -e '.[test]'\nagentgym train --env webshop\n" in README
    assert "\npip install torch==2.13.0 && pip install -e '.[test]' && pytest -n auto\n" in README


def test_what_is_not_ours_is_said() -> None:
    assert "neither the AgentGym nor the AgentGym-RL research project" in README


def test_every_id_of_the_table_is_there() -> None:
    table = README.partition("## What there is")[2].partition("## Where to go")[0]
    for kind in ("trainers", "protocols"):
        assert [id for id in own(kind) if f"`{id}`" not in table] == []
    assert [id for id in own("searches") if f"`{id}`" not in table] == ["flat"]
    assert [id for id in own("environments") if f"`{id}`" not in table and f"`{id}:" not in table] == []
    rewards, curricula, augmentations = (len(own(kind)) for kind in ("rewards", "curricula", "augmentations"))
    assert f"| {rewards}, {curricula} and {augmentations} of them; or `./mine.py` |" in table
