"""What is made of runs: compared, drawn together, their episodes and their policies taken elsewhere."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from agentgym.cli.group import cli
from agentgym.commands import Once, write_json
from agentgym.env import SPLITS
from agentgym.errors import UserError
from agentgym.progress import wide_console
from agentgym.types import StopReason


@cli.command()
@click.argument("source", type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    help="A .jsonl file, or a directory for an archive; with --merge a new or empty directory.",
)
@click.option(
    "--merge", is_flag=True, help="Write the policy, not episodes: a plain model, with its adapter in the weights."
)
@click.option("--split", type=click.Choice(SPLITS), help="Only of tasks of this split.")
@click.option("--stage", help="Only of this stage of a run: warm_start, before, train or after.")
@click.option("--update", type=int, help="Only of this update.")
@click.option("--success/--failure", default=None, help="Only successes, or only the others.")
@click.option(
    "--stop-reason", type=click.Choice([reason.value for reason in StopReason]), help="Only those that ended so."
)
def export(source: Path, output: Path | None, merge: bool, **asked: Any) -> None:
    """Take episodes out of SOURCE, a run, an archive or a JSONL file: agentgym export RUN -o episodes.jsonl.

    Or take out the policy, of a run or of a model's directory, for transformers, vLLM and --model: agentgym export RUN
    --merge -o DIR. It is written in the type of its base; what has no adapter is written as it is.
    """
    from agentgym import store

    if merge:
        output = _refuse_beside_merge(output, asked)
        from agentgym.launch.merging import merge as write_merged

        click.echo(f"{write_merged(source, output)}; type: agentgym eval --env ENV --model {output}")
        return
    with contextlib.closing(store.opened(source)) as found:
        if output is None:
            for episode in found.episodes(**asked):
                click.echo(episode.model_dump_json())
            return
        with contextlib.closing(store.writable(output)) as target:
            num = store.copy(found, target, **asked)
    click.echo(f"{num} episodes are written to {output}")


def _refuse_beside_merge(output: Path | None, asked: Mapping[str, Any]) -> Path:
    """The directory for a model. Raises UsageError where there is none, and for what chooses episodes."""
    if output is None:
        raise click.UsageError("--merge writes a model, and needs a directory for it; type: --merge -o DIR")
    for name, value in asked.items():
        if value is not None:
            flag = "failure" if value is False else name.replace("_", "-")
            raise click.UsageError(f"--{flag} chooses episodes, and --merge writes none; leave one of them out")
    return output


@cli.command()
@click.argument("base", type=click.Path(path_type=Path))
@click.argument("models", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), required=True, help="A new or empty directory for the model."
)
@click.option("--weights", help="One for each of MODELS, such as 1,-1; without it their mean.")
def merge(base: Path, models: tuple[Path, ...], output: Path, weights: str | None) -> None:
    """Add up what training changed: agentgym merge BASE A B --weights 0.5,0.5 -o DIR.

    Writes BASE + 0.5 (A - BASE) + 0.5 (B - BASE), of runs or models' directories with one architecture and tokenizer.
    What reinforcement added to imitation goes into a third model so: agentgym merge MODEL RL SFT --weights 1,-1 -o DIR.
    """
    from agentgym.launch.merging import combine

    told = combine(base, models, output, weights=None if weights is None else _numbers(weights))
    click.echo(f"{told}; type: agentgym eval --env ENV --model {output}")


def _numbers(text: str) -> list[float]:
    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        raise click.UsageError(f'--weights is "{text}", expected numbers with commas between them: 1,-1') from None


@cli.command()
@click.argument("runs", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path), default=Path("curves.png"), show_default=True)
@click.option("--metric", default="success", show_default=True, help="A number of metrics.jsonl.")
@click.option("--stage", default="validation", show_default=True, help="Of which lines: validation, train, warm_start.")
@click.option("--by", type=click.Choice(["updates", "steps"]), default="updates", show_default=True)
@click.option("--json", "json_file", type=click.Path(path_type=Path), help="Write the curves to a file too.")
def curves(runs: tuple[Path, ...], output: Path, metric: str, stage: str, by: Any, json_file: Path | None) -> None:
    """Draw the curves of RUNS together: those that differ in their seed alone are one, with its spread."""
    from agentgym.launch.overlay import curves as read_curves
    from agentgym.launch.overlay import curves_table
    from agentgym.reports import draw_overlay

    found = read_curves(runs, metric=metric, stage=stage, by=by)
    plain = [curve.model_dump() for curve in found]
    if json_file is not None:
        write_json(json_file, json.dumps(plain, indent=2))
    across = "updates" if by == "updates" else "environment steps"
    try:
        draw_overlay(plain, output, across=across, up=f"{metric}, {stage}")
    except (OSError, ValueError) as error:  # of an ending that is no picture's
        raise UserError(f"cannot draw {output}: {error}; choose another --output, such as curves.png") from error
    wide_console().print(curves_table(found))
    click.echo(f"drawn: {output}")


class TwoSides(Once):
    """Its arguments are two lists, with ``--`` between them; two arguments alone are one each."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        middle = args.index("--") if "--" in args else len(args)
        rest = args[middle + 1 :]
        end = next((place for place, word in enumerate(rest) if word.startswith("-")), len(rest))
        ctx.meta["second"] = rest[:end]
        return super().parse_args(ctx, args[:middle] + rest[end:])


@cli.command(cls=TwoSides)
@click.argument("runs", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--json", "json_file", type=click.Path(path_type=Path), help="Write the comparison to a file too.")
@click.pass_context
def compare(context: click.Context, runs: tuple[Path, ...], json_file: Path | None) -> None:
    """Compare runs on the same test tasks: agentgym compare RUN RUN, or RUNS -- RUNS, as of several seeds.

    Shows by how much the second succeed more often than the first, with its 95 % interval, and in which settings they
    differ.
    """
    from agentgym.launch.comparing import compare as compared
    from agentgym.launch.comparing import comparison_table

    second = [Path(word) for word in context.meta["second"]]
    if not second:
        if len(runs) != 2:
            raise click.UsageError(f"found {len(runs)} runs and no --; type: agentgym compare RUN_A… -- RUN_B…")
        second = [runs[1]]
        runs = runs[:1]
    found = compared(runs, second)
    if json_file is not None:
        write_json(json_file, json.dumps([each.model_dump(mode="json") for each in found], indent=2))
    wide_console().print(comparison_table(found))
    for line in found[0].differences:
        click.echo(line)
