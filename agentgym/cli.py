"""The command line: ``agentgym train | eval | record | export | play | envs | serve | init | doctor``.

Errors that a person can mend, those in a file of their own among them, end with exit code 2 and a message on standard
error; everything else is a traceback.
Flags are the dotted keys of the settings: ``--trainer.group_size 16`` sets what the TOML table ``[trainer]`` would.
Each command takes those that have an effect there, and its help shows them.
"""

from __future__ import annotations

import contextlib
import signal
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

import agentgym
from agentgym.blame import blamed
from agentgym.command import SettingsCommand, flags_of
from agentgym.commands import Group, Real, hang_up, write_json
from agentgym.env import SPLITS
from agentgym.errors import AgentGymError, ConfigError, UserError
from agentgym.progress import progress, wide_console
from agentgym.registry import EnvFactory
from agentgym.types import StopReason

if TYPE_CHECKING:
    from agentgym.launch.settings import EnvSettings

__all__ = ["main"]


def _open(name: str | None = None, *, takes: str) -> Callable[[Callable[..., Any]], click.Command]:
    return cli.command(name, cls=SettingsCommand, takes=takes)


@click.group(cls=Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(agentgym.__version__, prog_name="agentgym")
def cli() -> None:
    """A language model learns to act over many turns."""


def main() -> None:
    """Entry point of the console script."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell starts background jobs with Ctrl-C ignored
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))  # as clean an end as Ctrl-C
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # which nohup asks for
        signal.signal(signal.SIGHUP, hang_up)
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
    except Exception as error:
        if not (told := blamed(error)):
            raise
        click.echo(f"error: {told}", err=True)
        sys.exit(2)


@_open(takes="TrainSettings")
@click.option(
    "--config", "config_file", type=click.Path(path_type=Path), help="Settings from a TOML file; flags win over it."
)
@click.option("--resume", "resume_dir", type=click.Path(path_type=Path), help="Go on with an interrupted run.")
@click.option("--force-config", is_flag=True, help="With --resume: take up settings that differ and may change.")
@click.pass_context
def train(context: click.Context, config_file: Path | None, resume_dir: Path | None, force_config: bool) -> None:
    """Train a policy: agentgym train --env webshop."""
    from agentgym.config import merged, read_toml

    flags = flags_of(context)
    if force_config and resume_dir is None:
        raise ConfigError("--force-config has no effect without --resume RUN")
    if resume_dir is None and not (flags or config_file):
        raise ConfigError(
            "nothing to train on; type: agentgym train --env webshop   (agentgym envs lists the environments)"
        )
    from agentgym import launch

    given = merged(read_toml(config_file) if config_file else {}, flags)
    with progress() as reporter:
        if resume_dir is not None:
            run = launch.resume(resume_dir, given, force=force_config, reporter=reporter)
        else:
            run = launch.train(given, reporter=reporter)
    click.echo(f"report: {run / 'report.json'}   curves: {run / 'curves.png'}   policy: --model {run}")


@_open("eval", takes="MeasureSettings")
@click.option("--model", required=True, help="A run directory, a model directory, a .gguf file or a Hugging Face id.")
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
    from agentgym.launch import evaluate as measure

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
    text = result.model_dump_json(indent=2)
    if json_file is not None:
        write_json(json_file, text)
    click.echo(text)


@_open(takes="MeasureSettings")
@click.option(
    "--model", required=True, help="Who plays: a run directory, a model directory, a .gguf file or a Hugging Face id."
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


@_open(takes="PolicySettings")
@click.argument("env")
@click.option("--task", help="Task to play; none given: the first of the split.")
@click.option("--split", type=click.Choice(SPLITS), help="Whose tasks; none given: as the environment likes.")
@click.option("--seed", type=int, default=0, show_default=True)
@click.option(
    "--model", help="A policy to watch: a run directory, a model directory, a .gguf file or a Hugging Face id."
)
@click.option("--temperature", type=Real(0), default=1.0, show_default=True, help="0 is greedy.")
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

    given = _given(context, env)
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
        with progress() as reporter:
            for number, env in enumerate(listed):
                reporter.begin(env.id, measure, "episodes")
                listed[number] = measured(
                    env, measure, on_episode=lambda done, success: reporter.advance(done, {"success": success})
                )
    if json_file is not None:
        write_json(json_file, as_json(listed))
    wide_console().print(environments_table(listed))


@_open(takes="EnvSettings")
@click.argument("env")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on; 0.0.0.0 is everybody's.")
@click.option("--port", type=click.IntRange(0, 65535), default=8000, show_default=True, help="0 takes a free one.")
@click.option("--max-sessions", type=click.IntRange(1), default=256, show_default=True, help="Episodes at once.")
@click.option("--token", envvar="AGENTGYM_TOKEN", show_envvar=True, help="Answer those alone who send it.")
@click.option("--allow-host", "allowed_hosts", multiple=True, help="A further name of this machine; may be repeated.")
@click.pass_context
def serve(context: click.Context, /, env: str, **how: Any) -> None:
    """Serve ENV to others as an OpenEnv server: agentgym serve blocksworld."""
    from agentgym.launch.settings import EnvSettings
    from agentgym.serve import serve as serve_env

    made = _env_factory(_given(context, env), EnvSettings)
    serve_env(made.id, made.options, **how, tell=click.echo)


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


@_open(takes="SpeechSettings")
@click.argument("env")
@click.option("--model", help="Whose tokenizer to try: a run directory, a model, or nano; none given: single bytes.")
@click.option("--quick", is_flag=True, help="Play a fifth as long.")
@click.option("--json", "json_file", type=click.Path(path_type=Path), help="Write the findings to a file too.")
@click.pass_context
def doctor(context: click.Context, env: str, model: str | None, quick: bool, json_file: Path | None) -> None:
    """Check that ENV keeps the environment contract; exits with 1 when it does not."""
    from rich.console import Console

    from agentgym.doctor import SECONDS, as_json, diagnose, findings_table, shown_prompt, tokens_check
    from agentgym.launch.settings import SpeechSettings
    from agentgym.launch.speech import speech, spoken

    given = _given(context, env)
    make_env = _env_factory(given, SpeechSettings)
    settings = spoken(given, model, note=_warn)
    make_env().close()
    tokenizer, protocol = speech(settings, model)
    with Console(stderr=True).status("") as status:
        findings = diagnose(
            make_env,
            seconds=SECONDS / 5 if quick else SECONDS,
            more=(tokens_check(tokenizer, protocol),),
            on_check=lambda name: status.update(name.replace("_", " ")),
        )
    if json_file is not None:
        write_json(json_file, as_json(make_env.id, make_env.options, findings))
    wide_console().print(findings_table(findings))
    if model is not None:
        click.echo(shown_prompt(make_env, tokenizer=tokenizer, protocol=protocol))
    if not all(finding.passed for finding in findings):
        sys.exit(1)


def _given(context: click.Context, env: str) -> dict[str, Any]:
    """The settings that were typed, with the environment of the argument."""
    from agentgym.config import merged
    from agentgym.flags import twice

    flags = flags_of(context)
    if isinstance(flags.get("env"), Mapping) and "id" in flags["env"]:
        raise twice("env", env, flags["env"]["id"])
    return merged({"env": {"id": env}}, flags)


def _env_factory(given: Mapping[str, Any], kind: type[EnvSettings]) -> EnvFactory:
    """Makes the environment of settings of that kind. Raises ConfigError for other keys."""
    from agentgym.launch.resolving import env_of

    choice = env_of(kind, given)
    return EnvFactory(choice.id, choice.options)


def _warn(text: str) -> None:
    click.echo(text, err=True)


if __name__ == "__main__":
    main()
