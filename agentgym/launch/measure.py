"""The stages that measure: test tasks, played by the policy as it is trained (sampled) and greedily."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any, Literal

from agentgym.launch.evaluation import Score, play_tasks, score
from agentgym.launch.stage import Stage, Workbench
from agentgym.rollout import seed_of
from agentgym.types import Trajectory

__all__ = ["Measure"]


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


def _plain(result: Score) -> dict[str, Any]:
    return result.model_dump(mode="json")
