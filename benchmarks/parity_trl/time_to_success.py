"""How long GRPO takes to a stated success, here and with TRL: the same model bytes, environment, episodes and prompts.

    python -m benchmarks.parity_trl.time_to_success [--model small|DIR|FILE.gguf] [--level b3] [--target 0.7]
        [--seeds 0 1 2] [--output DIR] [--json FILE]

The policy imitates the expert until it begins to succeed; both sides begin with what it is then. They run in turns,
each on its own clock, and after every turn the same evaluator plays held-out tasks with their policies, off the clocks.
Before that the prompts of a first and a second turn are compared token by token: where they differ, nothing is run.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import multiprocessing
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import torch

from agentgym.launch import evaluate, train
from benchmarks.parity_trl import racing_ours, racing_theirs, same_prompts, starts
from benchmarks.parity_trl.race import Lap, Race
from benchmarks.parity_trl.through import Through

TARGET = 0.5
"""Of TRL's time."""
SIDES: dict[str, Callable[[Race, Connection, Path], None]] = {"ours": racing_ours.run, "TRL": racing_theirs.run}
SMALL: dict[str, Any] = {"groups": 8, "group_size": 8, "learning_rate": 5e-4, "threads": 1, "lap_updates": 3}
LARGE: dict[str, Any] = {"groups": 2, "group_size": 4, "learning_rate": 1e-5, "threads": 1, "lap_updates": 2}
IMITATION = {
    True: {"learning_rate": 3e-3, "warmup_updates": 30, "observation_weight": 0.3, "check_every": 10},
    False: {"learning_rate": 1e-4, "batch_size": 4, "check_every": 6},
}
"""The warm start of a small model, and of a large one."""


@dataclasses.dataclass
class Run:
    """How a side has done so far."""

    total: Lap = dataclasses.field(default_factory=Lap)
    seen: list[tuple[float, float]] = dataclasses.field(default_factory=list)
    """(the processor's seconds so far, success on held-out tasks) after each turn."""

    def reached(self, target: float) -> float | None:
        """Seconds to the first look with that success."""
        return next((seconds for seconds, success in self.seen if success >= target), None)


def main() -> None:
    arguments = _arguments()
    is_small = arguments.model == "small"
    rows: dict[str, Any] = {}
    output = arguments.output or Path(tempfile.mkdtemp(prefix="agentgym-race-"))
    race = Race(
        start=str(output / "start"),
        options={"level": arguments.level},
        precision=arguments.precision,
        **(chosen := {**(SMALL if is_small else LARGE), **_given(arguments)}),
        updates=arguments.laps * chosen["lap_updates"],
    )
    torch.set_num_threads(race.threads)
    prepare(race, arguments, output)
    print(f"{same_prompts.check(race, output / 'prompts')} prompts are the same on both sides")
    begun = judged(race, race.start, arguments.episodes)
    print(f"both begin with a policy that succeeds in {begun:.3f} of {arguments.episodes} held-out tasks", flush=True)
    for seed in arguments.seeds:
        with tempfile.TemporaryDirectory(dir=output) as folder:
            runs = raced(dataclasses.replace(race, seed=seed), arguments, Path(folder))
        rows |= told(f"{arguments.model if is_small else 'pretrained'}, seed {seed}", runs, arguments.target)
        if arguments.json:
            arguments.json.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--model", default="small", help="small, or a model with ChatML's marks: a directory or GGUF file"
    )
    parser.add_argument("--level", default="b3", help="of blocksworld")
    parser.add_argument("--until", type=float, default=0.25, help="validation success that the warm start ends at")
    parser.add_argument("--target", type=float, default=0.7, help="held-out success, sampled, that is to be reached")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--laps", type=int, default=12, help="turns of a side at most")
    parser.add_argument("--episodes", type=int, default=100, help="held-out tasks a look")
    parser.add_argument("--precision", choices=["float32", "bfloat16"], default="float32")
    for name, kind in (("groups", int), ("group_size", int), ("learning_rate", float), ("threads", int)):
        parser.add_argument(f"--{name}", type=kind, help="of both sides")
    parser.add_argument("--lap_updates", type=int, help="updates of a turn")
    parser.add_argument("--output", type=Path, help="where the policies go; a warm start that is there is kept")
    parser.add_argument("--json", type=Path, help="write the figures there as well")
    return parser.parse_args()


def _given(arguments: argparse.Namespace) -> dict[str, Any]:
    return {key: value for key in SMALL if (value := getattr(arguments, key)) is not None}


# -- before the race -------------------------------------------------------------------------------------


