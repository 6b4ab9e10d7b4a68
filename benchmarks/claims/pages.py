"""A policy from nothing learns MiniWoB tasks in a real browser: five kinds from words, one from pixels alone.

Each task by itself: a warm start until some of its pages succeed, then GRPO. The sixth shows its boxes of color in a
screenshot and nowhere else (``observe="screenshot"``): what is read there is which of the refs to click on.

    python benchmarks/claims/pages.py [--task ID] [--seeds 0 1 2] [--steps N] [--processes N] [--output DIR] [--json J]
"""

import argparse
import sys

from benchmarks.claims.arms import Claim

WORDS = ("click-button", "click-checkboxes", "click-tab", "enter-text", "choose-list")
PIXELS = "click-color"
TASKS = {
    task: Claim(
        name=f"miniwob-{task}",
        env={"id": "miniwob", "task": task, "fold_case": True, **({"observe": "screenshot"} if task == PIXELS else {})},
        arms={"grpo": {}},
        pairs=[],
        steps=2_000,
        warm_start={"until": 0.3},
    )
    for task in (*WORDS, PIXELS)
}

if __name__ == "__main__":
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--task", choices=TASKS, default=WORDS[0])
    chosen, rest = parser.parse_known_args()
    sys.argv[1:] = rest
    TASKS[chosen.task].main()
