"""The pages of the package ``miniwob`` (MIT): where they lie, how one is begun, and what it says of itself.

The package drives them with Selenium; here its files alone are used. A page draws its problem from a seed, tells when
it is done and what that is worth: a raw reward from -1 to 1, and one that shrinks with the time that was taken. The raw
one counts here, so that a slow machine is paid the same. The ten seconds after which a page gives up are switched off.
"""

from __future__ import annotations

import dataclasses
import importlib.util
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from agentgym.extras import installed, require

__all__ = ["PROBE", "SKIPPED", "START", "Standing", "fields_of", "html_folder"]

SKIPPED = "#query, #reward-display, #click-canvas, #sync-task-cover"
"""What belongs to the frame around a task, and no task."""

_FOREVER = 2**31 - 1
"""Milliseconds: the most that a browser's timer can wait."""

START = f"""async ([seed, mode]) => {{
    if (document.readyState !== "complete") await new Promise((go) => addEventListener("load", go));
    core.EPISODE_MAX_TIME = {_FOREVER};
    Math.seedrandom(seed);
    core.setDataMode(mode);
    core.startEpisodeReal();
}}"""
"""Begins an episode as the package does, but for the time."""

PROBE = """() => typeof core === "undefined" ? null : {
    utterance: core.getUtterance(),
    done: WOB_DONE_GLOBAL,
    raw: WOB_RAW_REWARD_GLOBAL,
    reason: String(WOB_REWARD_REASON ?? ""),
}"""
"""What a page says of itself, with each look at it."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How an episode stands."""

    utterance: str
    """The task in words."""
    done: bool
    raw: float
    """From -1 to 1; has a meaning once it is done."""
    reason: str = ""
    given: tuple[tuple[str, str], ...] = ()
    """Fields of the task that the page tells beside its words."""

    @classmethod
    def of(cls, probed: Mapping[str, Any]) -> Standing:
        """From what the page says; some tell the fields of the task beside its words."""
        said = probed["utterance"]
        told = said if isinstance(said, Mapping) else {"utterance": said, "fields": {}}
        given = tuple((str(name), str(value)) for name, value in told["fields"].items())
        return cls(**{**probed, "utterance": str(told["utterance"]), "raw": float(probed["raw"]), "given": given})

    @property
    def reward(self) -> float:
        """0 to 1: nothing for a mistake, and part of it where a page pays in part."""
        return max(0.0, self.raw) if self.done else 0.0


def fields_of(task: str, standing: Standing) -> list[tuple[str, str]]:
    """What the task is about, by name, as the package reads it: told by the page, or found in its words."""
    if standing.given:
        return list(standing.given)
    found = require("miniwob.fields", extra="gui").get_field_extractor(task)(standing.utterance)
    return [(str(name), str(value)) for name, value in found]


def html_folder() -> Path:
    """The package's files. Raises MissingExtraError. The package is not imported: it would load Selenium."""
    installed("miniwob", extra="gui")
    spec = importlib.util.find_spec("miniwob")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent / "html"