def prepare(race: Race, arguments: argparse.Namespace, folder: Path) -> None:
    """Write the policy that both sides begin with, if it is not there."""
    is_small, new = arguments.model == "small", folder / "new"
    if Path(race.start).exists():
        return
    if is_small:
        starts.small(new, Through(game=race.game, options=race.options), seed=0)
    else:
        starts.pretrained(new, arguments.model)
    run = train(
        {
            **race.said,
            "model": str(new),
            "warm_start": {"enabled": True, "until": arguments.until, **IMITATION[is_small]},
            "trainer": {"id": "grpo"},
            "updates": 0,
            "eval": {"episodes": 1, "validation_episodes": arguments.episodes},
            "output": folder / "warm",
        }
    )
    (run / "warm_start").rename(race.start)


def judged(race: Race, policy: str, episodes: int) -> float:
    """Success of a policy on held-out tasks, sampled."""
    seen, _ = evaluate(race.said, policy, episodes=episodes, temperature=1.0, seed=1)
    return seen.success


# -- the race --------------------------------------------------------------------------------------------


def raced(race: Race, arguments: argparse.Namespace, folder: Path) -> dict[str, Run]:
    """Both sides in turns, until both have reached the target or had their turns; who goes first alternates."""
    runs = {side: Run() for side in SIDES}
    with started(race, folder) as pipes:
        for lap in range(arguments.laps):
            for side in list(SIDES) if lap % 2 == 0 else reversed(SIDES):
                run = runs[side]
                done = turn(pipes[side])
                run.total += done
                run.seen.append((run.total.seconds, judged(race, done.policy, arguments.episodes)))
                print(f"seed {race.seed}, turn {lap}, {side:<4} {_line(done, run)}", flush=True)
            if all(run.reached(arguments.target) is not None for run in runs.values()):
                break
    return runs


@contextmanager
def started(race: Race, folder: Path) -> Iterator[dict[str, Connection]]:
    """The sides as processes, ready to go; they are ended on the way out."""
    context = multiprocessing.get_context("spawn")
    pipes, processes = {}, []
    try:
        for side, run in SIDES.items():
            pipes[side], other = context.Pipe()
            processes.append(context.Process(target=run, args=(race, other, folder / side), daemon=True))
            processes[-1].start()
            other.close()
            pipes[side].recv()
        yield pipes
    finally:
        for process in processes:
            process.terminate()
            process.join()


def turn(pipe: Connection) -> Lap:
    """A side's turn."""
    pipe.send("go")
    lap: Lap = pipe.recv()
    return lap


# -- what came of it -------------------------------------------------------------------------------------


def _line(lap: Lap, run: Run) -> str:
    return (
        f"{lap.seconds:6.2f} s ({lap.playing:.2f} playing; {lap.wall:.2f} passed), "
        f"{lap.episodes / lap.seconds:5.1f} episodes/s, "
        f"{lap.replies / lap.episodes:.2f} replies and {lap.tokens / lap.episodes:.1f} tokens an episode, "
        f"reward {lap.rewards / lap.episodes:.3f}; success {run.seen[-1][1]:.3f} after {run.seen[-1][0]:.1f} s"
    )


def told(name: str, runs: dict[str, Run], target: float) -> dict[str, Any]:
    """Print how the race ended; its figures."""
    rows: dict[str, Any] = {}
    speeds = {side: run.total.episodes / run.total.seconds for side, run in runs.items()}
    times = {side: run.reached(target) for side, run in runs.items()}
    for side, run in runs.items():
        best, took = max(success for _, success in run.seen), times[side]
        reach = f"{target} after {took:.1f} s" if took is not None else f"{target} not reached, {best:.3f} at best"
        an_update = run.total.seconds / run.total.updates
        print(f"{name}: {side:<4} {reach}; {speeds[side]:.1f} episodes/s, {an_update:.2f} s an update")
        rows[f"{name}, {side}, seconds to {target}"] = {"value": took, "target": None, "unit": "s"}
        rows[f"{name}, {side}, highest success"] = {"value": best, "target": None, "unit": "success"}
        rows[f"{name}, {side}, episodes per second"] = {"value": speeds[side], "target": None, "unit": "1/s"}
        rows[f"{name}, {side}, an update"] = {"value": an_update, "target": None, "unit": "s"}
    own, other = times["ours"], times["TRL"]
    ratio = own / other if own is not None and other is not None else None
    an_episode = speeds["TRL"] / speeds["ours"]
    compared = f"{ratio:.3f}" if ratio is not None else "none, since not both reached it"
    if own is not None and other is None:
        compared = f"below {own / runs['TRL'].total.seconds:.3f}, since TRL has not reached it"
    print(f"{name}: time to {target}, ours / TRL's: {compared}; an episode's: {an_episode:.3f}", flush=True)
    rows[f"{name}, time to {target}, ours / TRL's"] = {"value": ratio, "target": f"<= {TARGET}", "unit": "ratio"}
    rows[f"{name}, time of an episode, ours / TRL's"] = {"value": an_episode, "target": f"<= {TARGET}", "unit": "ratio"}
    return rows


if __name__ == "__main__":
    os.environ.setdefault("TRL_EXPERIMENTAL_SILENCE", "1")
    main()
