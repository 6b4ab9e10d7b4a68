"""How long the viewer's page takes until something is seen, in a real Chromium.

- an archive of 100,000 episodes: until its table is drawn, from an empty tab on; until a filter has been applied; until
  a jump to its end shows rows; until the first hits of a search in messages show;
- an episode of 100 MB, 1,000 turns of 100 kB that hardly compress: until its first turns are drawn, and until its
  last ones are.

Each is the median of several times, with the server in the process that measures.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from agentgym.archive import Archive
from agentgym.browser.chromium import FLAGS, executable
from agentgym.types import Sample, StopReason, Trajectory, Turn
from agentgym.viewer import Sources
from agentgym.viewer.server import Viewer

EPISODES, TURNS, LETTERS = 100_000, 1_000, 100_000
TIMES = 5
TARGETS = {
    "table of 100,000 episodes, first paint": 1.0,
    "table of 100,000 episodes, filter": 0.5,
    "table of 100,000 episodes, jump to its end": 0.5,
    "table of 100,000 episodes, first hits of a search": 0.5,
    "episode of 100 MB, first paint": 1.0,
    "episode of 100 MB, its last turn": 5.0,
}


def many(directory: Path, num: int) -> None:
    """Short episodes of all stages, as a long run has them."""
    draws = random.Random(0)
    reasons = [*StopReason]
    with Archive(directory) as archive:
        for start in range(0, num, 5_000):
            archive.append([_short(number, draws, reasons) for number in range(start, min(num, start + 5_000))])


def _short(number: int, draws: random.Random, reasons: list[StopReason]) -> Trajectory:
    turns = [
        Turn(observation=f"room {draws.randrange(100)}", reply=f"go {draws.choice(_WAYS)}", action="go")
        for _ in range(3)
    ]
    turns[-1].breakdown = {"environment": draws.randrange(5) / 4}
    update = number // 128
    sample = Sample(
        token_ids=[1, 2, 3],
        loss_mask=[False, True, True],
        logprobs=[0.0, -0.5, -1.0],
        turn_index=[0, 0, 0],
        policy_versions=[-1, 0, 0],
    )
    return Trajectory(
        env="rooms",
        task=draws.randrange(1000),
        seed=number,
        episode_id=f"{update}-{number % 128 // 8}-{number % 8}",
        group_id=f"{update}-{number % 128 // 8}",
        ordinal=number // 8,
        split="train",
        stage=draws.choice(["train"] * 8 + ["warm_start", "after"]),
        update=update,
        level=float(draws.randrange(6)),
        turns=turns,
        samples=[sample],
        stop_reason=draws.choices(reasons, [80, 5, 5, 2, 3, 1, 3, 1])[0],
        success=draws.random() < 0.3,
    )


_WAYS = ("north", "south", "east", "west")


def long(directory: Path, num_turns: int, letters: int) -> None:
    """One episode of random letters."""
    draws = random.Random(0)
    block = "".join(chr(draws.randrange(97, 123)) for _ in range(2 * letters))
    starts = [draws.randrange(letters) for _ in range(num_turns)]
    turns = [Turn(observation=_mixed(block[at : at + letters], at), reply=f"said {at}", action="go") for at in starts]
    with Archive(directory) as archive:
        archive.append([Trajectory(env="rooms", task=0, seed=0, episode_id="long", turns=turns)])


def _mixed(text: str, salt: int) -> str:
    """``text`` in another order: what repeats would compress."""
    draws = random.Random(salt)
    pieces = [text[at : at + 8] for at in range(0, len(text), 8)]
    draws.shuffle(pieces)
    return "".join(pieces)


class Tab:
    """A page that is asked whether something is true until it is."""

    def __init__(self, browser: Any, url: str) -> None:
        self.browser, self.url = browser, url
        self.page = browser.new_page(viewport={"width": 1280, "height": 800})

    def anew(self) -> None:
        """Another tab, with nothing in its cache."""
        self.page.close()
        self.page = self.browser.new_page(viewport={"width": 1280, "height": 800})

    def seconds(self, act: Callable[[], object], shows: str) -> float:
        """From ``act`` until ``shows`` is true and drawn."""
        began = time.perf_counter()
        act()
        while not self.page.evaluate(f"Boolean({shows})"):
            if time.perf_counter() - began > 60:
                raise RuntimeError(f"never true: {shows}")
        self.page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
        return time.perf_counter() - began

    def go(self, place: str) -> Callable[[], object]:
        return lambda: self.page.goto(f"{self.url}#/{place}", wait_until="commit")


COUNT = "document.querySelector('main [role=status]')?.textContent"
LINES = "document.querySelectorAll('.line .tag').length > 10"


def of_many(tab: Tab, num: int) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {name: [] for name in list(TARGETS)[:4]}
    first, filtered, end, hits = found.values()
    for turn in range(TIMES):
        tab.anew()
        first.append(tab.seconds(tab.go("episodes"), f"{COUNT} === '{num:,} episodes' && {LINES}"))
        before = tab.page.inner_text("main [role=status]")
        reason = ("turn_limit", "env_error", "truncated", "deadline", "aborted")[turn % 5]
        choose = lambda: tab.page.select_option("[name=stop_reason]", reason)  # noqa: E731, B023
        filtered.append(tab.seconds(choose, f"{COUNT} !== '{before}' && {LINES}"))
        tab.page.select_option("[name=stop_reason]", "")
        tab.seconds(lambda: None, f"{COUNT} === '{before}' && {LINES}")
        last = f"[...document.querySelectorAll('.line a')].at(-1)?.textContent === '{num}'"
        tab.page.focus(".rows")
        end.append(tab.seconds(lambda: tab.page.keyboard.press("End"), last))
        hits.append(
            tab.seconds(lambda: tab.page.fill("#text", "go south"), "document.querySelectorAll('mark').length > 5")
        )
    return found


def of_long(tab: Tab, server: Callable[[], Any], num_turns: int) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {name: [] for name in list(TARGETS)[4:]}
    first, last = found.values()
    for _ in range(TIMES):
        with server() as viewer:  # a fresh one: nothing of the episode is in memory
            tab.url = viewer.url
            tab.anew()
            first.append(tab.seconds(tab.go("episode?number=1"), "document.querySelectorAll('.turn').length >= 10"))
            end = f"document.getElementById('turn-{num_turns - 1}')"
            last.append(tab.seconds(tab.go(f"episode?number=1&turn={num_turns - 1}"), end))
    return found


def measured(folder: Path, episodes: int, turns: int) -> dict[str, float]:
    """Seconds by name, medians."""
    from playwright.sync_api import sync_playwright

    many(folder / "many", episodes)
    long(folder / "long", turns, LETTERS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable(), args=list(FLAGS))
        with Viewer(Sources.open([folder / "many"])) as viewer:
            found = of_many(Tab(browser, viewer.url), episodes)
        found |= of_long(Tab(browser, ""), lambda: Viewer(Sources.open([folder / "long"])), turns)
        browser.close()
    return {name: statistics.median(seconds) for name, seconds in found.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="write the figures to a file too")
    parser.add_argument("--episodes", type=int, default=EPISODES)
    parser.add_argument("--turns", type=int, default=TURNS)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = measured(Path(folder), given.episodes, given.turns)
    rows = {name: {"value": round(value, 3), "target": TARGETS[name], "unit": "s"} for name, value in found.items()}
    for name, row in rows.items():
        print(f"{name:50} {row['value']:7.3f} s   target {row['target']} s")
    if given.json is not None:
        given.json.write_text(json.dumps(rows, indent=2) + "\n")


if __name__ == "__main__":
    main()
