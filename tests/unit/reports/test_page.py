"""report.html: what is on it, and that what an episode printed stays text."""

from __future__ import annotations

import math
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from agentgym.archive import Archive
from agentgym.reports import notable, report_page
from agentgym.reports.curve_svg import Curve, curve_of, panel
from agentgym.types import StopReason
from tests.kit import episode

HOSTILE = "</p><script>alert(1)</script><b onclick=x>"
CONFIG = {
    "env": {"id": "toy"},
    "trainer": {"id": "grpo"},
    "model": {"id": "nano"},
    "seed": 3,
    "curriculum": {"id": "frontier", "bands": 4},
}
SCORE = {
    "success": 0.25,
    "ci95": [0.1, 0.5],
    "reward": 0.5,
    "episodes": 8,
    "tasks": 8,
    "stop_reasons": {"terminated": 8},
}
REPORT: dict[str, Any] = {
    "eval": {"before": {**SCORE, "greedy": SCORE}, "after": {**SCORE, "success": 0.75, "greedy": SCORE}},
    "gain": {"sampled": {"success": 0.5, "ci95": [0.2, 0.7], "tasks": 8}},
    "stages": {"train": {"updates": 2, "seconds": 10.0}},
    "ledger": {"trained": 3, "rejected: equal rewards": 1},
    "alarms": [
        {
            "name": "entropy_low",
            "update": 2,
            "until": None,
            "metric": "entropy",
            "value": 0.1,
            "threshold": 0.2,
            "advice": "vary <more>",
        }
    ],
    "num_parameters": 1234,
    "wall_seconds": 12.5,
    "best_update": 2,
    "peak_memory_bytes": 3 << 20,
}
LINE = {
    "stage": "train",
    "episodes": 4,
    "tokens": 10.0,
    "reply_tokens": 2.5,
    "play_seconds": 2.0,
    "learn_seconds": 1.5,
    "trained_tokens": 7,
    "environment_steps": 20,
    "success_at_level_3": 0.5,
}
METRICS = [
    {**LINE, "update": update, "success": update / 4, "success_low": 0.0, "success_high": 1.0} for update in (1, 2)
]


