"""Hints help most where the task cannot be guessed (Environment Tuning, arXiv 2510.10197, its ablation by split).

Four blocks. The environment of the package does not show why an action cannot be done: only a hint does. Beside it the
same blocks with errors that say it (``telling_blocks``), where a hint adds nothing. GRPO with hints and without, from
one warm start in each; a quarter of each group plays without, and so do tests.

    python benchmarks/claims/hints.py [--seeds 0 1 2] [--steps N] [--processes N] [--output DIR] [--json FILE]
"""

import dataclasses
from pathlib import Path

from benchmarks.claims.staged import ARMS, STAGED

UNSAID = dataclasses.replace(
    STAGED["blocksworld"],  # whose runs these are too
    arms={name: ARMS[name] for name in ("alone", "hints")},
    pairs=[("hints", "alone")],
)
SAID = dataclasses.replace(
    UNSAID,
    name="hints-said",
    env={"id": str(Path(__file__).with_name("telling_blocks.py")), "level": "b4"},
)

if __name__ == "__main__":
    for claim in (UNSAID, SAID):
        claim.main()
