"""Train a small policy on the environment of new_environment.py, from Python; under a minute on a laptop.

python examples/train_on_it.py [RUN]

What ``agentgym train`` does, with the same settings, nested as in a TOML file.
"""

import json
import sys
import tempfile
from pathlib import Path

import agentgym

ENVIRONMENT = Path(__file__).with_name("new_environment.py")


def main(run: Path) -> None:
    """Train, and tell how it went."""
    agentgym.train(
        {
            "env": str(ENVIRONMENT),
            "trainer": {"id": "grpo", "groups": 8},
            "updates": 20,
            "warm_start": {"max_updates": 20},  # imitate the expert for a moment: reinforcement does the rest
            "eval": {"episodes": 50, "validation_episodes": 25},
            "output": run,
        }
    )
    report = json.loads((run / "report.json").read_text())
    for when in ("before", "after"):
        measured = report["eval"][when]
        print(f"{when} training: success {measured['success']:.2f} in {measured['episodes']} test episodes")
    print(f"{report['wall_seconds']:.0f} s; measure it again: python examples/evaluate.py {run}")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(tempfile.mkdtemp()) / "run")
