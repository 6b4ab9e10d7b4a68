"""From an environment's name, or an environment, to a game at the terminal."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Mapping
from typing import Any, TextIO

from rich.console import Console

from agentgym.env import Env
from agentgym.errors import ConfigError
from agentgym.loops import plain
from agentgym.registry import make
from agentgym.repl.base import Opens
from agentgym.repl.game import Game
from agentgym.repl.pictures import terminal_form
from agentgym.repl.policies import opened
from agentgym.repl.policy import Policy
from agentgym.repl.retracing import Retraced
from agentgym.repl.screen import Screen
from agentgym.repl.shell import Shell
from agentgym.types import TaskId, Trajectory
from agentgym.visit import Visit

__all__ = ["opener", "play", "play_async", "table"]


async def play_async(
    env: Env | str | Mapping[str, Any],
    *,
    model: str | None = None,
    task: TaskId | None = None,
    split: str | None = None,
    seed: int = 0,
    temperature: float = 1.0,
    policy: Policy | None = None,
    episode: Trajectory | None = None,
    turn: int = 0,
    stdin: TextIO | None = None,
    console: Console | None = None,
) -> None:
    """Play an environment by hand, or watch a policy play it turn by turn, until ``:quit`` or the end of input.

    Ctrl-C ends the turn that is being played. Raises UserError or EnvError when no first episode can be begun.

    Args:
        env: an environment, which is closed at the end; its id or path; or settings as for ``evaluate``.
        model: a policy to watch: a run directory, a model directory, a Hugging Face id, or openai:URL.
        task: the task to play; the environment's own choice unless ``task`` or ``split`` is given.
        split: "train", "validation" or "test".
        seed: of the first episode.
        temperature: of the model; 0 is greedy.
        policy: a policy to watch, in place of a model.
        episode: an episode on record to begin in, in place of a task, a split and a seed: its actions are played again.
        turn: of that episode, from 0: what came before it is played again, and can be taken back.
        stdin: where lines are read from; the terminal unless it is given.
        console: where everything is shown.

    Example::

        agentgym.repl.play("webshop", split="test", task=0)
    """
    async with table(env, model=model, policy=policy, seed=seed, temperature=temperature) as (made, watched, opens):
        screen = Screen(console) if console else Screen(Console(highlight=False), form=terminal_form())
        game = Game(made, task=task, split=split, seed=seed) if episode is None else Retraced(made, episode, turn)
        shell = Shell(game, screen, watched, opens=opens)
        try:
            await shell.run(stdin)
        finally:
            await shell.close()


play = plain(play_async)


def opener(settings: Mapping[str, Any], *, seed: int, temperature: float) -> Opens:
    """What loads further policies for the environment of ``settings``."""

    @contextlib.asynccontextmanager
    async def opens(name: str) -> AsyncIterator[Policy]:
        async with opened(name, settings, seed=seed, temperature=temperature) as (policy, _):
            yield policy

    return opens


@contextlib.asynccontextmanager
async def table(
    env: Env | str | Mapping[str, Any],
    *,
    model: str | None = None,
    policy: Policy | None = None,
    seed: int = 0,
    temperature: float = 1.0,
) -> AsyncIterator[tuple[Env, Policy | None, Opens | None]]:
    """An environment, which is closed at the end, who is watched in it, and what loads others.

    Raises UserError where they are not to be had.
    """
    async with contextlib.AsyncExitStack() as closing:
        opens = None if isinstance(env, Env) else opener(_settings(env), seed=seed, temperature=temperature)
        if model is not None:
            opening = opened(model, _settings(env), seed=seed, temperature=temperature)
            policy, choice = await closing.enter_async_context(opening)
            made: Env = make(choice.id, **choice.options)
        else:
            made = env if isinstance(env, Env) else _made(_settings(env))
        closing.push_async_callback(Visit(made).close)
        yield made, policy, opens


def _settings(env: Env | str | Mapping[str, Any]) -> Mapping[str, Any]:
    if isinstance(env, Env):
        raise ConfigError(f'a model is watched in an environment that is told by its id, such as "{env.name}"')
    return {"env": env} if isinstance(env, str) else env


def _made(settings: Mapping[str, Any]) -> Env:
    from agentgym.launch.resolving import env_of
    from agentgym.launch.settings import EnvSettings

    choice = env_of(EnvSettings, settings)
    env: Env = make(choice.id, **choice.options)
    return env
