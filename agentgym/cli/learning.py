"""Train a policy, measure it, and record its episodes."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import click

from agentgym.cli.group import command
from agentgym.command import flags_of
from agentgym.commands import Real, write_json
from agentgym.env import SPLITS
from agentgym.errors import ConfigError
from agentgym.progress import progress


@command(takes="TrainSettings")
@click.option(
    "--config", "config_file", type=click.Path(path_type=Path), help="Settings from a TOML file; flags win over it."
)
@click.option("--preset", help="With --config: what its table [presets.NAME] says too.")
@click.option("--resume", "resume_dir", type=click.Path(path_type=Path), help="Go on with an interrupted run.")
@click.option("--force-config", is_flag=True, help="With --resume: take up settings that differ and may change.")
@click.pass_context
def train(
    context: click.Context, config_file: Path | None, preset: str | None, resume_dir: Path | None, force_config: bool
) -> None:
    """Train a policy: agentgym train --env webshop."""
    from agentgym.config import merged, read_toml

    flags = flags_of(context)
    if force_config and resume_dir is None:
        raise ConfigError("--force-config has no effect without --resume RUN")
    if preset is not None and config_file is None:
        raise ConfigError(f"--preset has no effect without --config FILE, whose table [presets.{preset}] it chooses")
    if resume_dir is None and not (flags or config_file):
        raise ConfigError(
            "nothing to train on; type: agentgym train --env webshop   (agentgym envs lists the environments)"
        )
    from agentgym import launch
    from agentgym.launch import ranks

    given = merged(read_toml(config_file, preset=preset) if config_file else {}, flags)
    with progress() if ranks.is_first() else contextlib.nullcontext() as reporter:
        if resume_dir is not None:
            run = launch.resume(resume_dir, given, force=force_config, reporter=reporter)
        else:
            run = launch.train(given, reporter=reporter)
    if not ranks.is_first():
        return
    click.echo(f"report: {run / 'report.json'}   curves: {run / 'curves.png'}   policy: --model {run}")


@command("eval", takes="MeasureSettings")
@click.option(
    "--model", required=True, help="A run, a model directory, a .gguf file, a Hugging Face id, or openai:URL."
)
@click.option("--episodes", type=click.IntRange(1), default=200, show_default=True, help="Tasks that are played.")
@click.option("--split", type=click.Choice(SPLITS), default="test", show_default=True, help="Whose tasks.")
@click.option("--temperature", type=Real(0), default=0.0, show_default=True, help="0 is greedy.")
@click.option("--seed", type=int, default=0, show_default=True)
@click.option(
    "--samples",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="Episodes of each task; not at temperature 0.",
)
@click.option("--json", "json_file", type=click.Path(path_type=Path), help="Write the score to a file too.")
@click.option(
    "--trajectories",
    type=click.Path(path_type=Path),
    help="Write the episodes as they end: to an archive in this directory, or to a file where it ends in .jsonl.",
)
@click.option("--interactive", is_flag=True, help="Stop at each failure and open it, as agentgym play does.")
@click.pass_context
def evaluate(
    context: click.Context,
    model: str,
    episodes: int,
    split: str,
    temperature: float,
    seed: int,
    samples: int,
    json_file: Path | None,
    trajectories: Path | None,
    interactive: bool,
) -> None:
    """Measure a policy on held-out tasks: agentgym eval --env webshop --model RUN."""
    from agentgym.launch import evaluate as measure

    if interactive:
        _stopping(context, **context.params)
        return
    with progress() as reporter:
        result, _ = measure(
            flags_of(context),
            model,
            episodes=episodes,
            split=split,
            temperature=temperature,
            seed=seed,
            samples=samples,
            trajectories=trajectories,
            reporter=reporter,
        )
    _tell(result, json_file)


def _tell(result: Any, json_file: Path | None) -> None:
    text = result.model_dump_json(indent=2)
    if json_file is not None:
        write_json(json_file, text)
    click.echo(text)


def _stopping(
    context: click.Context,
    model: str,
    *,
    samples: int,
    trajectories: Path | None,
    json_file: Path | None,
    interactive: bool,
    **how: Any,
) -> None:
    """Stop at each failure. Raises ConfigError for what has no effect then."""
    from agentgym.repl.failures import evaluate as stop_at_failures

    for flag, is_given in (("samples", samples > 1), ("trajectories", trajectories is not None)):
        if is_given:
            raise ConfigError(f"--{flag} has no effect with --interactive, which plays each task once; leave it out")
    flags = flags_of(context)
    if "search" in flags:
        raise ConfigError("--search has no effect with --interactive; type :search at a failure")
    result, _ = stop_at_failures(flags, model, **how, note=lambda text: click.echo(text, err=True))
    _tell(result, json_file)


@command(takes="MeasureSettings")
@click.option(
    "--model",
    required=True,
    help="Who plays: a run, a model directory, a .gguf file, a Hugging Face id, or openai:URL.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    help="A directory for an archive, or a .jsonl file; none given: recorded/<env>-<seed>.",
)
@click.option("--episodes", type=click.IntRange(1), default=200, show_default=True, help="Tasks that are played.")
@click.option("--samples", type=click.IntRange(1), default=8, show_default=True, help="Episodes of each task.")
@click.option(
    "--split",
    type=click.Choice(SPLITS),
    default="train",
    show_default=True,
    help="Only what is of train tasks can be learned from.",
)
@click.option("--temperature", type=Real(0), default=1.0, show_default=True, help="0 is greedy.")
@click.option("--seed", type=int, default=0, show_default=True)
@click.pass_context
def record(context: click.Context, /, model: str, output: Path | None, **how: Any) -> None:
    """Record episodes to learn from: agentgym record --env webshop --model RUN, then train --trainer.data."""
    from agentgym.launch import record as play_and_keep

    with progress() as reporter:
        there, result = play_and_keep(flags_of(context), model, output=output, **how, reporter=reporter)
    click.echo(
        f"{result.episodes} episodes of {result.tasks} tasks, success {result.success:.3f}, are in {there}; type: "
        f"agentgym train --trainer dpo (or sft) --trainer.data {there}"
    )
