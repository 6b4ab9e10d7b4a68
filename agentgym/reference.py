"""The reference as Markdown, from the program itself: ``python -m agentgym.reference``, or ``make docs``."""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Iterator

import click

from agentgym.cli import cli
from agentgym.launch.settings import TrainSettings
from agentgym.manual import describe
from agentgym.registry import plugins
from agentgym.repl.shell import Shell, usage

__all__ = ["reference"]


def reference() -> str:
    """The whole page."""
    return "\n".join(_sections()) + "\n"


def _sections() -> Iterator[str]:
    yield "# Reference\n\nWritten by `make docs` from signatures and docstrings; change those, not this file."
    yield "\n## Commands\n"
    for name, command in sorted(cli.commands.items()):
        shown = command.get_help(click.Context(command, info_name=f"agentgym {name}", **cli.context_settings))
        yield f"### agentgym {name}\n\n{_block(shown)}\n"
    yield f"## Settings of `agentgym train`\n\n{_block(describe(TrainSettings))}\n"
    for id in plugins("trainers").ids():
        trainer = plugins("trainers").get(id)
        settings = describe(trainer.Settings, "trainer.")  # type: ignore[attr-defined]
        yield f"### Trainer `{id}`\n\n{_first_line(trainer)}\n\n{_block(settings)}\n"
    yield "## Environments\n\nOptions are given as `--env.<option>`.\n"
    for id in plugins("environments").ids():
        env = plugins("environments").get(id)
        options = inspect.getdoc(env.__init__) if "__init__" in vars(env) else None
        yield f"### `{id}`\n\n{inspect.getdoc(env)}\n\n{_block(options or 'no options')}\n"
    yield "## Augmentations\n\nSettings are given as `--augment.<id>.<setting>`.\n"
    for id in plugins("augmentations").ids():
        about = describe(plugins("augmentations").settings(id), f"augment.{id}.") or "no settings"
        yield f"### `{id}`\n\n{_first_line(plugins('augmentations').get(id))}\n\n{_block(about)}\n"
    yield "## Protocols\n"
    yield from (f"- `{id}`: {_first_line(plugins('protocols').get(id))}" for id in plugins("protocols").ids())
    yield "\n## Curricula\n\nSettings are given as `--curriculum.<setting>`.\n"
    for id in plugins("curricula").ids():
        about = describe(plugins("curricula").settings(id), "curriculum.") or "no settings"
        yield f"### `{id}`\n\n{_first_line(plugins('curricula').get(id))}\n\n{_block(about)}\n"
    yield "\n## Critics\n\nSettings stand behind the critic's id, as in `--rewards.critic.critic.<setting>`.\n"
    for id in plugins("critics").ids():
        about = describe(plugins("critics").settings(id), "rewards.critic.critic.") or "no settings"
        yield f"### Critic `{id}`\n\n{_first_line(plugins('critics').get(id))}\n\n{_block(about)}\n"
    yield "\n## Searches\n\nSettings are given as `--search.<setting>`; see [search.md](search.md).\n"
    for id in plugins("searches").ids():
        about = describe(plugins("searches").settings(id), "search.") or "no settings"
        yield f"### `{id}`\n\n{_first_line(plugins('searches').get(id))}\n\n{_block(about)}\n"
    yield "\n## Commands inside `agentgym play`\n"
    methods = (item for item in inspect.getmembers(Shell, inspect.isfunction) if item[0].startswith("do_"))
    for name, method in methods:
        yield f"- `{usage(name.removeprefix('do_'), method)}`: {inspect.getdoc(method)}"


def _first_line(thing: object) -> str:
    return (inspect.getdoc(thing) or "").partition("\n")[0]


def _block(text: str) -> str:
    return f"```text\n{textwrap.dedent(text).strip()}\n```"


if __name__ == "__main__":
    print(reference(), end="")
