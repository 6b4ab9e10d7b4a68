"""The reference says what the program says."""

from __future__ import annotations

import re

import pytest

from agentgym.cli import cli
from agentgym.reference import reference
from agentgym.registry import plugins


@pytest.fixture(scope="module")
def page() -> str:
    return reference()


def section(page: str, heading: str) -> str:
    """From a heading to the next one."""
    return page.partition(f"{heading}\n")[2].partition("\n#")[0]


def own(kind: str) -> list[str]:
    """Headings of the plug-ins that lie in the package; other tests register some more."""
    table = plugins(kind)
    return [f"`{id}`" for id in table.ids() if table.get(id).__module__.startswith("agentgym.")]


def test_every_command_trainer_environment_and_curriculum_has_a_section_in_order(page: str) -> None:
    commands = [f"agentgym {name}" for name in sorted(cli.commands)]
    names = ["agent-q", "cory", "dpo", "grpo", "mixed", "ppo", "reward-model", "rloo", "sft"]
    trainers = [f"Trainer `{name}`" for name in names]
    environments, augmentations, curricula = map(own, ("environments", "augmentations", "curricula"))
    critics = [f"Critic {heading}" for heading in own("critics")]
    assert "`webshop`" in environments
    expected = [*commands, *trainers, *environments, *augmentations, *curricula, *critics]
    headings = re.findall(r"^### (.*)$", page, re.MULTILINE)
    assert [heading for heading in headings if heading in expected] == expected
    assert re.findall(r"^## (.*)$", page, re.MULTILINE) == [
        "Commands",
        "Settings of `agentgym train`",
        "Environments",
        "Augmentations",
        "Protocols",
        "Curricula",
        "Critics",
        "Searches",
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
    assert section(page, "### `uniform`").endswith("```text\nno settings\n```\n\n")


def test_an_environment_says_what_it_is_and_what_it_takes(page: str) -> None:
    webshop = section(page, "### `webshop`")
    assert webshop.startswith("\nBuy what the instruction asks for")
    assert "\nArgs:\n    " in webshop
    assert section(page, "## Environments").startswith("\nOptions are given as `--env.<option>`.\n")


def test_protocols_and_the_commands_of_play_are_listed_with_their_first_lines(page: str) -> None:
    assert [line.partition(": ")[0] for line in section(page, "## Protocols").strip().splitlines()] == [
        "- `composite`",
        "- `plain`",
        "- `react`",
        "- `tools`",
    ]
    assert "- `plain`: Reply = action.\n" in page
    played = page.partition("## Commands inside `agentgym play`\n")[2].strip().splitlines()
    assert played == sorted(played)
    assert "- `:branch NAME`: keep this moment under a name" in played
    assert "- `:undo [n]`: take back the last turn, or the last n" in played
    assert played[-1].startswith("- `:why`: ")


def test_it_is_a_page_that_ends_with_a_line(page: str) -> None:
    assert page.startswith("# Reference\n\nWritten by `make docs` from signatures and docstrings;")
    assert page.endswith("\n")
    assert not page.endswith("\n\n")
    assert page.count("```") % 2 == 0
