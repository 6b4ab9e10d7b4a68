"""Does a pretrained chat model of 135 M parameters learn here, on a CPU? A few dozen demonstrations, then GRPO.

For each environment and seed: ``agentgym train`` with an adapter, which imitates 48 episodes of the expert (before, the
model succeeds in none) and goes on by reinforcement. From the same warm start and for as long as that took, controls:

    same demonstrations    imitates the 48 again, in another order
    more demonstrations    imitates others, as many as the time allows

Every run keeps the policy that does best on validation tasks; the same test tasks with the same seeds are played
sampled and greedily before and after, and those of a harder level, which nothing was trained on. What is forgotten is
looked for with questions of general knowledge (``general.py``) and as KL(model ‖ policy) on the model's own answers.

    python benchmarks/pretrained.py --model FILE.gguf [--environments …] [--seeds 0 1 2] [--trainer grpo]
        [--controls NAME …] [--updates N] [--processes N] [--output DIR] [--json FILE]

Runs that are in ``--output`` already are not made anew.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import dataclasses
import json
import multiprocessing
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeAlias

from agentgym.launch import evaluate
from agentgym.launch.intervals import gain
from agentgym.learn.drift import base_rows, forward_kl
from agentgym.learn.policy import load_policy
from agentgym.types import Trajectory
from benchmarks.general import QUESTIONS
from benchmarks.learning import gains, made, told

Settings: TypeAlias = dict[str, Any]
Report: TypeAlias = dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Course:
    """What is learned, and what it is carried over to."""

    level: str
    harder: str
    options: Settings = dataclasses.field(default_factory=dict)
    protocol: Settings = dataclasses.field(default_factory=dict)


COURSES = {
    "blocksworld": Course("b3", "b4", {"reward": "dense"}),
    "countdown": Course("n3", "n4"),
    "policydesk": Course("p1", "p2", {"reward": "dense"}, {"system": "Serve the customer, by the tools of the desk."}),
}
"""The desk's document and tools, 440 tokens, are left out of the prompt: a step would take four times as long."""
DEMONSTRATIONS = 48
IMITATION: Settings = {"batch_size": 4, "learning_rate": 5e-4, "precision": "bfloat16"}
REINFORCEMENT: dict[str, Settings] = {
    "grpo": {"groups": 4, "group_size": 8, "scale_by_std": False},
    "rloo": {"groups": 4, "group_size": 8},
    "ppo": {"groups": 4, "group_size": 8},
    "dpo": {"groups": 4, "group_size": 8},
}
EPISODES, VALIDATION_EPISODES, HARDER_EPISODES = 100, 50, 50
CONTROLS = {"same demonstrations": DEMONSTRATIONS, "more demonstrations": None}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True, help="a .gguf file, a directory or a Hugging Face id")
    parser.add_argument("--environments", nargs="+", choices=list(COURSES), default=list(COURSES))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--trainer", choices=list(REINFORCEMENT), default="grpo")
    parser.add_argument("--controls", nargs="*", choices=list(CONTROLS), default=list(CONTROLS))
    parser.add_argument("--updates", type=int, default=60)
    parser.add_argument("--processes", type=int, default=1, help="runs at a time, one thread each")
    parser.add_argument("--output", type=Path, help="where the run directories go")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    output = arguments.output or Path(tempfile.mkdtemp(prefix="agentgym-pretrained-"))
    figures: dict[str, Any] = {}
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(arguments.processes, mp_context=context) as pool:
        jobs = [
            pool.submit(Learner(arguments, output, env, seed).run)
            for env in arguments.environments
            for seed in arguments.seeds
        ]
        for job in concurrent.futures.as_completed(jobs):
            told_of, found = job.result()
            print(told_of, flush=True)
            figures |= found
            if arguments.json:
                arguments.json.write_text(json.dumps(figures, indent=2) + "\n")


