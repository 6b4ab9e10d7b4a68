"""An evaluation that stops at each failure and opens it: ``agentgym eval --interactive``.

Task by task, greedily or as it was asked, as ``evaluate`` plays them: with the same seeds, so with the same episodes. A
failed one is played again, action by action and compared, up to its end; there the prompt is opened.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TextIO

from rich.console import Console

from agentgym.env import Env
from agentgym.errors import DataError, UserError
from agentgym.loops import interruptible, plain
from agentgym.registry import make
from agentgym.repl.base import Opens
from agentgym.repl.pictures import terminal_form
from agentgym.repl.playing import opener
from agentgym.repl.policies import policy_of
from agentgym.repl.policy import EnginePolicy
from agentgym.repl.retracing import Retraced
from agentgym.repl.screen import Screen
from agentgym.repl.shell import Shell
from agentgym.types import Trajectory
from agentgym.visit import Visit

if TYPE_CHECKING:
    from agentgym.launch.score import Score

__all__ = ["evaluate", "evaluate_async"]


async def evaluate_async(
    given: Mapping[str, Any],
    model: str,
    *,
    episodes: int = 200,
    split: str = "test",
    temperature: float = 0.0,
    seed: int = 0,
    note: Callable[[str], None] = lambda text: None,
    stdin: TextIO | None = None,
    console: Console | None = None,
) -> tuple[Score, list[Trajectory]]:
    """The score of ``model`` on tasks of ``split``, and the episodes; each that failed is opened at its end.

    ``:quit`` goes on with the next task, ``:stop`` ends the evaluation with what was played. Raises UserError for bad
    input, and where no task was played.
    """
    from agentgym.launch.early import refuse_unplayable
    from agentgym.launch.resolving import settings_for

    settings = settings_for(given, model, seed=seed, note=note)
    await refuse_unplayable(settings)
    from agentgym.launch.evaluation import play_tasks  # torch
    from agentgym.launch.parts import assembled
    from agentgym.launch.sampling import sampling_filters
    from agentgym.launch.score import score

    screen = Screen(console) if console else Screen(Console(highlight=False), form=terminal_form())
    played: list[Trajectory] = []
    async with assembled(settings) as parts:
        await parts.env.fetch(split)
        tasks = parts.env.tasks(split)[:episodes]
        policy = policy_of(parts, model, seed=seed, temperature=temperature)
        opens = opener(given, seed=seed, temperature=temperature)
        env: Env = make(settings.env.id, **settings.env.options)
        try:
            for number, task in enumerate(tasks, 1):
                played += await play_tasks(
                    parts.rollout,
                    parts.engine,
                    [task],
                    split=split,
                    temperature=temperature,
                    **sampling_filters(settings.rollout),
                    seed=seed,
                )
                episode = played[-1]
                screen.say(f"{number}/{len(tasks)} task {task}: {_outcome(episode)}", "dim")
                if not episode.success and await _opened(episode, env, policy, opens, screen, stdin):
                    break
        finally:
            await Visit(env).close()
    if not played:
        raise UserError(f"the split {split} has no task to play")
    return score(played), played


evaluate = plain(evaluate_async)


def _outcome(episode: Trajectory) -> str:
    if episode.stop_reason.is_void:
        return f"void, {episode.error}"
    return f"{'success' if episode.success else 'failure'}, {episode.stop_reason.value}, {len(episode.turns)} turns"


class _Stops(Shell):
    """Can end the evaluation."""

    is_enough = False

    def do_stop(self) -> None:
        """end the evaluation here; :quit goes on with the next task"""
        self.is_enough = True
        self.do_quit()


async def _opened(
    episode: Trajectory, env: Env, policy: EnginePolicy, opens: Opens, screen: Screen, stdin: TextIO | None
) -> bool:
    """Open an episode where it ended; returns whether that is enough of the evaluation."""
    shell = _Stops(Retraced(env, episode, len(episode.turns)), screen, policy, opens=opens)
    with interruptible(shell.game.interrupt):
        try:
            await shell.begin()
        except DataError as error:
            screen.complain(f"what follows was not played again: {error}")
        shell.do_look()
        screen.say(":undo goes back, :why explains, :quit plays the next task, :stop ends it all", "dim")
        try:
            await shell.read(stdin)
        finally:
            await shell.close()
    return shell.is_enough
