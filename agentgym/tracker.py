"""A run's numbers in trackio or Weights & Biases as well, where that is asked for: ``--report_to trackio``.

metrics.jsonl and TensorBoard are written in any case, and are what a run is known by. What a tracker refuses, for want
of a network or of a key, is told once, and the run goes on without it. Each stage counts its own updates, so every
stage's numbers have their own axis. An update that is done again after a crash is there twice: trackers take nothing
back.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any, Literal, TypeAlias

from agentgym.extras import require

__all__ = ["PROJECT", "Tracker", "TrackerName"]

TrackerName: TypeAlias = Literal["trackio", "wandb"]
PROJECT = "agentgym"
"""That runs are in, unless WANDB_PROJECT or TRACKIO_PROJECT says otherwise."""


class Tracker:
    """One of them, which has begun a run, or goes on with the one of that name. Raises MissingExtraError."""

    def __init__(
        self, tracker: TrackerName, name: str, config: Mapping[str, Any], *, note: Callable[[str], None]
    ) -> None:
        self._module: Any = require(tracker, extra=tracker)
        self._tracker, self._note, self._stages, self._works = tracker, note, set[str](), True
        options: dict[str, Any] = {"project": os.environ.get(f"{tracker.upper()}_PROJECT", PROJECT), "name": name}
        if tracker == "wandb":
            options["id"] = name  # by which it goes on
        self._ask("init", **options, config=dict(config), resume="allow")

    def show(self, line: Mapping[str, Any]) -> None:
        """A line of metrics.jsonl."""
        stage = str(line["stage"])
        values = {f"{stage}/{name}": value for name, value in line.items() if name not in ("stage", "time")}
        if self._tracker == "wandb" and stage not in self._stages:
            self._ask("define_metric", f"{stage}/*", step_metric=f"{stage}/update")
        self._stages.add(stage)
        self._ask("log", values)

    def close(self) -> None:
        """Hand over what is buffered."""
        self._ask("finish")

    def _ask(self, what: str, *args: Any, **options: Any) -> None:
        if not self._works:
            return
        try:
            getattr(self._module, what)(*args, **options)
        except Exception as error:  # whatever a network or a service raises
            self._works = False
            self._note(f"{self._tracker} takes nothing more of this run: {type(error).__name__}: {error}")
