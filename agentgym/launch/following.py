"""Ranks that follow rank 0: they have the same policy and trainer, and do with it what rank 0 does, when it says so.

They play nothing, measure nothing and decide nothing. Rank 0 tells them how it began (``muster``), and from then on
what takes all of them. What is on disk they read and write themselves: all ranks must see the run's directory.
"""

from __future__ import annotations

import collections
import contextlib
import signal
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import torch

from agentgym.actors.scripted import ScriptedEngine
from agentgym.config import validated
from agentgym.errors import NonFiniteError
from agentgym.launch import ranks
from agentgym.launch.equipping import Terms, equip
from agentgym.launch.models import loaded_policy
from agentgym.launch.settings import TrainSettings
from agentgym.launch.training import seed_all
from agentgym.learn import checkpoint
from agentgym.learn.distributed import World
from agentgym.learn.lead import Channel, led_by, telling
from agentgym.learn.learner import Learner
from agentgym.learn.policy import Policy, load_policy
from agentgym.learn.rows import Row, teaches
from agentgym.learn.trainer import Trainer
from agentgym.media import as_media
from agentgym.registry import plugins
from agentgym.scratch import scratch
from agentgym.trainers.sft import SFT
from agentgym.types import Media, Trajectory

__all__ = ["Follower", "led", "muster"]


async def led(work: Callable[[], Awaitable[Path]]) -> Path:
    """What ``work``, which makes or goes on with a run, returns: rank 0 does it, and the others follow.

    Raises RankError where another rank has ended; and SystemExit in those that follow, where rank 0 did not finish.
    """
    with ranks.joined() as channel:
        if not ranks.is_first():
            with scratch() as media:
                return await Follower(channel, media).follow()
        run: Path | None = None
        try:
            with led_by(channel), ranks.told():
                run = await work()
            return run
        finally:
            with contextlib.suppress(RuntimeError):  # nobody may be left to hear it
                channel.send("end", {"run": None if run is None else str(run.resolve())}, {})


def muster(settings: TrainSettings, policy: Policy, policy_dir: Path | None) -> None:
    """Have the other ranks begin with ``settings`` and with ``policy``, which was read from ``policy_dir`` if given."""

    def files() -> dict[str, bytes]:
        return _saved(policy) if settings.model.id == "nano" else {}

    source = None if policy_dir is None else str(policy_dir.resolve())
    with telling("begin", lambda: {"settings": settings.model_dump(mode="json"), "policy": source}, files):
        World.here().share(policy.module)


def _saved(policy: Policy) -> dict[str, bytes]:
    """The files of one that was made from nothing."""
    with scratch() as directory:
        policy.save(directory / "policy")
        return {file.name: file.read_bytes() for file in sorted((directory / "policy").iterdir())}


def _sent(files: dict[str, bytes]) -> Policy:
    with scratch() as directory:
        for name, content in files.items():
            (directory / Path(name).name).write_bytes(content)
        return load_policy(str(directory), device="cpu")


class Follower:
    """Does what comes in over ``channel``; images that it is shown are kept in the directory ``media``."""

    settings: TrainSettings
    policy: Policy
    trainer: Trainer[Any]

    def __init__(self, channel: Channel, media: Path) -> None:
        self.channel, self.media = channel, media
        self.learners: list[Learner] = []

    async def follow(self) -> Path:
        """Until rank 0 says that it is over; returns the run's directory. Raises RankError when rank 0 is gone.

        SystemExit where it did not finish: it has said why. Whether the run is interrupted is rank 0's to decide.
        """
        with _deaf(), ranks.told():
            while True:
                command, facts, files = self.channel.receive()
                if command == "end":
                    if facts["run"] is None:
                        raise SystemExit(1)
                    return Path(facts["run"])
                if command == "close":
                    await self.trainer.close()
                else:
                    getattr(self, f"_{command}")(facts, files)

    def _begin(self, facts: Any, files: dict[str, bytes]) -> None:
        self.settings = settings = validated(TrainSettings, facts["settings"])
        if settings.threads is not None:
            torch.set_num_threads(settings.threads)
        seed_all(settings.seed)
        source = None if facts["policy"] is None else Path(facts["policy"])
        self.policy = _sent(files) if files else loaded_policy(settings.model, source)
        self.policy.tokenizer.store.move_to(self.media)
        World.here().share(self.policy.module)

    def _open(self, facts: Any, _: Any) -> None:
        terms, settings = Terms(**facts), self.settings
        if terms.stage == "warm_start":
            self.trainer = SFT(settings.warm_start)
        else:
            self.trainer = plugins("trainers").build(settings.trainer.id, settings.trainer.options)
        self.learners = equip(self.trainer, self.policy, terms, lambda _: ScriptedEngine(list))

    def _study(self, facts: Any, files: dict[str, bytes]) -> None:
        for digest, data in files.items():
            self.policy.tokenizer.store.put(as_media(Media(digest=digest, data=data)))
        if (measured := facts["measured"]) is not None:
            self.trainer.measured = [Trajectory.model_validate(each) for each in measured]
        for learner in self.learners:
            learner.progress = facts["progress"]
        trajectories = [Trajectory.model_validate(each) for each in facts["trajectories"]]
        lesson = self.trainer.lesson(facts["update"], trajectories)
        if teaches(lesson.rows):
            with contextlib.suppress(NonFiniteError):  # rank 0 counts them
                self.trainer.learn(facts["update"], lesson)

    def _weights(self, facts: Any, _: Any) -> None:
        collections.deque(self.learners[facts["of"]].weights(), maxlen=0)

    def _policy(self, facts: Any, _: Any) -> None:
        collections.deque(self.policy.weights(trained=facts["trained"]), maxlen=0)

    def _score(self, facts: Any, _: Any) -> None:
        rows = [Row(**row) for row in facts["rows"]]
        self.learners[facts["of"]].score(rows, temperature=facts["temperature"])

    def _save(self, facts: Any, _: Any) -> None:
        with contextlib.suppress(OSError):  # rank 0 tells of it, and the run goes on
            learner, trainer = self._learning(facts)
            checkpoint.save(Path(), self.policy, learner, {}, trainer=trainer)

    def _load(self, facts: Any, _: Any) -> None:
        learner, trainer = self._learning(facts)
        checkpoint.load(Path(facts["from"]), learner, trainer=trainer)

    def _restore(self, facts: Any, _: Any) -> None:
        self.policy.restore(Path(facts["from"]))

    def _learning(self, facts: Any) -> tuple[Learner | None, Trainer[Any] | None]:
        """What learns in the stage under way, if anything does."""
        return (self.learners[0], self.trainer) if facts["learns"] else (None, None)


@contextlib.contextmanager
def _deaf() -> Iterator[None]:
    """While entered, Ctrl-C and a request to end change nothing here."""
    signals = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, signal.SIG_IGN) for number in signals]
    try:
        yield
    finally:
        for number, handler in zip(signals, before, strict=True):
            signal.signal(number, handler)
