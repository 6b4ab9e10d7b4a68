"""Loss and gradients against TRL's trainers: same bytes of a model, same tokens, same rewards.

    python benchmarks/parity_trl/parity.py [--json FILE]

For each case both sides compute the loss of one ragged batch and the gradient of every parameter, in float32. Printed
are the difference of the losses, and of the gradients the largest difference of an element and the largest difference
of a parameter's gradient in units of its norm. Advantages are compared as well. The exit code is 1 when a figure
misses its target.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np
import torch

from agentgym.learn.trainer import Trainer
from agentgym.trainers.dpo import DPO
from agentgym.trainers.grpo import GRPO
from agentgym.trainers.rloo import RLOO
from benchmarks.parity_trl import material, ours, theirs
from benchmarks.parity_trl.material import Episode

TARGET = 1e-5
GROUPS, GROUP_SIZE = 2, 4
NUM_PAIRS = 5
LONGEST = 48
"""TRL's max_completion_length, which Dr. GRPO divides by."""

Rows = dict[str, dict[str, float | str]]
Result = tuple[float, dict[str, torch.Tensor]]
T = TypeVar("T", bound=Trainer[Any])


@dataclasses.dataclass(frozen=True, kw_only=True)
class Case(Generic[T]):
    """A definition of TRL's and the same as settings of a trainer of ours."""

    name: str
    trl: dict[str, Any]
    """Options of TRL's configuration."""
    trainer: T
    temperature: float = 1.0
    old_differs: bool = True
    """Whether the policy that sampled was another, so that the ratio is not 1."""
    has_value: bool = True
    """False where the two agree on the gradient of the loss and not on its value."""


def grpo_case(name: str, trl: dict[str, Any], settings: dict[str, Any], **options: Any) -> Case[GRPO]:
    """Both with a clip of 0.2, unless given otherwise; in an update of several steps, without which it is idle."""
    trainer = GRPO(GRPO.Settings(**{"epochs": 2, "clip_low": 0.2, "clip_high": 0.2, **settings}))
    return Case(name=name, trl={"epsilon": 0.2, "beta": 0.0, **trl}, trainer=trainer, **options)


def dpo_case(name: str, trl: dict[str, Any], settings: dict[str, Any]) -> Case[DPO]:
    return Case(name=name, trl={"beta": 0.1, **trl}, trainer=DPO(DPO.Settings(beta=0.1, **settings)))


TOKEN, SEQUENCE = {"aggregation": "token"}, {"aggregation": "sequence"}
CONSTANT = {"aggregation": "constant", "aggregation_tokens": LONGEST}
DR_GRPO = {"loss_type": "dr_grpo", "max_completion_length": LONGEST}
KL, TRL_KL = {"kl_coefficient": 0.04}, {"beta": 0.04, "use_bias_correction_kl": False}

