"""A run that a test writes by hand, and the page in a real Chromium."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from agentgym.archive import Archive
from agentgym.ledger import Entry
from agentgym.media import as_media
from agentgym.run import Run
from agentgym.types import Sample, StopReason, Trajectory, Turn
from agentgym.viewer import Sources
from agentgym.viewer.server import Viewer
from tests.kit import episode

__all__ = ["CONFIG", "Page", "add", "browsing", "chromium", "lines", "made", "opened", "picture", "plain", "spoken"]

CONFIG: dict[str, Any] = {
    "env": {"id": "toy"},
    "trainer": {"id": "grpo", "keep_truncated": False},
    "model": {"id": "nano"},
    "seed": 3,
    "updates": 2,
}


def spoken(*replies: str, logprob: float = -0.5, **changes: Any) -> Trajectory:
    """An episode with tokens: of each turn two of the prompt and two of the reply, by the weights of its number."""
    turns = [Turn(observation=f"seen {n}", reply=reply, action=reply, breakdown={}) for n, reply in enumerate(replies)]
    num = len(replies)
    sample = Sample(
        token_ids=[10 * turn + place for turn in range(num) for place in range(4)],
        loss_mask=[place >= 2 for _ in range(num) for place in range(4)],
        logprobs=[logprob if place >= 2 else 0.0 for _ in range(num) for place in range(4)],
        turn_index=[turn for turn in range(num) for _ in range(4)],
        policy_versions=[turn if place >= 2 else -1 for turn in range(num) for place in range(4)],
    )
    return episode(**{"turns": turns, "samples": [sample], **changes})


def lines() -> list[Trajectory]:
    """A group of which one line branched off another at its second turn."""
    whole = episode(0.0, 1.0, episode_id="1-1-0", group_id="1-1", update=1, stage="train", split="train", success=True)
    fork = episode(0.0, 0.5, episode_id="1-1-1", group_id="1-1", update=1, stage="train", split="train")
    return [whole, fork.model_copy(update={"parent_id": "1-1-0", "branch_turn": 1})]


def made(folder: Path, more: Sequence[Trajectory] = (), *, name: str = "run") -> Path:
    """A run of one update: numbers 1 and 2 taught nothing, 3 and 4 did and branched, 5 is void, 6 is of the test."""
    directory = folder / name
    run = Run.create(directory, CONFIG)
    common: dict[str, Any] = {
        "group_id": "1-0",
        "update": 1,
        "stage": "train",
        "split": "train",
        "ordinal": 0,
        "task": 7,
    }
    equal = [episode(0.5, episode_id=f"1-0-{n}", **common) for n in range(2)]
    void = episode(stop=StopReason.ENV_ERROR, episode_id="v", group_id="1-2", update=1, stage="train", error="it broke")
    test = episode(1.0, episode_id="t", group_id="sampled-0", stage="after", split="test", task=7, success=True)
    branched = [line.model_copy(update={"ordinal": 1}) for line in lines()]
    add(directory, [*equal, *branched, void.model_copy(update={"split": "train"}), test, *more])
    run.log("train", 1, success=0.25, reward=0.75, clip_fraction=0.25)
    run.log("validation", 1, success=0.5, success_low=0.25, success_high=0.75)
    run.account(
        [
            Entry(ordinal=0, task=7, update=1, fate="rejected", reason="equal rewards"),
            Entry(ordinal=1, task=0, update=1, fate="trained"),
        ]
    )
    run.close()
    return directory


def add(directory: Path, episodes: Sequence[Trajectory]) -> None:
    """Write further episodes, as a run that goes on does."""
    with Archive(directory) as archive:
        archive.append(episodes)


def picture(directory: Path) -> str:
    """Put an image beside the episodes; its digest."""
    from PIL import Image

    media = as_media(Image.new("RGB", (4, 3), "red"))
    with Archive(directory) as archive:
        archive.media.put(media)
    return media.digest


@contextlib.contextmanager
def opened(*paths: Path) -> Iterator[Sources]:
    with contextlib.closing(Sources.open(paths)) as sources:
        yield sources


@dataclasses.dataclass
class Page:
    """A page in a browser, and everything that its console said."""

    page: Any
    url: str
    said: list[str]

    def go(self, place: str) -> None:
        """Show a view, and wait until it is drawn."""
        self.page.goto(f"{self.url}#/{place}")
        self.until("document.querySelector('main').dataset.shown === location.hash")

    def until(self, expression: str, *, seconds: float = 20) -> None:
        """Wait until that is true. The page lets nobody evaluate a text, so that it is asked again and again."""
        limit = time.monotonic() + seconds
        while not self.page.evaluate(expression):
            assert time.monotonic() < limit, f"never true: {expression}; {self.text('main')[:500]}"
            self.page.wait_for_timeout(20)

    def text(self, selector: str) -> str:
        return str(self.page.inner_text(selector))


@contextlib.contextmanager
def chromium() -> Iterator[Any]:
    """A browser that runs, of this machine."""
    from playwright.sync_api import sync_playwright

    from agentgym.browser.chromium import FLAGS, executable

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable(), args=list(FLAGS))
        try:
            yield browser
        finally:
            browser.close()


@contextlib.contextmanager
def browsing(browser: Any, *paths: Path, width: int = 1200, file: Path | None = None, **context: Any) -> Iterator[Page]:
    """The viewer of ``paths``, or a ``file`` that was exported, in a context of its own of ``browser``."""
    with contextlib.ExitStack() as stack:
        if file is None:
            viewer = stack.enter_context(Viewer(stack.enter_context(opened(*paths))))
        page = browser.new_page(viewport={"width": width, "height": 800}, **context)
        stack.callback(page.close)
        said: list[str] = []
        page.on("console", lambda message: said.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: said.append(f"error: {error}"))
        yield Page(page, viewer.url if file is None else file.as_uri(), said)


def plain(found: Any) -> Any:
    """As it comes out of JSON."""
    return json.loads(json.dumps(found))
