"""Runs and episodes on a page of this machine, as one file, and as JSON."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

import click

from agentgym.cli.group import cli
from agentgym.errors import UserError


@cli.command()
@click.argument("runs", nargs=-1, required=True, metavar="RUN...", type=click.Path(path_type=Path))
@click.option("--port", type=click.IntRange(0, 65535), default=0, show_default=True, help="0 takes a free one.")
@click.option("--open/--no-open", "opens", default=True, help="Open a browser on it.")
@click.option("--json", "question", metavar="VIEW", help="Print a view as JSON instead: 'episodes?success=false'.")
@click.option("--export", "page", type=click.Path(path_type=Path), help="Write the page as one file instead.")
@click.option(
    "--episodes", type=click.IntRange(1), help="With --export: episodes of each run at most; none given: 200."
)
def view(
    runs: tuple[Path, ...], port: int, opens: bool, question: str | None, page: Path | None, episodes: int | None
) -> None:
    """Look at runs on a page of this machine, live while they train: agentgym view RUN.

    RUN is a run, a directory of runs, an archive or a JSONL file. The page is at 127.0.0.1 alone, and its address has
    a token in it. What the page shows, --json prints: runs, curves, report, episodes, facets, search, episode, text,
    tokens, groups, group, gradient, task, compare, trees and tree, with values behind the name as in an address:
    agentgym view RUN --json 'episode?number=12'.
    """
    from agentgym.viewer.sources import Sources

    if question is not None and page is not None:
        raise click.UsageError("--json prints, --export writes a page; leave one of them out")
    if episodes is not None and page is None:
        raise click.UsageError("--episodes has no effect without --export FILE")
    with contextlib.closing(Sources.open(runs)) as sources:
        if question is not None:
            from agentgym.viewer.views import asked

            click.echo(json.dumps(asked(sources, question), indent=2, ensure_ascii=False))
        elif page is not None:
            from agentgym.viewer.export import exported

            try:
                page.write_text(exported(sources, max_episodes=episodes or 200), encoding="utf-8")
            except OSError as error:
                raise UserError(f"cannot write {page}: {error.strerror}; choose another --export") from None
            click.echo(f"{page} is written: open it in a browser, it needs nothing beside it")
        else:
            from agentgym.viewer.server import serve

            serve(sources, port=port, tell=click.echo, opens=opens)
