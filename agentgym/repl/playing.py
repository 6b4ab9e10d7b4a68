"""From an environment's name, or an environment, to a game at the terminal."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TextIO

from rich.console import Console

from agentgym.env import Env
from agentgym.errors import ConfigError
from agentgym.loops import plain
from agentgym.registry import make
from agentgym.repl.game import Game
from agentgym.repl.policy import EnginePolicy, Policy
from agentgym.repl.retracing import Retraced
from agentgym.repl.screen import Screen
from agentgym.repl.shell import Shell
from agentgym.types import TaskId, Trajectory
from agentgym.visit import Visit

__all__ = ["play", "play_async"]


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
        model: a policy to watch: a run directory, a model directory or a Hugging Face id.
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

        agentgym.play("webshop", split="test", task=0)
    """
    screen = Screen(console or Console(highlight=False))

    async def play_in(env: Env, policy: Policy | None) -> None:
        fresh = Game(env, task=task, split=split, seed=seed) if episode is None else Retraced(env, episode, turn)
        await Shell(fresh, screen, policy).run(stdin)

    if model is not None:
        await _watch(model, _settings(env), play_in, seed=seed, temperature=temperature)
        return
    made = env if isinstance(env, Env) else _made(_settings(env))
    try:
        await play_in(made, policy)
    finally:
        await Visit(made).close()


play = plain(play_async)


async def _watch(
    model: str,
    settings: Mapping[str, Any],
    play_in: Callable[[Env, Policy], Awaitable[None]],
    *,
    seed: int,
    temperature: float,
) -> None:
    from agentgym.launch.early import refuse_unplayable
    from agentgym.launch.resolving import settings_for
    from agentgym.launch.settings import PolicySettings

    chosen = settings_for(settings, model, seed=seed, kind=PolicySettings, note=_warn)
    await refuse_unplayable(chosen)
    from agentgym.launch.parts import assembled  # torch

    async with assembled(chosen) as parts:
        policy = EnginePolicy(
            parts.engine,
            parts.policy.tokenizer,
            parts.protocol,
            temperature=temperature,
            max_tokens=parts.limits.max_reply_tokens,
        )
        made: Env = make(chosen.env.id, **chosen.env.options)
        try:
            await play_in(made, policy)
        finally:
            await Visit(made).close()


def _warn(text: str) -> None:
    print(text, file=sys.stderr)


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
