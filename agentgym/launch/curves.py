"""The learning curves of a run as one picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

__all__ = ["draw_curves"]


def draw_curves(metrics: Sequence[Mapping[str, Any]], report: Mapping[str, Any], file: Path) -> None:
    """Success in training, on validation and on test tasks, and reward, over the trainer's updates."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, (left, right) = pyplot.subplots(1, 2, figsize=(10, 3.6), layout="constrained")
    for axes, key in ((left, "success"), (right, "reward")):
        for stage, style in (("train", {"alpha": 0.5}), ("validation", {"marker": "o"})):
            points = [(line["update"], line[key]) for line in metrics if line["stage"] == stage and key in line]
            if points:
                axes.plot(
                    *zip(*points, strict=True),
                    label="training" if stage == "train" else "validation",
                    **style,
                )
        axes.set(xlabel="updates", ylabel=key, ylim=(-0.02, 1.02) if key == "success" else None)
    last = max((line["update"] for line in metrics if line["stage"] == "train"), default=0)
    for x, when in ((0, "before"), (last, "after")):
        if when in report["eval"]:
            seen = report["eval"][when]
            low, high = seen["ci95"]
            spread = [[max(0.0, seen["success"] - low)], [max(0.0, high - seen["success"])]]
            left.errorbar(
                [x],
                [seen["success"]],
                yerr=spread,
                fmt="s",
                color="black",
                capsize=4,
                label="test, 95 %" if x == 0 else None,
            )
    for axes in (left, right):
        if axes.get_legend_handles_labels()[0]:
            axes.legend(fontsize=8)
        axes.grid(alpha=0.3)
    figure.savefig(file, dpi=110)
    pyplot.close(figure)
