"""From settings to a finished run: the one place where environments, engines and trainers meet.

Each function comes twice: ``train`` for a script, a prompt or a notebook, and ``train_async`` for a program with an
event loop of its own. Settings are checked before anything large is imported.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agentgym.errors import UserError
from agentgym.launch import ranks
from agentgym.launch.early import refuse_unplayable, refuse_unresumable, refuse_untrainable
from agentgym.launch.reporting import Reporter, Silent
from agentgym.launch.resolving import resolve, settings_for
from agentgym.launch.sampling import refuse_greedy
from agentgym.loops import plain
from agentgym.watchdog import LastResort

if TYPE_CHECKING:
    from agentgym.launch.score import Score
    from agentgym.types import Trajectory

__all__ = [
    "evaluate",
    "evaluate_async",
    "record",
    "record_async",
    "resume",
    "resume_async",
    "train",
    "train_async",
]


_IMPORT_SECONDS = 600.0
"""That a plug-in may take to be imported; one that takes longer hangs."""


async def _led(work: Callable[[], Awaitable[Path]]) -> Path:
    """What ``work`` returns; where torchrun started several ranks, the first does it and the others follow."""
    if ranks.num_ranks() == 1:
        return await work()
    from agentgym.launch.following import led

    return await led(work)


async def train_async(given: Mapping[str, Any], *, reporter: Reporter | None = None) -> Path:
    """Train as ``given`` says, a mapping with the keys of ``TrainSettings``; returns the run directory.

    Raises UserError for bad input before anything is written.

    Example::

        run = agentgym.train({"env": "webshop", "updates": 20, "output": "runs/mine"})
    """

    async def work() -> Path:
        with LastResort(_IMPORT_SECONDS):
            settings = resolve(given)
        await refuse_untrainable(settings)
        from agentgym.launch.starting import start

        return await start(settings, reporter or Silent())

    return await _led(work)


async def resume_async(
    directory: Path, given: Mapping[str, Any] | None = None, *, force: bool = False, reporter: Reporter | None = None
) -> Path:
    """Go on with an interrupted run from its newest complete checkpoint; returns ``directory``.

    ``given`` are settings as for ``train``; those that differ from the run's are refused, or with ``force`` taken up
    if they may change. Raises ConfigError for them, DataError for a checkpoint that does not fit, and UserError for a
    run that another process trains or whose model is another one now.
    """

    async def work() -> Path:
        refuse_unresumable(directory, given or {})
        from agentgym.launch.resuming import go_on

        return await go_on(directory, given or {}, force=force, reporter=reporter or Silent())

    return await _led(work)


async def evaluate_async(
    given: Mapping[str, Any],
    model: str,
    *,
    episodes: int = 200,
    split: str = "test",
    temperature: float = 0.0,
    seed: int = 0,
    samples: int = 1,
    trajectories: Path | None = None,
    reporter: Reporter | None = None,
) -> tuple[Score, list[Trajectory]]:
    """The score of ``model`` on tasks of ``split``, and the episodes. Raises UserError for bad input.

    ``samples`` episodes of each task are played, and no more than one at temperature 0, which is greedy; with a search
    they are the lines of one tree, of which the one that it chooses counts. ``model`` is a
    run, a model directory, a .gguf file, a Hugging Face id or openai:URL. ``trajectories``, where given, gets the
    episodes as they end: an archive in that directory, or a JSONL file where the name ends in .jsonl.

    Example::

        score, episodes = agentgym.evaluate({"env": "webshop"}, "runs/mine")
    """
    reporter = reporter or Silent()
    with LastResort(_IMPORT_SECONDS):
        settings = settings_for(given, model, seed=seed, note=reporter.note)
    refuse_greedy(settings, samples=samples, temperature=temperature)
    await refuse_unplayable(settings)
    from agentgym.launch.evaluation import measure

    return await measure(
        settings,
        episodes=episodes,
        split=split,
        temperature=temperature,
        samples=samples,
        trajectories=trajectories,
        reporter=reporter,
    )


async def record_async(
    given: Mapping[str, Any],
    model: str,
    *,
    output: Path | None = None,
    episodes: int = 200,
    samples: int = 8,
    split: str = "train",
    temperature: float = 1.0,
    seed: int = 0,
    reporter: Reporter | None = None,
) -> tuple[Path, Score]:
    """Where the episodes of ``model`` are now, to learn from, and their score. Raises UserError for bad input.

    ``samples`` episodes of each of so many train tasks, as ``evaluate`` plays them; of a search all lines. None is
    learned from that is of another split. ``output`` is a directory for an archive or a JSONL file, which must not
    exist; without one it is recorded/<env>-<seed>.

    Example::

        there, _ = agentgym.record({"env": "webshop"}, "runs/mine")
        agentgym.train({"env": "webshop", "trainer": {"id": "dpo", "data": str(there)}})
    """
    reporter = reporter or Silent()
    with LastResort(_IMPORT_SECONDS):
        settings = settings_for(given, model, seed=seed, note=reporter.note)
    there = output or Path("recorded") / f"{Path(settings.env.id).stem}-{seed}"
    if there.exists():
        raise UserError(f"{there} exists already, and episodes are not mixed; choose another --output, or move it away")
    refuse_greedy(settings, samples=samples, temperature=temperature)
    await refuse_unplayable(settings)
    from agentgym.launch.evaluation import measure

    score, _ = await measure(
        settings,
        episodes=episodes,
        split=split,
        temperature=temperature,
        samples=samples,
        trajectories=there,
        keeps_lines=True,
        reporter=reporter,
    )
    return there, score


train, resume = plain(train_async), plain(resume_async)
evaluate, record = plain(evaluate_async), plain(record_async)
