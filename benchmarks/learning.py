"""Does reinforcement teach the policy what its teacher could not? ``agentgym train --env webshop`` over fresh seeds.

For each seed, the main job as it is: imitation of a shopper who errs until the policy begins to succeed, then GRPO, for
the same number of updates. From the same warm start, controls that take as long as the reinforcement did:

    imitation       goes on with demonstrations of the same shopper, each of another task
    own successes   imitates what succeeds of episodes that the policy of the warm start plays (rejection sampling)
    shuffled        GRPO whose rewards are dealt out anew within each group: it may not rise
    careful         goes on with demonstrations of the shopper who never errs, as a bound

Every run keeps the policy that does best on validation tasks. What is compared are the same test tasks with the same
seeds, sampled and greedy, with paired 95 % intervals.

    python benchmarks/learning.py [--seeds 0 1 2 3 4] [--controls NAME …] [--processes N] [--output DIR] [--json FILE]
"""

from __future__ import annotations

import argparse
import concurrent.futures
import json
import multiprocessing
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

from agentgym.launch import record, train
from agentgym.launch.comparing import compare
from agentgym.learn.nano_settings import WISHES
from agentgym.registry import plugins

EPISODES = 300
PLAYED = 2000
"""Episodes of the warm start's policy of which the successes are imitated."""
TARGETS = {"before": 0.25, "teacher": 0.15}
"""Of the gain over what the policy was before reinforcement, and over its teacher."""

Report: TypeAlias = dict[str, Any]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    parser.add_argument("--controls", nargs="*", choices=list(CONTROLS), default=["imitation", "own-successes"])
    parser.add_argument("--processes", type=int, default=1, help="seeds at a time, one thread each")
    parser.add_argument("--updates", type=int, help="of GRPO; none given: the default of agentgym train")
    parser.add_argument(
        "--output", type=Path, help="where the run directories go; those that are there are not made anew"
    )
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    output = arguments.output or Path(tempfile.mkdtemp(prefix="agentgym-learning-"))
    figures: dict[str, Any] = {}
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(arguments.processes, mp_context=context) as pool:
        jobs = {
            seed: pool.submit(of_seed, seed, output, arguments.updates, arguments.controls) for seed in arguments.seeds
        }
        for seed, job in jobs.items():
            figures |= tell(seed, *job.result())
            if arguments.json:
                arguments.json.write_text(json.dumps(figures, indent=2) + "\n")


def of_seed(
    seed: int, output: Path, updates: int | None, controls: list[str]
) -> tuple[Report, dict[str, tuple[Report, Report]]]:
    """The main job's report; for each control its own, and what the main job gains over it."""
    run = output / f"grpo-{seed}"
    given = {} if updates is None else {"updates": updates}
    learned = made(run, {"env": "webshop", "seed": seed, "eval": {"episodes": EPISODES}, **given})
    beside = {}
    for name in controls:
        control = output / f"{name}-{seed}"
        beside[name] = made(control, CONTROLS[name](seed, run, learned)), gains(control, run)
    return learned, beside


def made(run: Path, given: dict[str, Any]) -> Report:
    """The report of a run, which is made if it is not there."""
    if not (run / "report.json").exists():
        train({**given, "output": run})
    report: Report = json.loads((run / "report.json").read_text())
    return report


# -- controls --------------------------------------------------------------------------------------------


def going_on(seed: int, run: Path, learned: Report, trainer: str, **more: Any) -> dict[str, Any]:
    """Settings of a run from the same warm start that may take as long."""
    kind: Any = plugins("trainers").get(trainer)
    return {
        "env": "webshop",
        "model": str(run / "warm_start"),
        "trainer": {"id": trainer, **kind.nano},
        **{name: WISHES[name] for name in ("protocol", "rollout", "threads")},
        "updates": 10**6,
        "max_seconds": learned["stages"]["train"]["seconds"],
        "eval": {"episodes": EPISODES, "every": 100},
        "seed": seed,
        **more,
    }


