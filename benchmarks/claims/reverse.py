"""A reverse curriculum begins to learn where a policy that begins at the beginning sees no reward (arXiv 1812.03381).

Five blocks and 1 for success alone; the policy comes from a warm start on three. In one arm an expert plays the first
turns, fewer as the policy succeeds from there on. Equal turns of the environment, the expert's included.

    python benchmarks/claims/reverse.py [--seeds 0 1 2] [--steps N] [--processes N] [--output DIR] [--json FILE]
"""

from benchmarks.claims.arms import Claim

REVERSE = Claim(
    name="reverse",
    env={"id": "blocksworld", "level": "b5"},
    begins_in={"id": "blocksworld", "level": "b3"},
    warm_start={"until": 0.5},
    arms={
        "from the beginning": {"reward": "sparse"},
        "reverse": {"reward": "sparse", "curriculum": {"id": "reverse", "start": 12}},
    },
    pairs=[("reverse", "from the beginning")],
    steps=40_000,
)

if __name__ == "__main__":
    REVERSE.main()
