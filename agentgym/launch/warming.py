"""The warm start: imitation until the policy begins to succeed, or until more of it leads nowhere.

Both are judged on validation tasks, which the policy plays itself, sampled: an imitator whose loss goes on falling may
have stopped getting anywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from agentgym import sealed
from agentgym.launch.learning import Learning
from agentgym.launch.score import score

__all__ = ["WarmStart"]


class WarmStart(Learning):
    """Imitates until the policy begins to succeed, or no longer gets better."""

    best_success = best_reward = -1.0
    """The best that was seen on validation tasks, each for itself."""
    risen_at = 0
    """The update after which one of them was seen to rise last."""
    ended = ""
    """Why it is over."""

    async def run(self, pause: Callable[[], None]) -> None:
        bench = self.bench
        await self.trainer.open()
        bench.reporter.begin("warm start", self.max_updates, "updates")
        while not await self._is_over():
            await self.update(pause)
        directory = bench.run.directory / "warm_start"
        if directory.exists():  # from before an interruption
            sealed.discard(directory)
        sealed.seal(directory, bench.parts.policy.save)
        self.conclude()
        bench.report["stages"][self.name]["ended"] = self.ended
        bench.reporter.note(f"warm start: {self.at} updates, {bench.clock.elapsed:.0f} s; {self.ended}")

    def state(self) -> dict[str, Any]:
        best = {"best_success": self.best_success, "best_reward": self.best_reward, "risen_at": self.risen_at}
        return {**super().state(), **best}

    def load_state(self, state: Mapping[str, Any]) -> None:
        super().load_state(state)
        self.best_success, self.best_reward = state["best_success"], state["best_reward"]
        self.risen_at = state["risen_at"]

    async def _is_over(self) -> bool:
        due = self.at not in (0, self.checked) and self.at % self.bench.settings.warm_start.check_every == 0
        if due and await self._is_enough():
            return True
        if self.at >= self.max_updates:
            self.ended = f"it may have no more{self._told_best()}"
        return self.at >= self.max_updates

    async def _is_enough(self) -> bool:
        settings = self.bench.settings.warm_start
        seen = score(await self.validate(self.bench.parts.limits))
        self.bench.run.log("warm_start_validation", self.at, success=seen.success, reward=seen.reward)
        if seen.success > self.best_success or seen.reward > self.best_reward:
            self.risen_at = self.at
        self.best_success = max(self.best_success, seen.success)
        self.best_reward = max(self.best_reward, seen.reward)
        if seen.success >= settings.until:
            self.ended = (
                f"the policy succeeds in {seen.success:.2f} of the validation tasks, warm_start.until is "
                f"{settings.until:g}"
            )
            return True
        self.checked = self.at
        if (idle := self.at - self.risen_at) < settings.patience * settings.check_every:
            return False
        self.ended = f"in the last {idle} of them nothing rose on validation tasks{self._told_best()}"
        return True

    def _told_best(self) -> str:
        if self.best_success < 0:
            return ""
        return f"; at best success was {self.best_success:.2f} and reward {self.best_reward:.2f}"
