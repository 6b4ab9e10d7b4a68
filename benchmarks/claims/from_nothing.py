"""A policy from nothing learns MiniWoB tasks in a real browser, five kinds from words and one from pixels, and a shell.

Of each task the expert plays 400 episodes once, which all seeds imitate until the policy succeeds; then come updates of
GRPO, where asked for. The sixth page shows its boxes of color in a screenshot and nowhere else
(``observe="screenshot"``): what is read there is which of them to click on. The shell is ``terminal`` on its easiest
level, in containers. A policy that imitated one batch tells where it began.

    python benchmarks/claims/from_nothing.py [--tasks ID …] [--seeds 0 1 2] [--updates N] [--output DIR] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

import agentgym

PAGES = ("click-test-2", "focus-text-2", "click-dialog-2", "click-tab", "click-widget")
TASKS: dict[str, dict[str, Any]] = {
    **{task: {"id": "miniwob", "task": task, "fold_case": True} for task in PAGES},
    "click-color": {"id": "miniwob", "task": "click-color", "fold_case": True, "observe": "screenshot"},
    "terminal": {"id": "terminal", "level": "t1"},
}
"""Name → environment."""
UNTIL, PATIENCE = 0.9, 800
"""Success at which imitation ends, and updates that it may have."""
DEMONSTRATIONS, BATCH = 400, 8


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=[*TASKS])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--updates", type=int, default=0, help="of GRPO, after imitation")
    parser.add_argument("--episodes", type=int, default=100, help="test tasks")
    parser.add_argument("--output", type=Path, help="where the run directories go")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    torch.set_num_threads(1)
    output = given.output or Path(tempfile.mkdtemp(prefix="agentgym-from-nothing-"))
    figures: dict[str, Any] = {}
    for task in given.tasks:
        base = {"env": TASKS[task], "threads": 1, "eval": {"episodes": given.episodes, "validation_episodes": 40}}
        shown = {"max_updates": DEMONSTRATIONS // BATCH, "batch_size": BATCH, "until": 1.0}
        demonstrations = run(base, output / f"{task}-shown", warm_start=shown, eval={"episodes": 1}, updates=0)
        one = {"data": str(demonstrations), "max_updates": 1, "check_every": 1}
        began = success(run(base, output / f"{task}-began", warm_start=one, updates=0))
        imitated = {"data": str(demonstrations), "max_updates": PATIENCE, "until": UNTIL, "check_every": 50}
        runs = [
            run(base, output / f"{task}-{seed}", warm_start=imitated, updates=given.updates, seed=seed)
            for seed in given.seeds
        ]
        found = [success(one) for one in runs]
        each = ", ".join(f"{one:.2f}" for one in found)
        print(f"{task:<16} {began:.2f} -> {statistics.fmean(found):.3f} ({each})", flush=True)
        figures[f"{task}: success"] = {"value": round(statistics.fmean(found), 4), "target": None, "unit": "success"}
        gain = {"value": round(min(found) - began, 4), "target": 0.4, "unit": "success"}
        figures[f"{task}: gained by the seed that gained least"] = gain
    if given.json:
        given.json.write_text(json.dumps(figures, indent=2) + "\n")


def run(base: Mapping[str, Any], output: Path, **more: Any) -> Path:
    """A training run, which is not made anew where it is already."""
    if not (output / "report.json").exists():
        agentgym.train({**base, **more, "output": output})
    return output


def success(run: Path) -> float:
    """Of the sampled policy on test tasks."""
    return float(json.loads((run / "report.json").read_text())["eval"]["after"]["success"])


if __name__ == "__main__":
    main()
