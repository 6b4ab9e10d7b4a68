"""Files to begin from: an environment, a reward, a trainer."""

from __future__ import annotations

from pathlib import Path

import click

from agentgym.cli.group import cli
from agentgym.commands import Group


@cli.group(cls=Group)
def init() -> None:
    """Write a file to begin from."""


@init.command("env")
@click.argument("name")
@click.option("--directory", type=click.Path(path_type=Path), default=Path("."), help="Folder to write it to.")
def init_env(name: str, directory: Path) -> None:
    """Write NAME.py, a runnable environment in one file."""
    _write("environments", name, directory, "agentgym play {}")


@init.command("reward")
@click.argument("name")
@click.option("--directory", type=click.Path(path_type=Path), default=Path("."), help="Folder to write it to.")
def init_reward(name: str, directory: Path) -> None:
    """Write NAME.py, a reward that is added to the environment's own."""
    _write("rewards", name, directory, "agentgym train --env webshop --rewards {}")


@init.command("trainer")
@click.argument("name")
@click.option("--directory", type=click.Path(path_type=Path), default=Path("."), help="Folder to write it to.")
def init_trainer(name: str, directory: Path) -> None:
    """Write NAME.py, a way to learn from episodes."""
    _write("trainers", name, directory, "agentgym train --env webshop --trainer {}")


def _write(kind: str, name: str, directory: Path, typed: str) -> None:
    from agentgym.scaffold import write_plugin

    file = write_plugin(kind, name, directory)
    click.echo(f"{file} is written; type: {typed.format(file if file.is_absolute() else f'./{file}')}")
