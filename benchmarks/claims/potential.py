"""Shaping by a potential reaches the same policy, and reaches it sooner (Ng, Harada & Russell, 1999).

Three blocks, 1 for success; the potential is the share of the goal that is built, which the environment reports.

    python benchmarks/claims/potential.py [--seeds 0 1 2] [--steps N] [--processes N] [--output DIR] [--json FILE]
"""

from benchmarks.claims.arms import Claim

POTENTIAL = Claim(
    name="potential",
    env={"id": "blocksworld", "level": "b3"},
    arms={
        "ppo": {"trainer": "ppo", "reward": "sparse"},
        "ppo, potential": {
            "trainer": "ppo",
            "rewards": {"withheld": 1.0, "success": 1.0, "potential": {"weight": 1.0, "channel": "progress"}},
        },
    },
    pairs=[("ppo, potential", "ppo")],
    steps=10_000,
)

if __name__ == "__main__":
    POTENTIAL.main()
