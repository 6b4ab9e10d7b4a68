"""Rewards for each turn speed PPO up; PPO, RLOO and GRPO come in this order (Practitioner's Guide, arXiv 2510.01132).

Three blocks; dense is what the environment pays for each turn that brings the tower nearer, sparse 1 for success.

    python benchmarks/claims/dense.py [--seeds 0 1 2] [--steps N] [--processes N] [--output DIR] [--json FILE]
"""

from benchmarks.claims.arms import Claim

DENSE = Claim(
    name="dense",
    env={"id": "blocksworld", "level": "b3"},
    arms={
        "ppo, sparse": {"trainer": "ppo", "reward": "sparse"},
        "ppo, dense": {"trainer": "ppo", "reward": "dense"},
        "rloo, dense": {"trainer": "rloo", "reward": "dense"},
        "grpo, dense": {"trainer": "grpo", "reward": "dense"},
    },
    pairs=[("ppo, dense", "ppo, sparse"), ("ppo, dense", "rloo, dense"), ("rloo, dense", "grpo, dense")],
    steps=10_000,
)

if __name__ == "__main__":
    DENSE.main()
