"""The stages that measure: test tasks, played by the policy as it is trained (sampled) and greedily."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any, Literal, TypeAlias

from agentgym.launch.evaluation import play_tasks
from agentgym.launch.intervals import Gain, gain
from agentgym.launch.score import Score, advice, outcomes, score, told_void
from agentgym.launch.stage import Stage, Workbench
from agentgym.reports import told_gain
from agentgym.rollout import Actor, expert_actor, seed_of
from agentgym.types import Trajectory

__all__ = ["Measure"]

_BEFORE, _BY_TEACHER = "solved_before", "solved_by_teacher"
"""What holds outcomes of before in the report, until those of after are there."""

Outcomes: TypeAlias = list[bool | None]


class Measure(Stage):
    """Plays the test tasks ``before`` training or ``after`` it, for the report."""

    def __init__(self, bench: Workbench, name: Literal["before", "after"], *, has_teacher: bool = False) -> None:
        super().__init__(bench)
        self.name, self.has_teacher = name, has_teacher

    async def run(self, pause: Callable[[], None]) -> None:
        bench, engine = self.bench, self.bench.parts.engine
        update = bench.report.get("best_update", 0)
        await bench.parts.publish(update)  # not as the next version: that would depend on interruptions
        tasks = bench.parts.env.tasks("test")[: bench.settings.eval.episodes]
        plays_teacher = self.has_teacher and self.name == "before"
        bench.reporter.begin(f"test, {self.name} training", (2 + plays_teacher) * len(tasks), "episodes")
        done = itertools.count(1)

        async def play(name: str, temperature: float, actor: Actor | None = None) -> list[Trajectory]:
            return await play_tasks(
                bench.parts.rollout,
                engine,
                tasks,
                name=name,
                split="test",
                temperature=temperature,
                seed=seed_of("test"),
                actor=actor,
                on_episode=lambda _: bench.reporter.advance(next(done), {}),
            )

        temperature = bench.settings.measuring_temperature
        teacher = await play("teacher", 0.0, expert_actor(bench.parts.protocol)) if plays_teacher else []
        played = await play("sampled", temperature), await play("greedy", 0.0)
        sampled, greedy = map(score, played)
        self.keep([*teacher, *played[0], *played[1]], update=update)
        if teacher:
            self._tell_teacher(teacher)
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

    def _tell_teacher(self, played: list[Trajectory]) -> None:
        """Report what whoever was imitated makes of the test tasks, which a policy may overtake."""
        bench, seen = self.bench, score(played)
        bench.report["teacher"] = _plain(seen)
        bench.report[_BY_TEACHER] = outcomes(played)
        bench.reporter.note(f"test success of the expert that was imitated: {seen.success:.3f} {list(seen.ci95)}")

    def _compare(self, sampled: Outcomes, greedy: Outcomes) -> None:
        """Report what was gained, task by task: before and after, the same tasks are played with the same seeds."""
        bench = self.bench
        if self.name == "before":
            bench.report[_BEFORE] = sampled, greedy  # a checkpoint has it; the archive may not keep all
            return
        was, teacher = bench.report.pop(_BEFORE, None), bench.report.pop(_BY_TEACHER, None)
        if was is not None:  # measured by a version that did not keep it
            for name, told in self._gains("gain", was, (sampled, greedy)).items():
                bench.reporter.note(f"{name} test success {told_gain(told)}")
        if teacher is not None:
            self._gains("gain_over_teacher", (teacher, teacher), (sampled, greedy))

    def _gains(self, key: str, was: Sequence[Outcomes], now: Sequence[Outcomes]) -> dict[str, dict[str, Any]]:
        gains = {name: gain(*pair) for name, *pair in zip(("sampled", "greedy"), was, now, strict=True)}
        told = self.bench.report[key] = {name: _plain(each) for name, each in gains.items() if each is not None}
        return told


def _plain(result: Score | Gain) -> dict[str, Any]:
    return result.model_dump(mode="json")
