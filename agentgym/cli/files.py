"""Files to begin from: an environment, tools, a reward, a curriculum, a trainer, a recipe."""

from __future__ import annotations

from pathlib import Path

import click

from agentgym.cli.group import cli
from agentgym.commands import Group


@cli.group(cls=Group)
def init() -> None:
    """Write a file to begin from."""


_WRITTEN = {
    "env": "NAME.py, a runnable environment in one file.",
    "tools": "NAME.py, a runnable environment of tools.",
    "reward": "NAME.py, a reward that is added to the environment's own.",
    "curriculum": "NAME.py, a choice of the tasks that are played.",
    "trainer": "NAME.py, a way to learn from episodes.",
    "recipe": "NAME.toml, the settings of a run.",
}


def _add(word: str, written: str) -> None:
    @init.command(word, help=f"Write {written}")
    @click.argument("name")
    @click.option("--directory", type=click.Path(path_type=Path), default=Path("."), help="Folder to write it to.")
    def init_one(name: str, directory: Path) -> None:
        from agentgym.scaffold import TEMPLATES, write

        file = write(word, name, directory)
        path = file if file.is_absolute() else f"./{file}"
        click.echo(f"{file} is written; type: {TEMPLATES[word].typed.format(path)}")


for _word, _what in _WRITTEN.items():
    _add(_word, _what)
