"""The learning curves of a run as one picture."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

__all__ = ["draw_curves"]

Lines: TypeAlias = Sequence[Mapping[str, Any]]

_TRAIN, _VALIDATION = {"alpha": 0.5}, {"marker": "o"}
_UNIT = (-0.02, 1.02)
_LINEAR = 8
"""Nats that a linear axis shows."""
_AT_LEVEL = "success_at_level_"
_MAX_NAMED = 6
"""Marks beyond so many are without names."""


def draw_curves(metrics: Lines, report: Mapping[str, Any], file: Path) -> None:
    """Success and reward over the trainer's updates; below them, where they were logged, what may explain them.

    Success is that of training, of validation and of test tasks. Below: the policy's entropy and how far it has moved,
    and the shares of informative groups and of clipped tokens. At the bottom, where a curriculum grades what is played:
    the level, and the success at each level and the strength of help. Dotted lines are where alarms went off.
    """
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    explained = [list(_explanations(metrics, names)) for names in _EXPLANATIONS]
    schedule = _schedule(metrics)
    num_rows = 1 + any(explained) + any(schedule)
    figure, axes = pyplot.subplots(
        num_rows, 2, figsize=(10, 3.4 * num_rows), sharex=True, squeeze=False, layout="constrained"
    )
    for panel, key in zip(axes[0], ("success", "reward"), strict=True):
        _plot(panel, metrics, "train", key, label="training", **_TRAIN)
        _plot(panel, metrics, "validation", key, label="validation", **_VALIDATION)
        panel.set(ylabel=key, ylim=_UNIT if key == "success" else None)
    _plot_tests(axes[0, 0], metrics, report)
    for panel, curves in zip(axes[1], explained, strict=True) if any(explained) else ():
        for stage, key, label in curves:
            _plot(panel, metrics, stage, key, label=label, **(_VALIDATION if stage == "validation" else {}))
        panel.set(ylabel="nats a token" if panel is axes[1, 0] else "share")
        highest = panel.get_ylim()[1]
        if highest > _LINEAR:  # a divergence out of all proportion must not flatten the entropy
            panel.set_yscale("symlog", linthresh=1)
            panel.set_ylim(-0.1, 1.5 * highest)
    for panel, curves in zip(axes[-1], schedule, strict=True) if any(schedule) else ():
        for stage, key, label in curves:
            _plot(panel, metrics, stage, key, label=label, linestyle="--" if key == "strength" else "-")
        panel.set(ylabel="level" if panel is axes[-1, 0] else "share", ylim=None if panel is axes[-1, 0] else _UNIT)
    for panel in axes.flat:
        _mark_alarms(panel, report.get("alarms", ()), named=panel is axes[0, 1])
        _finish(panel)
    for panel in axes[-1]:
        panel.set(xlabel="updates")
    figure.savefig(file, dpi=110)
    pyplot.close(figure)


_EXPLANATIONS: tuple[tuple[tuple[str, str, str], ...], ...] = (
    (("train", "sampled_entropy", "entropy"), ("validation", "forward_kl", "KL(base ‖ policy)")),
    (("train", "informative_groups", "informative groups"), ("train", "clip_fraction", "clipped tokens")),
)
"""Stage, metric and label of what the lower panels show."""


def _points(metrics: Lines, stage: str, key: str) -> list[tuple[int, float]]:
    return [(line["update"], line[key]) for line in metrics if line["stage"] == stage and key in line]


def _explanations(metrics: Lines, curves: Sequence[tuple[str, str, str]]) -> Iterator[tuple[str, str, str]]:
    """Those curves that have points."""
    return (curve for curve in curves if _points(metrics, *curve[:2]))


def _schedule(metrics: Lines) -> tuple[list[tuple[str, str, str]], list[tuple[str, str, str]]]:
    """Of the curriculum: the level, and what lies between 0 and 1."""
    keys = {key for line in metrics if line["stage"] == "train" for key in line}
    at = sorted((key for key in keys if key.startswith(_AT_LEVEL)), key=lambda key: int(key.removeprefix(_AT_LEVEL)))
    successes = [("train", key, f"success at {key.removeprefix(_AT_LEVEL)}") for key in at]
    levels = [("train", "level", "level")] if "level" in keys else []
    return levels, [*successes, *([("train", "strength", "strength of help")] if "strength" in keys else [])]


def _plot(panel: Any, metrics: Lines, stage: str, key: str, **style: Any) -> None:
    if points := _points(metrics, stage, key):
        panel.plot(*zip(*points, strict=True), **style)


def _plot_tests(panel: Any, metrics: Lines, report: Mapping[str, Any]) -> None:
    """Success on the test tasks before and after, with its interval."""
    last = max((line["update"] for line in metrics if line["stage"] == "train"), default=0)
    for x, when in ((0, "before"), (last, "after")):
        if when not in report["eval"]:
            continue
        seen = report["eval"][when]
        low, high = seen["ci95"]
        spread = [[max(0.0, seen["success"] - low)], [max(0.0, high - seen["success"])]]
        label = "test, 95 %" if when == "before" else None
        panel.errorbar([x], [seen["success"]], yerr=spread, fmt="s", color="black", capsize=4, label=label)


def _mark_alarms(panel: Any, alarms: Sequence[Mapping[str, Any]], *, named: bool) -> None:
    """A dotted line where some began; in one panel with their names along it."""
    names: dict[int, list[str]] = {}
    for alarm in alarms:
        names.setdefault(alarm["update"], []).append(alarm["name"].replace("_", " "))
    for index, (update, begun) in enumerate(names.items()):
        panel.axvline(update, color="tab:red", linestyle=":", linewidth=1)
        if named and index < _MAX_NAMED:
            place = {"xy": (update, 0.02), "xycoords": ("data", "axes fraction"), "ha": "right", "va": "bottom"}
            panel.annotate(", ".join(begun), **place, rotation=90, fontsize=7, color="tab:red")


def _finish(panel: Any) -> None:
    if panel.get_legend_handles_labels()[0]:
        panel.legend(fontsize=8)
    panel.grid(alpha=0.3)
