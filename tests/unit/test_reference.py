"""The reference says what the program says."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from agentgym.cli import cli
from agentgym.reference import PARTS, own, pages, reference
from agentgym.registry import plugins


@pytest.fixture(scope="module")
def page() -> str:
    return reference()


def section(page: str, heading: str) -> str:
    """From a heading to the next one."""
    return page.partition(f"{heading}\n")[2].partition("\n#")[0]


def test_every_command_trainer_environment_and_curriculum_has_a_section_in_order(page: str) -> None:
    commands = [f"agentgym {name}" for name in sorted(cli.commands)]
    names = ["agent-q", "cory", "dpo", "grpo", "mixed", "ppo", "reward-model", "rloo", "sft"]
    trainers = [f"Trainer `{name}`" for name in names]
    kinds = ("environments", "rewards", "augmentations", "protocols", "curricula", "critics", "searches", "engines")
    others = [f"{PARTS[kind].one}`{id}`" for kind in kinds for id in own(kind)]
    assert "`webshop`" in others
    expected = [*commands, *trainers, *others]
    headings = re.findall(r"^### (.*)$", page, re.MULTILINE)
    assert [heading for heading in headings if heading in expected] == expected
    assert re.findall(r"^## (.*)$", page, re.MULTILINE) == [
        "Commands",
        "Settings of `agentgym train`",
        "Trainers",
        "Environments",
        "Rewards",
        "Augmentations",
        "Protocols",
        "Curricula",
        "Critics",
        "Searches",
        "Engines",
        "Commands inside `agentgym play`",
    ]


def test_what_can_be_told_stands_as_it_is_typed(page: str) -> None:
    assert "Usage: agentgym eval [OPTIONS] [--SETTING VALUE]..." in section(page, "### agentgym eval")
    settings = section(page, "## Settings of `agentgym train`")
    assert "\n  --updates INTEGER" in settings
    assert "\n  --rollout.max_reply_tokens INTEGER" in settings
    trainer = section(page, "### Trainer `sft`")
    assert trainer.startswith("\nImitate")
    assert "\n  --trainer.batch_size INTEGER" in trainer
    assert "--trainer.group_size" not in trainer
    curriculum = section(page, "### `frontier`")
    assert curriculum.startswith("\nNew tasks, and again those that the policy solves at times;")
    assert "\n  --curriculum.capacity INTEGER" in curriculum
    assert section(page, "### `uniform`").endswith("```text\nno settings\n```\n")


def test_an_environment_says_what_it_is_and_what_it_takes(page: str) -> None:
    webshop = section(page, "### `webshop`")
    assert webshop.startswith("\nBuy what the instruction asks for")
    assert "\nArgs:\n    " in webshop
    assert section(page, "## Environments").startswith("\nOptions are given as `--env.<option>`.\n")


def test_the_commands_of_play_are_listed_with_their_first_lines(page: str) -> None:
    played = page.partition("## Commands inside `agentgym play`\n")[2].strip().splitlines()
    assert played == sorted(played)
    assert "- `:branch NAME`: keep this moment under a name" in played
    assert "- `:undo [n]`: take back the last turn, or the last n" in played
    assert played[-1].startswith("- `:why`: ")


def test_the_one_in_docs_is_today_s(page: str) -> None:
    written = (Path(__file__).parents[2] / "docs/reference.md").read_text(encoding="utf-8")
    assert written == page, "type: make docs"


def test_it_is_a_page_that_ends_with_a_line(page: str) -> None:
    assert page.startswith("# Reference\n\nWritten by `make docs` from signatures and docstrings;")
    assert page.endswith("\n")
    assert not page.endswith("\n\n")
    assert page.count("```") % 2 == 0


# -- a page for each ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def each() -> dict[str, str]:
    return pages()


def test_there_is_a_page_for_every_plug_in_of_the_package(each: dict[str, str]) -> None:
    assert {path.partition("/")[0] for path in each} == set(PARTS)
    assert {"environments/webshop.md", "trainers/grpo.md", "rewards/turn-cost.md", "searches/mcts.md"} < set(each)
    assert len(each) == sum(len(own(kind)) for kind in PARTS)


def test_a_page_says_what_it_is_where_it_is_and_what_it_takes(each: dict[str, str]) -> None:
    shown = each["rewards/turn-cost.md"]
    assert shown.startswith("# turn-cost\n\n-1 for each turn; scale it with the weight")
    assert "\n\nMinus one for each turn, so that shorter episodes are better." in shown
    assert "Source: `agentgym/rewards/turn_cost.py`." in shown
    assert "\n  --rewards.turn-cost.free_turns INTEGER" in shown
    assert "Source: `agentgym/environments/webshop/" in each["environments/webshop.md"]


def test_what_its_parameters_are_is_told_once(each: dict[str, str]) -> None:
    assert all(text.count("\nArgs:") <= (path.startswith("environments/")) for path, text in each.items())


def test_what_others_registered_has_no_page(monkeypatch: pytest.MonkeyPatch) -> None:
    table = plugins("rewards")
    found: dict[str, Any] = {"mine": lambda trajectory: [], "success": table.get("success")}
    monkeypatch.setattr(table, "ids", lambda: list(found))
    monkeypatch.setattr(table, "get", found.__getitem__)
    assert own("rewards") == ["success"]
