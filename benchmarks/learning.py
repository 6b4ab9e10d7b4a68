"""Does reinforcement learning teach the policy anything that imitation did not? Three seeds, with a control.

For each seed: a warm start of its own until the sampled policy begins to succeed on validation tasks, then GRPO; and,
from the same warm start, a control that spends the same time on more imitation. Each run chooses its policy on
validation tasks; what is compared is the success of the sampled policy on test tasks, with greedy success beside it.

python benchmarks/learning.py [--seeds 0 1 2] [--updates N] [--output DIR] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

from agentgym.launch import train
from agentgym.learn.nano_settings import WISHES
from agentgym.trainers.sft import SFT

EPISODES = 300


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--updates", type=int, help="GRPO updates; none given: the default of agentgym train")
    parser.add_argument("--output", type=Path, help="where the run directories go")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    output = arguments.output or Path(tempfile.mkdtemp(prefix="agentgym-learning-"))
    figures: dict[str, Any] = {}
    for seed in arguments.seeds:
        given = {} if arguments.updates is None else {"updates": arguments.updates}
        learned = reinforced(seed, output / f"grpo-{seed}", given)
        control = imitated(seed, output / f"sft-{seed}", output / f"grpo-{seed}", learned["stages"]["train"]["seconds"])
        figures |= tell(seed, learned, control)
        if arguments.json:
            arguments.json.write_text(json.dumps(figures, indent=2) + "\n")


def reinforced(seed: int, run: Path, given: dict[str, Any]) -> dict[str, Any]:
    """The report of a run as ``agentgym train --env webshop`` does it; one that is there already is not made again."""
    if not (run / "report.json").exists():
        train({"env": "webshop", "seed": seed, "output": run, "eval": {"episodes": EPISODES}, **given})
    return report(run)


def imitated(seed: int, run: Path, start: Path, seconds: float) -> dict[str, Any]:
    """The report of a run that goes on imitating from the same warm start, for as long as the other was reinforced."""
    return report(
        train(
            {
                "env": "webshop",
                "model": str(start / "warm_start"),
                "trainer": {"id": "sft", **SFT.nano},
                "protocol": WISHES["protocol"],
                "rollout": WISHES["rollout"],
                "updates": 10**6,
                "max_seconds": seconds,
                "threads": WISHES["threads"],
                "eval": {"episodes": EPISODES, "every": 100},
                "seed": seed,
                "output": run,
            }
        )
    )


def report(run: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((run / "report.json").read_text())
    return content


def tell(seed: int, learned: dict[str, Any], control: dict[str, Any]) -> dict[str, Any]:
    """Print a seed's outcome; returns its figures."""
    before, after, imitation = learned["eval"]["before"], learned["eval"]["after"], control["eval"]["after"]
    for name, seen in (("warm start", before), ("GRPO", after), ("more SFT instead", imitation)):
        greedy = seen["greedy"]["success"]
        print(f"seed {seed}  {name:<17} success {seen['success']:.3f} {seen['ci95']}  greedy {greedy:.3f}")
    gain = learned["gain"]
    told = (f"{how} {of['success']:+.3f} [{of['ci95'][0]:+.3f}, {of['ci95'][1]:+.3f}]" for how, of in gain.items())
    print(f"seed {seed}  gain, paired: {', '.join(told)}; {learned['wall_seconds']:.0f} s", flush=True)
    paired: dict[str, Any] = {
        f"{name}_{how}_seed_{seed}": {"value": round(value, 4), "target": target, "unit": "success"}
        for how, of in gain.items()
        for name, value, target in (("gain", of["success"], 0.25), ("least_gain", of["ci95"][0], 0.0))
    }
    return paired | {
        f"sft_control_gain_seed_{seed}": {
            "value": round(imitation["success"] - before["success"], 4),
            "target": None,
            "unit": "success",
        },
        f"wall_seconds_seed_{seed}": {"value": learned["wall_seconds"], "target": 600, "unit": "s"},
    }


if __name__ == "__main__":
    main()
