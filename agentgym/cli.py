"""The command line: ``agentgym train | eval | play | envs | serve | init | doctor``.

Errors that a person can mend end with exit code 2 and a message on standard error; everything else is a traceback.
Flags are the dotted keys of the settings: ``--trainer.group_size 16`` sets what the TOML table ``[trainer]`` would.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

import agentgym
from agentgym.errors import AgentGymError, ConfigError, UserError

__all__ = ["main"]

_OPEN = {"ignore_unknown_options": True, "allow_extra_args": True}
"""Commands whose flags are settings, checked against the settings' own fields."""


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(agentgym.__version__, prog_name="agentgym")
def cli() -> None:
    """A language model learns to act over many turns."""


def main() -> None:
    """Entry point of the console script."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell starts background jobs with Ctrl-C ignored
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))  # as clean an end as Ctrl-C
    try:
        cli.main(standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(2)
    except UserError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(2)
    except AgentGymError as error:
        click.echo(f"{type(error).__name__}: {error}", err=True)
        sys.exit(1)
    except (KeyboardInterrupt, click.Abort):
        sys.exit(130)


@cli.command(context_settings=_OPEN, add_help_option=False)
@click.option(
    "--config", "config_file", type=click.Path(path_type=Path), help="Settings from a TOML file; flags win over it."
)
@click.option("--resume", "resume_dir", type=click.Path(path_type=Path), help="Go on with an interrupted run.")
@click.option("--force-config", is_flag=True, help="With --resume: take up settings that differ and may change.")
@click.option("-h", "--help", "show_help", is_flag=True, help="Show this and every setting.")
@click.pass_context
def train(
    context: click.Context, config_file: Path | None, resume_dir: Path | None, force_config: bool, show_help: bool
) -> None:
    """Train a policy: agentgym train --env webshop."""
    from agentgym.config import merged, parse_flags, read_toml

    if show_help:
        _show_settings(context)
        return
    flags = parse_flags(context.args)
    if force_config and resume_dir is None:
        raise ConfigError("--force-config has no effect without --resume RUN")
    if resume_dir is None and not (flags or config_file):
        raise ConfigError(
            "nothing to train on; type: agentgym train --env webshop   (agentgym envs lists the environments)"
        )
    from agentgym import launch

    given = merged(read_toml(config_file) if config_file else {}, flags)
    with _progress() as reporter:
        if resume_dir is not None:
            run = launch.resume(resume_dir, given, force=force_config, reporter=reporter)
        else:
            run = launch.train(given, reporter=reporter)
    click.echo(f"report: {run / 'report.json'}   curves: {run / 'curves.png'}   policy: --model {run}")


def _show_settings(context: click.Context) -> None:
    """The help of ``train`` with every key, those of the trainers and models that come with the package among them."""
    from agentgym.launch.settings import HFSettings, TrainSettings
    from agentgym.learn.nano import NanoConfig
    from agentgym.manual import describe
    from agentgym.registry import plugins

    click.echo(context.get_help())
    click.echo("\nSettings:\n" + describe(TrainSettings))
    for id in plugins("trainers").ids():
        factory: Any = plugins("trainers").get(id)
        click.echo(f"\nSettings with --trainer {id}:\n" + describe(factory.Settings, "trainer."))
    click.echo("\nSettings with --model nano:\n" + describe(NanoConfig, "model."))
    click.echo("\nSettings with any other --model:\n" + describe(HFSettings, "model."))


@cli.command("eval", context_settings=_OPEN)
@click.option("--model", required=True, help="A run directory, a model directory or a Hugging Face id.")
@click.option("--episodes", type=click.IntRange(1), default=200, show_default=True)
@click.option("--split", default="test", show_default=True, help="train, validation or test")
@click.option("--temperature", type=click.FloatRange(0), default=0.0, show_default=True, help="0 is greedy.")
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--samples", type=click.IntRange(1), default=1, show_default=True, help="Episodes of each task.")
@click.option("--json", "json_file", type=click.Path(path_type=Path), help="Write the score to a file too.")
@click.option("--trajectories", type=click.Path(path_type=Path), help="Write the episodes to a JSONL file.")
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
) -> None:
    """Measure a policy on held-out tasks: agentgym eval --env webshop --model RUN."""
    from agentgym import store
    from agentgym.config import parse_flags
    from agentgym.launch.measuring import measure

    with _progress() as reporter:
        result, played = measure(
            parse_flags(context.args),
            model,
            episodes=episodes,
            split=split,
            temperature=temperature,
            seed=seed,
            samples=samples,
            reporter=reporter,
        )
    if trajectories is not None:
        store.append(trajectories, played)
    text = result.model_dump_json(indent=2)
    if json_file is not None:
        json_file.write_text(text + "\n")
    click.echo(text)


@cli.command(context_settings=_OPEN)
@click.argument("env")
@click.option("--task", help="Task to play; none given: the first of the split.")
@click.option("--split", help="train, validation or test")
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--model", help="A policy to watch: a run directory, a model directory or a Hugging Face id.")
@click.option("--temperature", type=click.FloatRange(0), default=1.0, show_default=True, help="0 is greedy.")
@click.pass_context
def play(
    context: click.Context,
    env: str,
    task: str | None,
    split: str | None,
    seed: int,
    model: str | None,
    temperature: float,
) -> None:
    """Play ENV by hand, with undo and branches, or watch a policy: agentgym play webshop."""
    from agentgym import repl
    from agentgym.config import merged, parse_flags

    given = merged({"env": {"id": env}}, parse_flags(context.args))
    repl.play(given, model=model, task=task, split=split, seed=seed, temperature=temperature)


@cli.command()
@click.argument("ids", nargs=-1)
@click.option("--measure", type=click.IntRange(1), metavar="N", help="Play N test tasks by the expert and at random.")
@click.option("--json", "json_file", type=click.Path(path_type=Path), help="Write the list to a file too.")
def envs(ids: tuple[str, ...], measure: int | None, json_file: Path | None) -> None:
    """List the environments, or those of IDS."""
    from agentgym.listing import as_json, environments, environments_table, measured

    listed = environments(ids)
    if measure is not None:
        with _progress() as reporter:
            for number, env in enumerate(listed):
                reporter.begin(env.id, measure, "episodes")
                listed[number] = measured(
                    env, measure, on_episode=lambda done, success: reporter.advance(done, {"success": success})
                )
    if json_file is not None:
        json_file.write_text(as_json(listed) + "\n")
    _wide_console().print(environments_table(listed))


@cli.command(context_settings=_OPEN)
@click.argument("env")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on; 0.0.0.0 is everybody's.")
@click.option("--port", type=click.IntRange(0, 65535), default=8000, show_default=True, help="0 takes a free one.")
@click.option("--max-sessions", type=click.IntRange(1), default=256, show_default=True, help="Episodes at once.")
@click.pass_context
def serve(context: click.Context, env: str, host: str, port: int, max_sessions: int) -> None:
    """Serve ENV to others as an OpenEnv server: agentgym serve blocksworld."""
    from agentgym.config import env_choice, merged, parse_flags
    from agentgym.serve import serve as serve_env

    choice = env_choice(merged({"env": {"id": env}}, parse_flags(context.args)))
    serve_env(choice.id, choice.options, host=host, port=port, max_sessions=max_sessions, tell=click.echo)


@cli.group()
def init() -> None:
    """Write a file to begin from."""


@init.command("env")
@click.argument("name")
@click.option("--directory", type=click.Path(path_type=Path), default=Path("."), help="Folder to write it to.")
def init_env(name: str, directory: Path) -> None:
    """Write NAME.py, a runnable environment in one file."""
    from agentgym.scaffold import write_env

    file = write_env(name, directory)
    click.echo(f"{file} is written; type: agentgym play ./{file}" if not file.is_absolute() else f"{file} is written")


@cli.command(context_settings=_OPEN)
@click.argument("env")
@click.option("--model", help="Whose tokenizer to try: a run directory, a model, or nano; none given: single bytes.")
@click.option("--quick", is_flag=True, help="Play a fifth as long.")
@click.option("--json", "json_file", type=click.Path(path_type=Path), help="Write the findings to a file too.")
@click.pass_context
def doctor(context: click.Context, env: str, model: str | None, quick: bool, json_file: Path | None) -> None:
    """Check that ENV keeps the environment contract; exits with 1 when it does not."""
    from rich.console import Console

    from agentgym.config import env_choice, merged, parse_flags
    from agentgym.doctor import SECONDS, as_json, diagnose, findings_table, tokens_check
    from agentgym.registry import EnvFactory

    given = merged({"env": {"id": env}}, parse_flags(context.args))
    choice = env_choice(given)
    make_env = EnvFactory(choice.id, choice.options)
    make_env().close()
    with Console(stderr=True).status("") as status:
        findings = diagnose(
            make_env,
            seconds=SECONDS / 5 if quick else SECONDS,
            more=(tokens_check(*_speech(given, model)),),
            on_check=lambda name: status.update(name.replace("_", " ")),
        )
    if json_file is not None:
        json_file.write_text(as_json(choice.id, choice.options, findings) + "\n")
    _wide_console().print(findings_table(findings))
    if not all(finding.passed for finding in findings):
        sys.exit(1)


def _wide_console() -> Any:
    """For tables: as wide as the terminal, and wide enough for a line a row in a file or a pipe."""
    from rich.console import Console

    return Console(width=None if sys.stdout.isatty() else 200)


def _speech(given: Mapping[str, Any], model: str | None) -> tuple[Any, Any]:
    """Tokenizer and protocol of ``model``; without one, single bytes and the protocol that nano has by default."""
    from agentgym.learn.byte_tokenizer import byte_tokenizer
    from agentgym.registry import plugins
    from agentgym.tokenizer import ChatTokenizer

    if model is None:
        return ChatTokenizer(byte_tokenizer()), plugins("protocols").get("plain")()
    from agentgym.launch.assemble import make_policy, make_protocol
    from agentgym.launch.measuring import settings_for
    from agentgym.launch.settings import resolve

    settings = resolve(given) if model == "nano" else settings_for(given, model, seed=0)
    assert settings.protocol is not None
    env = agentgym.make(settings.env.id, **settings.env.options)
    try:
        return make_policy(settings.model, env, seed=0).tokenizer, make_protocol(settings.protocol)
    finally:
        env.close()


@contextmanager
def _progress() -> Iterator[Any]:
    """A progress bar with rate and time left on a terminal, plain lines elsewhere."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description:<24}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[values]}"),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        yield _Reporter(console, progress)


class _Reporter:
    def __init__(self, console: Any, progress: Any) -> None:
        self.console, self.progress = console, progress
        self.unit = ""
        self.task: Any = None

    def begin(self, stage: str, total: int, unit: str) -> None:
        if self.task is not None:
            self.progress.update(self.task, visible=False)
        self.unit = unit
        self.task = self.progress.add_task(stage, total=total, rate="", values="")

    def advance(self, done: int, values: Mapping[str, float]) -> None:
        speed = self.progress.tasks[self.task].speed if self.task is not None else None
        shown = "  ".join(f"{name} {values[name]:.3f}" for name in ("loss", "success", "reward") if name in values)
        rate = f"{speed:.1f} {self.unit}/s" if speed else ""
        self.progress.update(self.task, completed=done, rate=rate, values=shown)

    def note(self, text: str) -> None:
        self.console.print(text, highlight=False)


if __name__ == "__main__":
    main()
