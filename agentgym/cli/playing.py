"""Environments by hand: played, listed, served to others and checked."""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from agentgym.cli.checks import check, is_otherwise
from agentgym.cli.group import cli, command
from agentgym.command import flags_of
from agentgym.commands import Real, write_json
from agentgym.env import SPLITS
from agentgym.progress import progress, wide_console
from agentgym.registry import EnvFactory

if TYPE_CHECKING:
    from agentgym.launch.settings import EnvSettings


@command(takes="PolicySettings")
@click.argument("env")
@click.option("--task", help="Task to play; none given: the first of the split.")
@click.option("--split", type=click.Choice(SPLITS), help="Whose tasks; none given: as the environment likes.")
@click.option("--seed", type=int, default=0, show_default=True)
@click.option(
    "--model", help="A policy to watch: a run, a model's directory, a .gguf file, a Hugging Face id, or openai:URL."
)
@click.option("--temperature", type=Real(0), default=1.0, show_default=True, help="0 is greedy.")
@click.option(
    "--from",
    "moment",
    type=(click.Path(path_type=Path), click.IntRange(1), click.IntRange(0)),
    metavar="RUN NUMBER TURN",
    help="Begin before a turn, from 0, of an episode on record, by its number there.",
)
@click.pass_context
def play(
    context: click.Context,
    env: str,
    task: str | None,
    split: str | None,
    seed: int,
    model: str | None,
    temperature: float,
    moment: tuple[Path, int, int] | None,
) -> None:
    """Play ENV by hand, with undo and branches, or watch a policy: agentgym play webshop."""
    from agentgym import repl

    given, past = _given(context, env), dict[str, Any]()
    if moment is not None:
        if task is not None or split is not None or seed:
            raise click.UsageError("--from says task and seed; leave --task, --split and --seed out")
        given, past = _on_record(given, *moment)
    with _ended_from_outside():
        repl.play(given, model=model, task=task, split=split, seed=seed, temperature=temperature, **past)


@contextlib.contextmanager
def _ended_from_outside() -> Iterator[None]:
    """Within, a signal to end the process does so, where Ctrl-C ends a turn; what was played is kept on the way out."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    signals = [each for each in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(each) is not signal.SIG_IGN]
    before = {each: signal.signal(each, lambda number, _: sys.exit(128 + number)) for each in signals}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


def _on_record(given: dict[str, Any], source: Path, number: int, turn: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """Settings with the environment's options of the run, and what ``repl.play`` needs to begin in its episode."""
    from agentgym import store
    from agentgym.config import merged
    from agentgym.errors import ConfigError
    from agentgym.run import read_config

    with contextlib.closing(store.opened(source)) as found:
        episode = found.get(number)
    if (source / "config.json").is_file():
        own = read_config(source)["env"]
        if given["env"]["id"] != own["id"]:
            raise ConfigError(f'{source} is of "{own["id"]}", and env is "{given["env"]["id"]}"; type that one')
        given = merged({"env": own}, given)
    return given, {"episode": episode, "turn": turn}


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


@command(takes="EnvSettings")
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


@command(takes="SpeechSettings")
@click.argument("env", metavar="[ENV | RUN]", required=False)
@click.option("--model", help="Whose tokenizer to try: a run directory, a model, or nano; none given: single bytes.")
@click.option("--machine", is_flag=True, help="Check this machine: packages, containers, a browser, room.")
@click.option("--quick", is_flag=True, help="Play a fifth as long.")
@click.option("--json", "json_file", type=click.Path(path_type=Path), help="Write the findings to a file too.")
@click.pass_context
def doctor(
    context: click.Context, env: str | None, model: str | None, machine: bool, quick: bool, json_file: Path | None
) -> None:
    """Check an environment, a run, a model or this machine; exits with 1 where something is wrong.

    ENV: whether it keeps the environment contract. RUN: whether its files are whole, and what its alarms mean. Without
    either, --model M: what its tokenizer and chat template do. --machine: whether it is fit.
    """
    if env is None or is_otherwise(env, machine=machine):
        check(env, model, machine=machine, flags=flags_of(context), quick=quick, json_file=json_file)
        return
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
