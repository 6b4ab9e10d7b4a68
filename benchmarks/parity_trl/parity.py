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
from typing import Any

import torch

from agentgym.learn.learner import Objective
from agentgym.learn.objectives.preference import dpo, hinge, ipo, robust_dpo
from benchmarks.parity_trl import material, ours, theirs
from benchmarks.parity_trl.material import Episode

TARGET = 1e-5
GROUPS, GROUP_SIZE = 2, 4
NUM_PAIRS = 5
LONGEST = 48
"""TRL's max_completion_length, which Dr. GRPO divides by."""

Rows = dict[str, dict[str, float | str]]
Result = tuple[float, dict[str, torch.Tensor]]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A definition of TRL's and the same written with our parts."""

    name: str
    trl: dict[str, Any]
    """Options of TRL's configuration."""
    objective: Objective
    learner: dict[str, Any] = dataclasses.field(default_factory=dict)
    """Options of our learner."""
    old_differs: bool = True
    """Whether the policy that sampled was another, so that the ratio is not 1."""
    has_value: bool = True
    """False where the two agree on the gradient of the loss and not on its value."""


GRPO_CASES = [
    Case(name="dapo, on policy", trl={"loss_type": "dapo"}, objective=ours.clipped(), old_differs=False),
    Case(name="dapo", trl={"loss_type": "dapo"}, objective=ours.clipped()),
    Case(
        name="dapo, upper clip 0.28, temperature 0.7",
        trl={"loss_type": "dapo", "epsilon_high": 0.28, "temperature": 0.7},
        objective=ours.clipped(clip_high=0.28),
        learner={"temperature": 0.7},
    ),
    Case(
        name="dapo, KL 0.04",
        trl={"loss_type": "dapo", "beta": 0.04, "use_bias_correction_kl": False},
        objective=ours.clipped(kl_coefficient=0.04),
    ),
    Case(
        name="dapo, KL 0.04 times the ratio",
        trl={"loss_type": "dapo", "beta": 0.04},
        objective=ours.clipped(kl_coefficient=0.04, kl_weighted=True),
    ),
    Case(name="bnpo", trl={"loss_type": "bnpo"}, objective=ours.clipped()),
    Case(
        name="bnpo, dual clip 1.3",
        trl={"loss_type": "bnpo", "delta": 1.3},
        objective=ours.clipped(dual_clip=1.3),
    ),
    Case(
        name="grpo",
        trl={"loss_type": "grpo"},
        objective=ours.clipped(),
        learner={"aggregation": "sequence"},
    ),
    Case(
        name="grpo, KL 0.04",
        trl={"loss_type": "grpo", "beta": 0.04, "use_bias_correction_kl": False},
        objective=ours.clipped(kl_coefficient=0.04),
        learner={"aggregation": "sequence"},
    ),
    Case(
        name="grpo, ratio of the sequence (GSPO)",
        trl={"loss_type": "grpo", "importance_sampling_level": "sequence", "epsilon": 0.05},
        objective=ours.clipped(level="sequence", clip_low=0.05, clip_high=0.05),
        learner={"aggregation": "sequence"},
    ),
    Case(
        name="dr_grpo",
        trl={"loss_type": "dr_grpo", "max_completion_length": LONGEST},
        objective=ours.clipped(),
        learner={"aggregation": "constant", "max_tokens_constant": LONGEST},
    ),
    Case(
        name="dr_grpo, KL 0.04",
        trl={"loss_type": "dr_grpo", "max_completion_length": LONGEST, "beta": 0.04, "use_bias_correction_kl": False},
        objective=ours.clipped(kl_coefficient=0.04),
        learner={"aggregation": "constant", "max_tokens_constant": LONGEST},
    ),
    Case(
        name="cispo, gradient only",
        trl={"loss_type": "cispo", "epsilon_high": 1.2},
        objective=ours.clipped_weight(highest=1.2),
        has_value=False,
    ),
]
RLOO_CASES = [
    Case(
        name="rloo, on policy",
        trl={"beta": 0.0},
        objective=ours.clipped(level="whole"),
        learner={"aggregation": "sequence"},
        old_differs=False,
    ),
    Case(
        name="rloo",
        trl={"beta": 0.0},
        objective=ours.clipped(level="whole"),
        learner={"aggregation": "sequence"},
    ),
    Case(
        name="rloo, KL 0.05 in the reward",
        trl={"beta": 0.05},
        objective=ours.clipped(level="whole"),
        learner={"aggregation": "sequence"},
        old_differs=False,
    ),
]
DPO_CASES = [
    Case(name="dpo sigmoid", trl={"loss_type": ["sigmoid"]}, objective=ours.paired(dpo, beta=0.1)),
    Case(name="dpo hinge", trl={"loss_type": ["hinge"]}, objective=ours.paired(hinge, beta=0.1)),
    Case(name="dpo ipo", trl={"loss_type": ["ipo"]}, objective=ours.paired(ipo, beta=0.1, lengths=True)),
    Case(
        name="dpo robust, smoothing 0.1",
        trl={"loss_type": ["robust"], "label_smoothing": 0.1},
        objective=ours.paired(robust_dpo, beta=0.1, label_smoothing=0.1),
    ),
]
ONE_PAIR_CASES = [
    Case(
        name="dpo sigmoid, smoothing 0.1 (TRL's aot of one pair)",
        trl={"loss_type": ["aot"], "label_smoothing": 0.1},
        objective=ours.paired(dpo, beta=0.1, label_smoothing=0.1),
    ),
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
    sys.exit(any(row["value"] > TARGET for row in rows.values()))  # type: ignore[operator]


Figures = dict[str, float]


class Bench:
    """Runs cases on both sides, on one policy and one reference."""

    def __init__(self, reference: Path, policy: Path) -> None:
        self.reference, self.policy = reference, policy
        self.models = {path: material.load_model(path) for path in (reference, policy)}

    def grpo(self) -> Iterator[tuple[str, Figures]]:
        """GRPO's advantages and losses; observations are masked."""
        episodes = material.groups(GROUPS, GROUP_SIZE)
        for case in GRPO_CASES:
            trainer = theirs.grpo(self.reference, self.policy, episodes, GROUP_SIZE, **{"beta": 0.0, **case.trl})
            inputs = theirs.scored(trainer, episodes)
            advantages = ours.zscores([episode.reward for episode in episodes], GROUP_SIZE)
            if case is GRPO_CASES[0]:
                yield "advantages, z-score of the group", {"value": differ(advantages, inputs["advantages"].tolist())}
            temperature = case.trl.get("temperature", 1.0)
            old = self.old(episodes, case.old_differs, temperature)
            penalty = case.trl.get("beta", 0.0) > 0
            rows = ours.rows_of(
                episodes, old, advantages, self.scores(self.reference, episodes, temperature) if penalty else None
            )
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
            old = self.old(episodes, case.old_differs)
            rows = ours.rows_of(episodes, old, [0.0] * len(episodes), self.scores(self.reference, episodes))
            rewards = ours.penalized([episode.reward for episode in episodes], rows, case.trl["beta"])
            advantages = ours.leave_one_outs(rewards, GROUP_SIZE)
            yield (
                f"advantages, leave one out: {case.name}",
                {"value": differ(advantages, inputs["advantages"].tolist())},
            )
            for row, advantage in zip(rows, advantages, strict=True):
                row.advantages = [advantage] * len(row.token_ids)
                row.reference_logprobs = None
            result = theirs.loss_and_gradients(trainer, theirs.with_old_logprobs(inputs, episodes, old))
            yield case.name, self.compare(case, rows, result)

    def dpo(self) -> Iterator[tuple[str, Figures]]:
        """Pairs; observations are masked on both sides."""
        for num, cases in ((NUM_PAIRS, DPO_CASES), (1, ONE_PAIR_CASES)):
            pairs = material.pairs(num, seed=5)
            for case in cases:
                trainer = theirs.dpo(self.reference, self.policy, pairs, **case.trl)
                result = theirs.loss_and_gradients(trainer, theirs.collated(trainer, pairs))
                rows = ours.pair_rows(pairs, lambda ids: material.logprobs(self.models[self.reference], ids))
                yield (
                    case.name,
                    self.compare(dataclasses.replace(case, learner={"aggregation": "sequence"}), rows, result),
                )

    def compare(self, case: Case, rows: list[Any], other: Result) -> Figures:
        """Differences from TRL's result."""
        own = ours.loss_and_gradients(self.policy, rows, case.objective, **case.learner)
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

    def old(self, episodes: Sequence[Episode], differs: bool, temperature: float = 1.0) -> list[list[float]]:
        """Of the policy that sampled."""
        now = self.scores(self.policy, episodes, temperature)
        return [material.drifted(values, seed) for seed, values in enumerate(now)] if differs else now


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