GRPO_CASES = [
    grpo_case("dapo, on policy", {"loss_type": "dapo"}, TOKEN, old_differs=False),
    grpo_case("dapo", {"loss_type": "dapo"}, TOKEN),
    grpo_case(
        "dapo, upper clip 0.28, temperature 0.7",
        {"loss_type": "dapo", "epsilon_high": 0.28, "temperature": 0.7},
        {**TOKEN, "clip_high": 0.28},
        temperature=0.7,
    ),
    grpo_case("dapo, KL 0.04", {"loss_type": "dapo", **TRL_KL}, {**TOKEN, **KL}),
    grpo_case(
        "dapo, KL 0.04 times the ratio", {"loss_type": "dapo", "beta": 0.04}, {**TOKEN, **KL, "kl_by_ratio": True}
    ),
    grpo_case("dapo, entropy bonus 0.01", {"loss_type": "dapo", "entropy_coef": 0.01}, {"entropy_coefficient": 0.01}),
    grpo_case("bnpo", {"loss_type": "bnpo"}, TOKEN),
    grpo_case("bnpo, dual clip 1.3", {"loss_type": "bnpo", "delta": 1.3}, {**TOKEN, "dual_clip": 1.3}),
    grpo_case("grpo", {"loss_type": "grpo"}, SEQUENCE),
    grpo_case("grpo, KL 0.04", {"loss_type": "grpo", **TRL_KL}, {**SEQUENCE, **KL}),
    grpo_case(
        "grpo, ratio of the sequence (GSPO)",
        {"loss_type": "grpo", "importance_sampling_level": "sequence", "epsilon": 0.05},
        {**SEQUENCE, "ratio": "sequence", "clip_low": 0.05, "clip_high": 0.05},
    ),
    grpo_case("dr_grpo", DR_GRPO, CONSTANT),
    grpo_case("dr_grpo, KL 0.04", {**DR_GRPO, **TRL_KL}, {**CONSTANT, **KL}),
    grpo_case(
        "cispo, gradient only",
        {"loss_type": "cispo", "epsilon_high": 1.2},
        {**TOKEN, "loss": "cispo", "clip_low": 1.0, "clip_high": 0.2},
        has_value=False,
    ),
]
RLOO_CASES = [
    Case(name="rloo, on policy", trl={"beta": 0.0}, trainer=RLOO(RLOO.Settings()), old_differs=False),
    Case(name="rloo", trl={"beta": 0.0}, trainer=RLOO(RLOO.Settings())),
    Case(
        name="rloo, KL 0.05 in the reward",
        trl={"beta": 0.05},
        trainer=RLOO(RLOO.Settings(kl_coefficient=0.05)),
        old_differs=False,  # TRL's penalty is that of the policy it finds, not of the given log-probabilities
    ),
]
DPO_CASES = [
    dpo_case("dpo sigmoid", {"loss_type": ["sigmoid"]}, {"loss": "sigmoid"}),
    dpo_case("dpo hinge", {"loss_type": ["hinge"]}, {"loss": "hinge"}),
    dpo_case("dpo ipo", {"loss_type": ["ipo"]}, {"loss": "ipo", "mean_logratio": True}),
    dpo_case(
        "dpo robust, smoothing 0.1",
        {"loss_type": ["robust"], "label_smoothing": 0.1},
        {"loss": "robust", "label_smoothing": 0.1},
    ),
]
ONE_PAIR_CASES = [
    dpo_case(
        "dpo sigmoid, smoothing 0.1 (TRL's aot of one pair)",
        {"loss_type": ["aot"], "label_smoothing": 0.1},
        {"loss": "sigmoid", "label_smoothing": 0.1},
    )
]
"""TRL's sigmoid loss knows no label smoothing; its aot loss is that of the sorted pairs, and one pair is sorted."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="write the figures there as well")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        reference = material.write_model(Path(folder) / "reference", seed=0)
        policy = material.write_model(Path(folder) / "policy", seed=1)
        bench = Bench(reference, policy)
        rows: Rows = {}
        for measured in (bench.grpo(), bench.rloo(), bench.dpo()):
            for name, figures in measured:
                rows |= report(name, figures)
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")
    sys.exit(any(not float(row["value"]) <= TARGET for row in rows.values()))  # NaN misses too


Figures = dict[str, float]


class Bench:
    """Runs cases on both sides, on one policy and one reference."""

    def __init__(self, reference: Path, policy: Path) -> None:
        self.reference, self.policy = reference, policy
        self.models = {path: material.load_model(path) for path in (reference, policy)}

    def grpo(self) -> Iterator[tuple[str, Figures]]:
        """GRPO's advantages and losses; observations are masked."""
        episodes = material.groups(GROUPS, GROUP_SIZE)
        advantages = ours.zscores([episode.reward for episode in episodes], GROUP_SIZE)
        for case in GRPO_CASES:
            trainer = theirs.grpo(self.reference, self.policy, episodes, GROUP_SIZE, **case.trl)
            inputs = theirs.scored(trainer, episodes)
            if case is GRPO_CASES[0]:
                yield "advantages, z-score of the group", {"value": differ(advantages, inputs["advantages"].tolist())}
            old = self.old(episodes, case)
            scores = self.scores(self.reference, episodes, case.temperature) if case.trl["beta"] else None
            rows = ours.rows_of(episodes, old, advantages, scores)
            result = theirs.loss_and_gradients(trainer, theirs.with_old_logprobs(inputs, episodes, old))
            yield case.name, self.compare(case, rows, result)

    def rloo(self) -> Iterator[tuple[str, Figures]]:
        """RLOO's: TRL's trainer knows no observations, so every token of a completion is trained here."""
        episodes = [
            dataclasses.replace(episode, sampled=[True] * len(episode.completion))
            for episode in material.groups(GROUPS, GROUP_SIZE, seed=3)
        ]
        for case in RLOO_CASES:
            trainer = theirs.rloo(self.reference, self.policy, episodes, GROUP_SIZE, **case.trl)
            inputs = theirs.scored(trainer, episodes)
            old = self.old(episodes, case)
            scores = self.scores(self.reference, episodes) if case.trl["beta"] else None
            rows = ours.rows_of(episodes, old, [0.0] * len(episodes), scores)
            rewards = ours.penalized([episode.reward for episode in episodes], rows, case.trainer)
            advantages = ours.leave_one_outs(rewards, GROUP_SIZE)
            for row, advantage in zip(rows, advantages, strict=True):
                row.advantages = np.full(len(row.token_ids), advantage)
            yield f"advantages of {case.name}", {"value": differ(advantages, inputs["advantages"].tolist())}
            result = theirs.loss_and_gradients(trainer, theirs.with_old_logprobs(inputs, episodes, old))
            yield case.name, self.compare(case, rows, result)

    def dpo(self) -> Iterator[tuple[str, Figures]]:
        """Pairs; observations are masked on both sides."""
        for num, cases in ((NUM_PAIRS, DPO_CASES), (1, ONE_PAIR_CASES)):
            pairs = material.pairs(num, seed=5)
            rows = ours.pair_rows(pairs, lambda ids: material.logprobs(self.models[self.reference], ids))
            for case in cases:
                trainer = theirs.dpo(self.reference, self.policy, pairs, **case.trl)
                result = theirs.loss_and_gradients(trainer, theirs.collated(trainer, pairs))
                yield case.name, self.compare(case, rows, result)

    def compare(self, case: Case[Any], rows: list[Any], other: Result) -> Figures:
        """Differences from TRL's result."""
        objective = case.trainer.objective
        own = ours.loss_and_gradients(self.policy, rows, case.trainer, objective, case.temperature)
        if own[1].keys() != other[1].keys():
            raise AssertionError(f"gradients of {sorted(own[1].keys() ^ other[1].keys())} are on one side only")
        gaps = {name: (own[1][name] - gradient).abs() for name, gradient in other[1].items()}
        value = {"loss": abs(own[0] - other[0])} if case.has_value else {}
        return {
            **value,
            "gradient": max(gap.max().item() for gap in gaps.values()),
            "gradient, relative": max((gap.norm() / other[1][name].norm()).item() for name, gap in gaps.items()),
        }

    def scores(self, path: Path, episodes: Sequence[Episode], temperature: float = 1.0) -> list[list[float]]:
        """Log-probabilities by a plain forward pass for each episode."""
        return [material.logprobs(self.models[path], e.token_ids, temperature=temperature) for e in episodes]

    def old(self, episodes: Sequence[Episode], case: Case[Any]) -> list[list[float]]:
        """Of the policy that sampled."""
        now = self.scores(self.policy, episodes, case.temperature)
        return [material.drifted(values, seed) for seed, values in enumerate(now)] if case.old_differs else now


def differ(own: Sequence[float], other: Sequence[float]) -> float:
    return max(abs(a - b) for a, b in zip(own, other, strict=True))


def report(name: str, figures: Figures) -> Rows:
    """Print a case on one line; a row for each figure of it."""
    print(f"{name:60} " + "  ".join(f"{what} {value:.1e}" for what, value in figures.items()), flush=True)
    return {
        f"{name}, {what}": {"value": v, "target": f"<= {TARGET}", "unit": "difference"} for what, v in figures.items()
    }


if __name__ == "__main__":
    main()
