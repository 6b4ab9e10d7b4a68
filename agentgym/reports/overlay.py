"""The curves of several runs in one picture, each with the spread over its seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

__all__ = ["draw_overlay"]


def draw_overlay(curves: Sequence[Mapping[str, Any]], file: Path, *, across: str, up: str) -> None:
    """Draw ``curves``, which have "name", "runs", "at", "mean", "low" and "high", into ``file``.

    A band reaches from the lowest to the highest run. ``across`` and ``up`` name the axes.
    """
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, panel = pyplot.subplots(figsize=(8, 4.5), layout="constrained")
    for curve in curves:
        num = len(curve["runs"])
        seeds = f" ({num} seeds)" if num > 1 else ""
        (line,) = panel.plot(curve["at"], curve["mean"], marker="o", markersize=3, label=f"{curve['name']}{seeds}")
        if num > 1:
            panel.fill_between(curve["at"], curve["low"], curve["high"], color=line.get_color(), alpha=0.2, linewidth=0)
    panel.set(xlabel=across, ylabel=up)
    panel.grid(alpha=0.3)
    if any(curve["name"] or len(curve["runs"]) > 1 for curve in curves):
        panel.legend(fontsize=8)
    figure.savefig(file, dpi=110)
    pyplot.close(figure)