class Learner:
    """One environment and seed: the run, its controls, and what else there is to know of the finished policy."""

    def __init__(self, arguments: argparse.Namespace, output: Path, env: str, seed: int) -> None:
        self.model, self.trainer, self.updates = arguments.model, arguments.trainer, arguments.updates
        self.controls = list(arguments.controls)
        self.course, self.env, self.seed = COURSES[env], env, seed
        self.directory, self.output = output / f"{env}-{self.trainer}-{seed}", output

    def run(self) -> tuple[str, dict[str, Any]]:
        """What is printed of it, and its figures."""
        learned = made(self.directory, self._settings())
        lines = [self._title(learned), self._row(self.trainer, learned["eval"]["after"])]
        compared = {"before": learned["gain"]}
        for name in self.controls:
            directory = self.output / f"{self.env}-{name.replace(' ', '-')}-{self.seed}"
            control = made(directory, self._control(learned, CONTROLS[name]))
            compared[name] = gains(directory, self.directory)
            lines.append(self._row(name, control["eval"]["after"], compared[name]))
        compared["before, harder"] = self._transfer()
        lines.append(f"  gain on {self.course.harder}: {told(compared['before, harder'])}")
        forgotten = self._forgotten()
        lines.append("  " + ", ".join(f"{name} {value:.3f}" for name, value in forgotten.items()))
        return "\n".join(lines), self._figures(learned, compared, forgotten)

    # -- settings ----------------------------------------------------------------------------------------

    def _speech(self) -> Settings:
        """How the policy is spoken with, in training and elsewhere."""
        return {
            "protocol": {"id": "plain", **self.course.protocol},
            "engine": {"id": "embedded", "dtype": "bfloat16", "max_context": 512},
            "rollout": {"max_reply_tokens": 24},
            "threads": 1,
        }

    def _settings(self) -> Settings:
        speech = self._speech()
        return {
            **speech,
            "env": {"id": self.env, "level": self.course.level, **self.course.options},
            "model": {"id": self.model, "lora": True},
            "warm_start": {
                **IMITATION,
                "enabled": True,
                "demonstrations": DEMONSTRATIONS,
                "until": 0.2,
                "check_every": DEMONSTRATIONS // IMITATION["batch_size"],
                "max_updates": 3 * DEMONSTRATIONS // IMITATION["batch_size"],
            },
            "trainer": {
                "id": self.trainer,
                **REINFORCEMENT[self.trainer],
                "learning_rate": 1e-4,
                "precision": "bfloat16",
                "correction": "truncate",
                "max_microbatch_tokens": 2048,
            },
            "rollout": {**speech["rollout"], "concurrency": 64, "max_invalid_actions": 1},
            "rewards": {"success": {"weight": 1.0}},
            "updates": self.updates,
            "eval": {"episodes": EPISODES, "validation_episodes": VALIDATION_EPISODES, "every": 8},
            "seed": self.seed,
        }

    def _control(self, learned: Report, demonstrations: int | None) -> Settings:
        """Of a run from the same warm start that imitates for as long."""
        given = self._settings()
        del given["warm_start"], given["rewards"]
        return {
            **given,
            "model": str(self.directory / "warm_start"),
            "trainer": {"id": "sft", **IMITATION, "demonstrations": demonstrations},
            "updates": 10**6,
            "max_seconds": learned["stages"]["train"]["seconds"],
            "eval": {**given["eval"], "every": 24},  # an update of imitation is shorter
        }

    # -- what else is to be known --------------------------------------------------------------------------

    def _transfer(self) -> Report:
        """By how much success rose on a level that nothing was trained on."""
        given = {**self._speech(), "env": {"id": self.env, "level": self.course.harder}}
        models, num = [self.directory / "warm_start", self.directory], HARDER_EPISODES
        found = {}
        for how, temperature in (("sampled", 1.0), ("greedy", 0.0)):
            before, after = (
                [each.success for each in evaluate(given, str(model), episodes=num, temperature=temperature)[1]]
                for model in models
            )
            gained = gain(before, after)
            assert gained is not None
            found[how] = gained.model_dump(mode="json")
        return found

    def _forgotten(self) -> dict[str, float]:
        """Share of questions of general knowledge that are answered, and KL(model ‖ policy) on the model's answers."""
        found = {"questions answered before": _share(self._asked(self.model, 0.0))}
        rows = base_rows(self._asked(self.model, 1.0))
        for when, policy in (("imitation", "warm_start"), (self.trainer, "policy")):
            drift = forward_kl(load_policy(self.directory / policy).module, rows)
            found |= {
                f"after {when}": _share(self._asked(str(self.directory / policy), 0.0)),
                f"KL after {when}": drift.kl,
                f"error of KL after {when}": drift.error,
            }
        return found

    def _asked(self, model: str, temperature: float) -> Sequence[Trajectory]:
        given = {
            "env": str(Path(__file__).parent / "general.py"),
            "protocol": "plain",
            "engine": {"id": "embedded", "max_context": 512},
            "rollout": {"max_reply_tokens": 40},
            "threads": 1,
        }
        return evaluate(given, model, episodes=len(QUESTIONS), temperature=temperature)[1]

    # -- words -------------------------------------------------------------------------------------------

    def _title(self, learned: Report) -> str:
        before = learned["eval"]["before"]
        minutes, warm = learned["wall_seconds"] / 60, learned["stages"]["warm_start"]["updates"]
        return (
            f"{self.env} {self.course.level}, seed {self.seed}: {minutes:.0f} min; after {warm} updates of imitation "
            f"sampled {before['success']:.2f}, greedy {before['greedy']['success']:.2f}; "
            f"{self.trainer} over it: {told(learned['gain'])}"
        )

    def _row(self, name: str, seen: Report, gained: Report | None = None) -> str:
        over = f"   {self.trainer} over it: {told(gained)}" if gained else ""
        return f"  {name:<20} sampled {seen['success']:.2f}, greedy {seen['greedy']['success']:.2f}{over}"

    def _figures(self, learned: Report, compared: dict[str, Report], forgotten: dict[str, float]) -> dict[str, Any]:
        where = f"{self.env}, {self.trainer}, seed {self.seed}"
        figures = {
            f"{where}: {name} over {of}, {how}": {"value": round(value, 4), "target": target, "unit": "success"}
            for of, gained in compared.items()
            for how, each in gained.items()
            for name, value, target in (("gain", each["success"], None), ("least gain", each["ci95"][0], 0.0))
        }
        figures |= {
            f"{where}: {name}": {"value": round(value, 4), "target": None, "unit": "share or nats"}
            for name, value in forgotten.items()
        }
        return figures | {f"{where}: time": {"value": learned["wall_seconds"], "target": 3600, "unit": "s"}}


def _share(episodes: Sequence[Trajectory]) -> float:
    return sum(each.success for each in episodes) / len(episodes)


if __name__ == "__main__":
    main()
