"""What a run holds to be warned by: every line of its metrics goes through here, past the alarms.

metrics.jsonl gets a line of stage "alarm" when one begins (1) and when it ends (0), the reporter a note when it
begins, report.json all of them. There is no state of its own to save: which alarms are on follows from the metrics,
and the episodes that the drift of the policy is measured on are in the archive.
"""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from agentgym.alarms import AlarmSettings, Watch, played, ranges
from agentgym.launch.reporting import Reporter
from agentgym.launch.score import Score
from agentgym.launch.settings import TrainSettings
from agentgym.learn.drift import base_rows, drift_of
from agentgym.learn.learner import Learner
from agentgym.learn.rows import Row, teaches
from agentgym.run import Run
from agentgym.types import Trajectory

__all__ = ["Monitor", "bounds"]

MAX_BASE_EPISODES = 64


def bounds(settings: TrainSettings) -> AlarmSettings:
    """The alarms' settings, with what depends on the rest of the run filled in."""
    chosen = settings.alarms
    own = settings.model.options.get("dtype") or "float32"
    is_coarse = "bfloat16" in (own, settings.trainer.options.get("precision"))
    mismatch = 5e-2 if is_coarse else 1e-3
    if (settings.engine.options.get("dtype") or own) != own:
        mismatch = 0.5
    defaults = {"mismatch": mismatch, "forward_kl": None if settings.model.id == "nano" else 0.5}
    return chosen.model_copy(update={key: value for key, value in defaults.items() if getattr(chosen, key) is None})


class Monitor:
    """Logs metrics of ``run`` and raises alarms."""

    def __init__(self, run: Run, settings: TrainSettings, reporter: Reporter) -> None:
        self.run, self.reporter = run, reporter
        self.watch = Watch(bounds(settings), max_reply_tokens=settings.rollout.max_reply_tokens)
        self._base: list[Row] | None = None
        self._temperature = settings.measuring_temperature

    def replay(self, metrics: Iterable[Mapping[str, Any]]) -> None:
        """See what the run has logged before."""
        for line in metrics:
            self.watch.see(line)

    def log(self, stage: str, update: int, **values: float) -> None:
        """Add a line to the metrics, and see what it says."""
        self.run.log(stage, update, **values)
        for alarm in self.watch.see({"stage": stage, "update": update, **values}):
            begins = alarm.until is None
            self.run.log("alarm", update, **{alarm.name: float(begins)})
            if begins:
                self.reporter.note(f"alarm: {alarm}")

    def updated(self, stage: str, update: int, metrics: Mapping[str, float], episodes: Sequence[Trajectory]) -> None:
        """Log an update, which learned from ``episodes``."""
        self.log(stage, update, **metrics, **played(episodes))

    def validated(self, update: int, seen: Score, episodes: Sequence[Trajectory], learner: Learner) -> None:
        """Log a look at the validation tasks: its ``episodes``, and the policy's drift.

        At update 0 the policy is the one that training begins with: the drift is measured on its episodes, which are
        in the archive.
        """
        if update == 0:
            self._base = _base_of(episodes)
        low, high = seen.ci95
        values = {"success": seen.success, "success_low": low, "success_high": high, "reward": seen.reward}
        self.log("validation", update, **values, **_reward_error(episodes), **self._drift(learner))

    def conclude(self, report: dict[str, Any], metrics: Sequence[Mapping[str, Any]]) -> None:
        """Add the alarms, and the ranges of what is watched, to the report; the reporter is reminded of them."""
        report["alarms"] = [alarm.as_dict() for alarm in self.watch.alarms]
        report["diagnostics"] = ranges(metrics)
        names = dict.fromkeys(alarm.name.replace("_", " ") for alarm in self.watch.alarms)
        if names:
            self.reporter.note(f"alarms: {', '.join(names)}; what to do is in {self.run.directory / 'report.md'}")

    def _drift(self, learner: Learner) -> dict[str, float]:
        """KL(base ‖ policy) and its standard error; nothing where there are no episodes to measure it on."""
        if self._base is None:
            self._base = _base_of(self.run.episodes.episodes(stage="train", split="validation", update=0))
        if not teaches(self._base):
            return {}
        drift = drift_of(self._base, learner.score(self._base, temperature=self._temperature))
        known = {"forward_kl": drift.kl, "forward_kl_error": drift.error}
        return {name: value for name, value in known.items() if math.isfinite(value)}


def _base_of(episodes: Iterable[Trajectory]) -> list[Row]:
    """Of the first that count, enough to measure on."""
    counted = (episode for episode in episodes if not episode.stop_reason.is_void)
    return base_rows(list(itertools.islice(counted, MAX_BASE_EPISODES)))


def _reward_error(episodes: Sequence[Trajectory]) -> dict[str, float]:
    """Standard error of the mean reward; nothing for fewer than two episodes."""
    rewards = [episode.environment_reward for episode in episodes if not episode.stop_reason.is_void]
    return {"reward_error": statistics.stdev(rewards) / math.sqrt(len(rewards))} if len(rewards) > 1 else {}
