"""The reference as Markdown, from the program itself: ``python -m agentgym.reference``, or ``make docs``.

``reference`` is all of it on one page, ``pages`` a page for each plug-in, as the site has them.
"""

from __future__ import annotations

import dataclasses
import inspect
import sys
import textwrap
from collections.abc import Iterator

import click

from agentgym.cli import cli
from agentgym.launch.settings import TrainSettings
from agentgym.manual import describe
from agentgym.registry import plugins
from agentgym.repl.shell import Shell, usage

__all__ = ["PARTS", "Part", "options", "own", "pages", "reference"]


@dataclasses.dataclass(frozen=True, slots=True)
class Part:
    """How the plug-ins of a kind are told of."""

    title: str
    note: str = ""
    """Below the title: how settings are given."""
    prefix: str = ""
    """What stands before the name of a setting, with ``{}`` for the plug-in's id."""
    one: str = ""
    """What stands before an id in a heading, where ids of two kinds are alike."""


PARTS = {
    "trainers": Part("Trainers", "Settings are given as `--trainer.<setting>`.", "trainer.", "Trainer "),
    "environments": Part("Environments", "Options are given as `--env.<option>`."),
    "rewards": Part(
        "Rewards",
        "A weight is given as `--rewards.<id> <weight>`, settings as `--rewards.<id>.<setting>`.",
        "rewards.{}.",
        "Reward ",
    ),
    "augmentations": Part("Augmentations", "Settings are given as `--augment.<id>.<setting>`.", "augment.{}."),
    "protocols": Part("Protocols", "Settings are given as `--protocol.<setting>`.", "protocol."),
    "curricula": Part("Curricula", "Settings are given as `--curriculum.<setting>`.", "curriculum."),
    "critics": Part(
        "Critics",
        "Settings stand behind the critic's id, as in `--rewards.critic.critic.<setting>`.",
        "rewards.critic.critic.",
        "Critic ",
    ),
    "searches": Part("Searches", "Settings are given as `--search.<setting>`; see [search.md](search.md).", "search."),
    "engines": Part("Engines", "Settings are given as `--engine.<setting>`.", "engine.", "Engine "),
}
"""Kind of plug-in → how it is told of."""


def reference() -> str:
    """The whole page."""
    return "\n".join(_sections()) + "\n"


def pages() -> dict[str, str]:
    """Path → text of a page for each plug-in in the package: what it is, where it is, what it can be told."""
    return {f"{kind}/{id}.md": _page(kind, id) for kind in PARTS for id in own(kind)}


def own(kind: str) -> list[str]:
    """Ids of the plug-ins that lie in the package."""
    table = plugins(kind)
    return [id for id in table.ids() if table.get(id).__module__.startswith("agentgym.")]


def options(kind: str, id: str) -> str:
    """What a plug-in can be told, as a block."""
    if kind == "environments":
        env = plugins(kind).get(id)
        return _block((inspect.getdoc(env.__init__) if "__init__" in vars(env) else None) or "no options")
    return _block(describe(plugins(kind).settings(id), PARTS[kind].prefix.format(id)) or "no settings")


def _page(kind: str, id: str) -> str:
    thing, part = plugins(kind).get(id), PARTS[kind]
    module = sys.modules[thing.__module__]
    file = f"{module.__name__.replace('.', '/')}{'/__init__' if hasattr(module, '__path__') else ''}.py"
    prose = [(inspect.getdoc(each) or "").partition("\nArgs:")[0].strip() for each in (thing, module)]
    told = [f"# {id}", *prose, f"Source: `{file}`.", "## Options", part.note, options(kind, id)]
    return "\n\n".join(dict.fromkeys(filter(None, told))).replace("(search.md)", "(../search.md)") + "\n"


def _sections() -> Iterator[str]:
    yield "# Reference\n\nWritten by `make docs` from signatures and docstrings; change those, not this file."
    yield "\n## Commands\n"
    for name, command in sorted(cli.commands.items()):
        shown = command.get_help(click.Context(command, info_name=f"agentgym {name}", **cli.context_settings))
        yield f"### agentgym {name}\n\n{_block(shown)}\n"
    yield f"## Settings of `agentgym train`\n\n{_block(describe(TrainSettings))}\n"
    for kind, part in PARTS.items():
        yield f"## {part.title}\n\n{part.note}\n"
        for id in own(kind):
            thing = plugins(kind).get(id)
            about = inspect.getdoc(thing) if kind == "environments" else _first_line(thing)
            yield f"### {part.one}`{id}`\n\n{about}\n\n{options(kind, id)}\n"
    yield "## Commands inside `agentgym play`\n"
    methods = (item for item in inspect.getmembers(Shell, inspect.isfunction) if item[0].startswith("do_"))
    for name, method in methods:
        yield f"- `{usage(name.removeprefix('do_'), method)}`: {inspect.getdoc(method)}"


def _first_line(thing: object) -> str:
    return (inspect.getdoc(thing) or "").partition("\n")[0]


def _block(text: str) -> str:
    return f"```text\n{textwrap.dedent(text).strip()}\n```"


if __name__ == "__main__":
    print(reference(), end="")