def imitation(seed: int, run: Path, learned: Report, shopper: str = "hasty") -> dict[str, Any]:
    given = going_on(seed, run, learned, "sft")
    return {**given, "env": {"id": "webshop", "shopper": shopper}}


def careful(seed: int, run: Path, learned: Report) -> dict[str, Any]:
    return imitation(seed, run, learned, "careful")


def own_successes(seed: int, run: Path, learned: Report) -> dict[str, Any]:
    """The time that playing takes is on top."""
    given = going_on(seed, run, learned, "sft")
    spoken = {name: given[name] for name in ("env", "protocol", "threads")}
    spoken["rollout"] = {key: value for key, value in given["rollout"].items() if key != "max_invalid_actions"}
    played = run.parent / f"played-{seed}"
    if not played.exists():
        record(spoken, given["model"], output=played, episodes=PLAYED // 4, samples=4, seed=seed)
    given["trainer"]["data"] = str(played)
    return given


def shuffled(seed: int, run: Path, learned: Report) -> dict[str, Any]:
    given = going_on(seed, run, learned, "grpo")
    shaper = Path(__file__).parent / "shuffled.py"
    return {**given, "rewards": {str(shaper): {"weight": 1.0}}, "eval": {"episodes": EPISODES}}


CONTROLS: dict[str, Callable[[int, Path, Report], dict[str, Any]]] = {
    "imitation": imitation,
    "own-successes": own_successes,
    "shuffled": shuffled,
    "careful": careful,
}


# -- what came of it -------------------------------------------------------------------------------------


def gains(control: Path, run: Path) -> Report:
    """By how much ``run`` succeeds more often than ``control`` on the same test tasks."""
    return {each.how: {"success": each.difference, "ci95": each.ci95} for each in compare([control], [run])}


def tell(seed: int, learned: Report, beside: dict[str, tuple[Report, Report]]) -> dict[str, Any]:
    """Print a seed's outcome; returns its figures."""
    teacher = learned["teacher"]["success"]
    rows = {
        "warm start": (learned["eval"]["before"], learned["gain"]),
        **{name: (report["eval"]["after"], gained) for name, (report, gained) in beside.items()},
        "GRPO": (learned["eval"]["after"], None),
    }
    print(f"seed {seed}: the teacher succeeds in {teacher:.3f}; {learned['wall_seconds']:.0f} s")
    for name, (seen, gained) in rows.items():
        over = f"   GRPO over it: {told(gained)}" if gained else ""
        print(f"  {name:<14} sampled {seen['success']:.3f}, greedy {seen['greedy']['success']:.3f}{over}")
    print(f"  GRPO over the teacher: {told(learned['gain_over_teacher'])}", flush=True)
    compared = {"before": learned["gain"], "teacher": learned["gain_over_teacher"]}
    compared |= {name: gained for name, (_, gained) in beside.items()}
    figures: dict[str, Any] = {
        f"success_{when}_{how}_seed_{seed}": {"value": round(success, 4), "target": None, "unit": "success"}
        for when in ("before", "after")
        for how, success in (
            ("sampled", learned["eval"][when]["success"]),
            ("greedy", learned["eval"][when]["greedy"]["success"]),
        )
    }
    for of, gained in compared.items():
        for how, each in gained.items():
            low, high = (round(end, 4) for end in each["ci95"])
            gain = {"value": round(each["success"], 4), "target": TARGETS.get(of), "unit": "success"}
            figures[f"gain_over_{of}_{how}_seed_{seed}"] = {**gain, "low": low, "high": high}
            least = {"value": low, "target": 0.0, "unit": "success"}
            figures[f"least_gain_over_{of}_{how}_seed_{seed}"] = least
    return figures | {f"wall_seconds_seed_{seed}": {"value": learned["wall_seconds"], "target": 600, "unit": "s"}}


def told(gained: Report) -> str:
    return ", ".join(
        f"{how} {each['success']:+.3f} [{each['ci95'][0]:+.3f}, {each['ci95'][1]:+.3f}]" for how, each in gained.items()
    )


if __name__ == "__main__":
    main()
