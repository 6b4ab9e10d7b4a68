"""The stages that measure: test tasks, played by the policy as it is trained (sampled) and greedily."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any, Literal

from agentgym.launch.evaluation import play_tasks
from agentgym.launch.intervals import Gain, gain
from agentgym.launch.score import Score, advice, outcomes, score, told_void
from agentgym.launch.stage import Stage, Workbench
from agentgym.reports import told_gain
from agentgym.rollout import seed_of
from agentgym.types import Trajectory

__all__ = ["Measure"]

_BEFORE = "solved_before"
"""What holds the outcomes of before in the report, until those of after are there."""


class Measure(Stage):
    """Plays the test tasks ``before`` training or ``after`` it, for the report."""

    def __init__(self, bench: Workbench, name: Literal["before", "after"]) -> None:
        super().__init__(bench)
        self.name = name

    async def run(self, pause: Callable[[], None]) -> None:
        bench, engine = self.bench, self.bench.parts.engine
        update = bench.report.get("best_update", 0)
        await bench.parts.publish(update)  # not as the next version: that would depend on interruptions
        tasks = bench.parts.env.tasks("test")[: bench.settings.eval.episodes]
        bench.reporter.begin(f"test, {self.name} training", 2 * len(tasks), "episodes")
        done = itertools.count(1)

        async def play(name: str, temperature: float) -> list[Trajectory]:
            return await play_tasks(
                bench.parts.rollout,
                engine,
                tasks,
                name=name,
                split="test",
                temperature=temperature,
                seed=seed_of("test"),
                on_episode=lambda _: bench.reporter.advance(next(done), {}),
            )

        temperature = bench.settings.measuring_temperature
        played = await play("sampled", temperature), await play("greedy", 0.0)
        sampled, greedy = map(score, played)
        self.keep([*played[0], *played[1]], update=update)
        bench.report["eval"][self.name] = {**_plain(sampled), "temperature": temperature, "greedy": _plain(greedy)}
        bench.run.log("test", 0, success=sampled.success, reward=sampled.reward)
        bench.reporter.note(
            f"test success {self.name} training: {sampled.success:.3f} {list(sampled.ci95)}, "
            f"greedy {greedy.success:.3f}"
        )
        for line in (told_void([*played[0], *played[1]]), *self._advice(played[0])):
            if line:
                bench.reporter.note(line)
        self._compare(*map(outcomes, played))

    def _advice(self, sampled: list[Trajectory]) -> list[str]:
        settings = self.bench.settings
        return advice(sampled, max_reply_tokens=settings.rollout.max_reply_tokens, protocol=settings.protocol.id)

    def _compare(self, sampled: list[bool | None], greedy: list[bool | None]) -> None:
        """Report what was gained, task by task: before and after, the same tasks are played with the same seeds."""
        bench = self.bench
        if self.name == "before":
            bench.report[_BEFORE] = sampled, greedy  # a checkpoint has it; the archive may not keep all
            return
        was = bench.report.pop(_BEFORE, None)
        if was is None:  # measured by a version that did not keep it
            return
        gains = {name: gain(*pair) for name, *pair in zip(("sampled", "greedy"), was, (sampled, greedy), strict=True)}
        told = bench.report["gain"] = {name: _plain(each) for name, each in gains.items() if each is not None}
        for name, each in told.items():
            bench.reporter.note(f"{name} test success {told_gain(each)}")


def _plain(result: Score | Gain) -> dict[str, Any]:
    return result.model_dump(mode="json")
