"""What a run chooses, measures, keeps and goes on from."""

from __future__ import annotations

from tests.mutants.mutant import Module, Mutation

UNIT = "tests/unit/launch"

MODULES = (
    Module(
        "agentgym/launch/learning.py",
        (f"{UNIT}/test_learning.py",),
        (
            Mutation("the last of equals", "if merit > self.best:", "if merit >= self.best:"),
            Mutation("stale weights measured", "        await self.loop.publish(self.at)\n", ""),
            Mutation(
                "time of the run",
                "self.bench.clock.elapsed - self.began >= seconds",
                "self.bench.clock.elapsed >= seconds",
            ),
            Mutation("a step more", "self.steps >= steps", "self.steps > steps"),
            Mutation("in order for all", 'in_order=settings.mode == "async"', "in_order=True"),
            Mutation("more than enough", "seen.success >= settings.until", "seen.success > settings.until"),
        ),
    ),
    Module(
        "agentgym/launch/evaluation.py",
        (f"{UNIT}/test_evaluation.py",),
        (
            Mutation("shaped rewards", "sum(trajectory.environment_reward for", "sum(trajectory.reward for"),
            Mutation("one seed for all tasks", 'seed_of(seed, "evaluate", task)', 'seed_of(seed, "evaluate")'),
        ),
    ),
    Module(
        "agentgym/launch/kept.py",
        (f"{UNIT}/test_kept.py",),
        (Mutation("a needed policy goes", '{self.name, *(state["kept"] for state in states)}', "{self.name}"),),
    ),
)
