"""What the lines of a group have in common, drawn."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

import click

from agentgym.cli.group import cli
from agentgym.commands import write_json
from agentgym.errors import DataError, UserError
from agentgym.progress import wide_console


@cli.command()
@click.argument("source", metavar="RUN", type=click.Path(path_type=Path))
@click.argument("name", metavar="[ID]", required=False)
@click.option("--update", type=int, help="Of this update, where several have a group or an episode of that name.")
@click.option("--svg", "svg_file", type=click.Path(path_type=Path), help="Draw it into a file too.")
@click.option("--json", "json_file", type=click.Path(path_type=Path), help="Write its turns and lines to a file too.")
def tree(source: Path, name: str | None, update: int | None, svg_file: Path | None, json_file: Path | None) -> None:
    """Draw the tree that the lines of a group form: agentgym tree RUN 3-0 --svg tree.svg.

    RUN is a run, an archive or a JSONL file; ID is the name of a group or of one of its episodes. Without it the trees
    that there are are listed.
    """
    from agentgym import store
    from agentgym.reports import drawn_svg, drawn_text, planted, tree_of

    with contextlib.closing(store.opened(source)) as episodes:
        if name is None:
            for flag, file in (("svg", svg_file), ("json", json_file)):
                if file is not None:
                    raise click.UsageError(f"--{flag} needs the ID of a tree; type: agentgym tree {source} ID")
            _tell(source, planted(episodes.query(update=update)))
            return
        found = tree_of([episodes.get(card.number) for card in _cards(episodes, name, update)])
    if svg_file is not None:
        _write_svg(svg_file, drawn_svg(found))
    if json_file is not None:
        write_json(json_file, json.dumps(found.model_dump(), indent=2))
    wide_console().print(drawn_text(found), highlight=False)


def _cards(episodes: Any, name: str, update: int | None) -> list[Any]:
    """Those of the one group that is called so, or has such an episode. Raises DataError for none, and for several."""
    from agentgym.reports import planted

    cards: list[Any] = episodes.query(group_id=name, update=update) or episodes.query(episode_id=name, update=update)
    if not cards:
        where = "" if update is None else f" in update {update}"
        raise DataError(f"{episodes.file} has no group or episode {name}{where}; agentgym tree RUN lists what branched")
    groups = {(card.stage, card.update, card.group_id): card for card in cards}
    if len(groups) > 1:
        where = ", ".join(f"{update} ({stage})" if stage else f"{update}" for stage, update, _ in groups)
        raise DataError(f"{name} is in several updates: {where}; add one of them: --update N")
    ((stage, of, group_id),) = groups
    if not group_id:  # an episode that is compared with none
        return cards
    asked = {"group_id": group_id, "update": of, "stage": stage or None}
    found = planted(episodes.query(**asked))
    return list(next(each.cards for each in found if (each.stage, each.update) == (stage, of)))


def _tell(source: Path, groups: list[Any]) -> None:
    """A table of the groups of which lines branched off each other."""
    from rich.table import Table
    from rich.text import Text

    trees = [group for group in groups if group.num_forks]
    if not trees:
        flat = f"; {len(groups)} groups did not branch, of which any can be drawn by its ID" if groups else ""
        click.echo(f"{source} has no tree{flat}")
        return
    table = Table("ID", "stage", "update", "task", "lines", "branched off", "successes", "best reward")
    for group in trees:
        fit = [card for card in group.cards if not card.stop_reason.is_void]
        best = f"{max(card.reward for card in fit):.3f}" if fit else ""
        update = "" if group.update is None else str(group.update)
        counts = [len(group.cards), group.num_forks, sum(card.success for card in fit)]
        row = [group.group_id, group.stage, update, str(group.cards[0].task), *map(str, counts), best]
        table.add_row(*map(Text, row))
    wide_console().print(table)


def _write_svg(file: Path, text: str) -> None:
    try:
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UserError(f"cannot write {file}: {error.strerror}; choose another --svg") from None
