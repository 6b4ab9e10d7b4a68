"""Trees beside flat groups at equal turns of the environment: GRPO with vines, GRPO that merges equal states, and GRPO.

Three environments, the first levels of each, from one warm start. A turn that lines share counts once.

    python benchmarks/claims/trees.py [--env ID] [--seeds 0 1 2] [--steps N] [--processes N] [--output DIR] [--json F]
"""

import argparse
import sys
from typing import Any

from benchmarks.claims.arms import Claim

ENVIRONMENTS: dict[str, dict[str, Any]] = {
    "blocksworld": {"level": "b3"},
    "booking": {"level": "b1"},
    "webshop": {},
}
TREES = {
    env: Claim(
        name=f"trees-{env}",
        env={"id": env, **options},
        arms={
            "flat": {},
            "rtmc": {"trainer": {"id": "grpo", "preset": "rtmc"}},
            "vine": {"search": {"id": "vine"}},
        },
        pairs=[("vine", "flat"), ("rtmc", "flat"), ("vine", "rtmc")],
        steps=10_000,
        warm_start={"until": 0.25},
    )
    for env, options in ENVIRONMENTS.items()
}

if __name__ == "__main__":
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--env", choices=TREES, default="blocksworld")
    chosen, rest = parser.parse_known_args()
    sys.argv[1:] = rest
    TREES[chosen.env].main()
