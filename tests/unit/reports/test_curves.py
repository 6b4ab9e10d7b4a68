"""The picture of a run, by what is drawn in it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib as mpl
import pytest

mpl.use("Agg")  # before pyplot is imported, as where it is drawn

from matplotlib import pyplot
from matplotlib.image import imread

from agentgym.reports import draw_curves

Draw = Callable[..., Any]

TRAIN: list[dict[str, Any]] = [
    {"stage": "train", "update": 1, "success": 0.25, "reward": 1.0},
    {"stage": "train", "update": 2, "success": 0.5, "reward": 2.0},
]
LOOKS: list[dict[str, Any]] = [
    {"stage": "validation", "update": 0, "success": 0.125, "reward": 0.5},
    {"stage": "validation", "update": 4, "success": 0.75, "reward": 3.0},
]
OTHER = [{"stage": "warm_start", "update": 9, "success": 1.0, "reward": 9.0, "sampled_entropy": 1.0}]
REPORT: dict[str, Any] = {
    "eval": {
        "before": {"success": 0.25, "ci95": [0.125, 0.5]},
        "after": {"success": 0.75, "ci95": [0.625, 1.0]},
    }
}
"""Intervals that reach further on one side."""


@pytest.fixture
def draw(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Draw:
    """Draws, and gives back the panels."""

    def drawn(metrics: list[dict[str, Any]], report: dict[str, Any]) -> Any:
        kept: list[Any] = []
        with monkeypatch.context() as patch:
            patch.setattr(pyplot, "close", kept.append)
            draw_curves(metrics, report, tmp_path / "curves.png")
        (figure,) = kept
        pyplot.close(figure)
        return figure.axes

    return drawn


def curves(panel: Any) -> dict[str, list[tuple[float, float]]]:
    """Points by label, of what is in the legend."""
    handles, labels = panel.get_legend_handles_labels()
    lines = {label: handle for handle, label in zip(handles, labels, strict=True) if hasattr(handle, "get_xdata")}
    return {label: list(zip(line.get_xdata(), line.get_ydata(), strict=True)) for label, line in lines.items()}


def test_success_and_reward_of_training_and_validation(draw: Draw) -> None:
    success, reward = draw([*TRAIN, *LOOKS, *OTHER], {"eval": {}})
    assert curves(success) == {"training": [(1, 0.25), (2, 0.5)], "validation": [(0, 0.125), (4, 0.75)]}
    assert curves(reward) == {"training": [(1, 1.0), (2, 2.0)], "validation": [(0, 0.5), (4, 3.0)]}
    assert (success.get_ylabel(), reward.get_ylabel(), success.get_ylim()) == ("success", "reward", (-0.02, 1.02))
    assert [panel.get_xlabel() for panel in (success, reward)] == ["updates", "updates"]
    assert [panel.get_legend() is not None for panel in (success, reward)] == [True, True]


def test_test_tasks_with_their_intervals_before_and_after(draw: Draw) -> None:
    success, reward = draw([*TRAIN, *LOOKS, *OTHER], REPORT)
    spreads = [
        [tuple(map(tuple, segment)) for segment in bars.get_segments()]
        for container in success.containers
        for bars in container.lines[2]
    ]
    assert spreads == [[((0, 0.125), (0, 0.5))], [((2, 0.625), (2, 1.0))]]  # after the last update of training
    assert [list(container.lines[0].get_ydata()) for container in success.containers] == [[0.25], [0.75]]
    assert success.get_legend_handles_labels()[1].count("test, 95 %") == 1
    assert reward.containers == []


def test_what_explains_it_stands_below_where_it_was_logged(draw: Draw) -> None:
    metrics = [
        *({**line, "sampled_entropy": 2.0, "informative_groups": 0.5, "clip_fraction": 0.25} for line in TRAIN),
        *({**line, "forward_kl": 1.0, "informative_groups": 0.0} for line in LOOKS),
    ]
    panels = draw(metrics, {"eval": {}})
    assert len(panels) == 4
    assert curves(panels[2]) == {"entropy": [(1, 2.0), (2, 2.0)], "KL(base ‖ policy)": [(0, 1.0), (4, 1.0)]}
    assert curves(panels[3]) == {"informative groups": [(1, 0.5), (2, 0.5)], "clipped tokens": [(1, 0.25), (2, 0.25)]}
    assert [panel.get_ylabel() for panel in panels] == ["success", "reward", "nats a token", "share"]
    assert [panel.get_xlabel() for panel in panels] == ["", "", "updates", "updates"]
    only_one = draw([{**line, "clip_fraction": 0.25} for line in TRAIN], {"eval": {}})
    assert [list(curves(panel)) for panel in only_one[2:]] == [[], ["clipped tokens"]]
    assert only_one[2].get_legend() is None


@pytest.mark.parametrize(("divergence", "scale"), [(7.0, "linear"), (40.0, "symlog")])
def test_a_divergence_out_of_all_proportion_does_not_flatten_the_entropy(
    divergence: float, scale: str, draw: Draw
) -> None:
    metrics = [{"stage": "validation", "update": update, "forward_kl": divergence * update} for update in (0, 1)]
    panel = draw(metrics, {"eval": {}})[2]
    assert panel.get_yscale() == scale
    assert panel.get_ylim()[1] > divergence


def test_what_a_curriculum_did_stands_at_the_bottom_level_by_level(draw: Draw) -> None:
    first = {**TRAIN[0], "level": 0.5, "strength": 1.0, "success_at_level_0": 0.5, "success_at_level_10": 0.0}
    second = {**TRAIN[1], "level": 2.5, "strength": 0.5, "success_at_level_2": 0.25}
    levels, shares = draw([first, second], {"eval": {}})[2:]
    assert curves(levels) == {"level": [(1, 0.5), (2, 2.5)]}
    assert [*curves(shares)] == ["success at 0", "success at 2", "success at 10", "strength of help"]
    assert curves(shares)["strength of help"] == [(1, 1.0), (2, 0.5)]
    assert (levels.get_ylabel(), shares.get_ylabel(), shares.get_ylim()) == ("level", "share", (-0.02, 1.02))
    assert [panel.get_xlabel() for panel in (levels, shares)] == ["updates", "updates"]
    panels = draw([first, {**second, "clip_fraction": 0.25}], {"eval": {}})
    assert [[*curves(panel)] for panel in panels[2:5]] == [[], ["clipped tokens"], ["level"]]
    only_help = draw([{**TRAIN[0], "strength": 1.0}], {"eval": {}})
    assert [[*curves(panel)] for panel in only_help[2:]] == [[], ["strength of help"]]


def alarm(update: int, name: str) -> dict[str, Any]:
    return {"update": update, "name": name}


def test_alarms_are_dotted_lines_in_all_panels_with_their_names_in_one(draw: Draw) -> None:
    alarms = [alarm(1, "entropy_collapse"), alarm(2, "forgetting"), alarm(1, "tasks_too_hard")]
    success, reward = draw(TRAIN, {"eval": {}, "alarms": alarms})
    for panel in (success, reward):
        assert [line.get_xdata()[0] for line in panel.get_lines() if line.get_linestyle() == ":"] == [1, 2]
    assert [text.get_text() for text in reward.texts] == ["entropy collapse, tasks too hard", "forgetting"]
    assert [text.xy[0] for text in reward.texts] == [1, 2]
    assert list(success.texts) == []


def test_six_alarms_have_names_and_all_have_lines(draw: Draw) -> None:
    _, reward = draw(TRAIN, {"eval": {}, "alarms": [alarm(update, f"name_{update}") for update in range(1, 9)]})
    assert [text.get_text() for text in reward.texts] == [f"name {update}" for update in range(1, 7)]
    assert len([line for line in reward.get_lines() if line.get_linestyle() == ":"]) == 8


def test_the_picture_is_written_and_nothing_stays_open(tmp_path: Path) -> None:
    open_before = pyplot.get_fignums()
    draw_curves([], {"eval": {}}, tmp_path / "empty.png")
    draw_curves([{**TRAIN[0], "clip_fraction": 0.5}], REPORT, tmp_path / "whole.png")
    assert [imread(tmp_path / f"{name}.png").shape[:2] for name in ("empty", "whole")] == [(374, 1100), (748, 1100)]
    assert pyplot.get_fignums() == open_before
