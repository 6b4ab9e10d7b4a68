"""What the commands are gathered in, and those of them that take settings."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

import agentgym
from agentgym.command import SettingsCommand
from agentgym.commands import Group

__all__ = ["cli", "command"]


@click.group(cls=Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(agentgym.__version__, prog_name="agentgym")
def cli() -> None:
    """A language model learns to act over many turns."""


def command(name: str | None = None, *, takes: str) -> Callable[[Callable[..., Any]], click.Command]:
    """A command whose further flags are the settings of the class ``takes``."""
    return cli.command(name, cls=SettingsCommand, takes=takes)