class Elements(HTMLParser):
    """Names of the elements of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.names: list[str] = []
        self.attributes: set[str] = set()
        self.words = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.append(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data: str) -> None:
        self.words += data


def page(**more: Any) -> str:
    return report_page(CONFIG, REPORT, METRICS, Path("runs/mine"), command="agentgym train --env toy", **more)


def test_everything_asked_for_is_on_it() -> None:
    words = " ".join(Elements(page(machine={"Python": "3.11"})).words.split())
    for said in (
        "toy: grpo, seed 3",
        "agentgym train --env toy",
        "Python",
        "0.750 (0.100 to 0.500)",
        "rose by 0.500",
        "entropy low",
        "vary <more>",
        "rejected: equal rewards",
        "25%",
        "frontier (bands 4)",
        "Peak memory of the process: 3 MiB",
        "agentgym view runs/mine",
    ):
        assert said in words, said


def test_costs_are_sums_and_means_are_of_the_episodes_that_they_are_means_of() -> None:
    (row,) = re.findall(r"<tr><td>train</td>(.*?)</tr>", page())
    assert re.findall(r"<td>([^<]*)</td>", row) == ["10.0", "4.0", "3.0", "3.0", "8", "80", "20", "14", "40"]


def test_it_needs_no_script_and_loads_nothing() -> None:
    found = Elements(page())
    assert not {"script", "link", "img", "iframe"} & set(found.names)
    assert not {"src", "onclick"} & found.attributes
    assert "default-src 'none'" in page()


def test_what_an_episode_printed_is_text(tmp_path: Path) -> None:
    hostile = episode(0.5, episode_id="h", stage="train", split="train", task=HOSTILE)
    hostile.turns[0].observation = hostile.turns[0].reply = hostile.turns[0].error = HOSTILE
    with Archive(tmp_path) as archive:
        archive.append([hostile])
        found = Elements(page(episodes=notable(archive)))
    assert found.words.count(HOSTILE) >= 3
    assert "script" not in found.names
    assert "onclick" not in found.attributes


def test_a_run_that_was_not_trained_has_a_page_too() -> None:
    report = {
        **REPORT,
        "eval": {"before": {**SCORE, "greedy": SCORE}},
        "stages": {},
        "gain": {},
        "alarms": [],
        "ledger": {},
    }
    text = Elements(report_page(CONFIG, report, [], Path("r"), command="c")).words
    assert "The policy was not trained" in text
    assert "None went off." in text


def test_a_ledger_that_does_not_add_up_is_told() -> None:
    report = {**REPORT, "ledger": {"problem": "ordinal 3 is missing"}}
    assert "ordinal 3 is missing" in report_page(CONFIG, report, METRICS, Path("r"), command="c")


# -- episodes --------------------------------------------------------------------------------------------


def test_the_best_the_worst_and_the_odd_are_told_once_each(tmp_path: Path) -> None:
    common: dict[str, Any] = {"stage": "train", "split": "train"}
    odd = episode(0.25, 0.0, 0.0, episode_id="odd", **common)
    odd.turns[0].error = "no such door"
    with Archive(tmp_path) as archive:
        archive.append(
            [
                episode(0.5, episode_id="middle", **common),
                episode(1.0, 0.0, episode_id="best", success=True, **common),
                episode(0.0, episode_id="worst", **common),
                odd,
                episode(stop=StopReason.ENV_ERROR, episode_id="void", **common),
                episode(9.0, episode_id="expert", role="expert", **common),
                episode(9.0, episode_id="test", stage="after", split="test"),
            ]
        )
        found = {each.episode.episode_id: each.why for each in notable(archive)}
    assert found == {
        "best": "the best",
        "worst": "the worst",
        "odd": "the most actions without effect",
        "middle": "the longest",
        "void": "void",
    }


def test_without_training_all_episodes_are_looked_at(tmp_path: Path) -> None:
    with Archive(tmp_path) as archive:
        archive.append([episode(1.0, episode_id="one")])
        assert [each.card.episode_id for each in notable(archive)] == ["one"]


# -- curves ----------------------------------------------------------------------------------------------


def test_a_curve_is_what_was_logged_with_its_interval() -> None:
    curve = curve_of([*METRICS, {"stage": "train", "update": 3, "success": math.nan}], "train", "success")
    assert curve == Curve("train", [(1, 0.25), (2, 0.5)], [(1, 0.0, 1.0), (2, 0.0, 1.0)])
    assert panel("Nothing", [curve_of(METRICS, "validation", "success")]) == ""


def test_points_are_where_they_belong() -> None:
    drawn = panel("Up", [Curve("a", [(0, 0.0), (10, 1.0)], [])], unit=True)
    assert 'd="M46.0 166.0L410.0 12.0"' in drawn
    assert ">0.25<" not in drawn
    assert re.findall(r'text-anchor="end">([^<]*)<', drawn) == ["0", "0.5", "1"]


@pytest.mark.parametrize("values", [[0.0, 0.0], [2.0, 2.0], [-1.0, -1.0], [1e-9, 3e-9], [1e9, 2e9], [-5.0, 5.0]])
def test_any_values_are_drawn_inside(values: list[float]) -> None:
    drawn = panel("Any", [Curve("a", list(enumerate(values)), [])], alarms=[1, 99])
    heights = [float(y) for y in re.findall(r'cy="([^"]*)"', drawn)]
    assert all(12 <= y <= 166 for y in heights)
    assert drawn.count('class="alarm"') == 1


def test_a_band_is_drawn_around_its_curve() -> None:
    drawn = panel("Band", [Curve("a", [(0, 0.5), (1, 0.5)], [(0, 0.0, 1.0), (1, 0.25, 0.75)])], unit=True)
    assert 'class="band c0" d="M46.0 12.0L410.0 50.5L410.0 127.5L46.0 166.0Z"' in drawn
