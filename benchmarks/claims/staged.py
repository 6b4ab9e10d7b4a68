"""Stages whose errors give hints, and later no longer, beat one stage (Environment Tuning, arXiv 2510.10197).

Three arms from one warm start, on four blocks and on the policy desk: GRPO alone; with hints in errors all the time;
and in stages, with hints at first, then half of them, then none. Where there are hints, a quarter of each group plays
without. Tests are without hints.

    python benchmarks/claims/staged.py [--seeds 0 1 2] [--steps N] [--processes N] [--output DIR] [--json FILE]
"""

from typing import Any

from benchmarks.claims.arms import Claim

STAGES: list[dict[str, Any]] = [
    {"name": "hints", "strength": 1, "max_updates": 4},
    {"name": "half", "strength": 0.5, "max_updates": 4},
    {"name": "none", "strength": 0, "max_updates": 10_000},
]
ARMS: dict[str, Any] = {
    "alone": {},
    "hints": {"augment": {"error-hints": {}}},
    "staged": {"augment": {"error-hints": {}}, "curriculum": {"id": "staged", "stages": STAGES}},
}
STAGED = {
    env: Claim(
        name=f"staged-{env}",
        env={"id": env, **options},
        arms=ARMS,
        pairs=[("staged", "alone"), ("hints", "alone"), ("staged", "hints")],
        steps=15_000,
        warm_start={"until": 0.15},
    )
    for env, options in {"blocksworld": {"level": "b4"}, "policydesk": {"level": "p1"}}.items()
}

if __name__ == "__main__":
    for claim in STAGED.values():
        claim.main()
