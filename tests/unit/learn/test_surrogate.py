"""The shared objective of the policy-gradient trainers against the same written out for one token at a time."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from agentgym.groups import Group
from agentgym.learn.batch import Microbatch, microbatches
from agentgym.learn.forward import Predictions
from agentgym.learn.group_trainer import GroupTrainer, GroupTrainerSettings
from agentgym.learn.rows import Row

LOGPROB = st.floats(-2, -0.05)
TOKEN = st.fixed_dictionaries(
    {
        "now": LOGPROB,
        "behavior": LOGPROB,
        "proximal": LOGPROB,
        "reference": LOGPROB,
        "advantage": st.floats(-2, 2),
        "entropy": st.floats(0, 2),
    }
)
ROWS = st.lists(st.lists(TOKEN, min_size=1, max_size=4), min_size=1, max_size=3)
Token = dict[str, float]


class Plain(GroupTrainer[GroupTrainerSettings]):
    Settings = GroupTrainerSettings

    def compare(self, group: Group, rewards: Any) -> Any:
        raise AssertionError("not asked here")


def ready(rows: list[list[Token]], *, proximal: bool, whole: bool = False) -> tuple[Predictions, Microbatch]:
    """A microbatch of one untrained token and then these, for each row, longest first or ``whole``: of one episode."""

    def of(tokens: list[Token], name: str) -> list[float]:
        return [0.0, *(token[name] for token in tokens)]

    made = [
        Row(
            token_ids=[0] * (len(tokens) + 1),
            loss_mask=[False] + [True] * len(tokens),
            behavior_logprobs=of(tokens, "behavior"),
            advantages=of(tokens, "advantage"),
            proximal_logprobs=of(tokens, "proximal") if proximal else None,
            reference_logprobs=of(tokens, "reference"),
            unit=0 if whole else None,
        )
        for tokens in rows
    ]
    (batch,) = microbatches(made, [1.0] * len(made), max_tokens=1000)
    flat = list(itertools.chain.from_iterable(rows))
    now = torch.tensor([token["now"] for token in flat], requires_grad=True)
    entropies = torch.tensor([token["entropy"] for token in flat])
    return Predictions(logprobs_N=now, entropies_N=entropies, logsumexps_N=torch.zeros(len(flat))), batch


def slow(episodes: list[list[Token]], chosen: GroupTrainerSettings, *, proximal: bool) -> list[float]:
    """The loss of each token, from the formulas."""
    losses = []
    for tokens in episodes:
        gaps = [t["now"] - t["proximal"] if proximal else 0.0 for t in tokens]
        drift = [(t["proximal"] if proximal else t["now"]) - t["behavior"] for t in tokens]
        for t, gap, moved in zip(tokens, gaps, drift, strict=True):
            ratio = math.exp({"token": gap, "sequence": sum(gaps) / len(gaps), "product": sum(gaps)}[chosen.ratio])
            low, high = 1 - chosen.clip_low, 1 + chosen.clip_high
            a = t["advantage"]
            loss = {
                "clip": -min(ratio * a, min(max(ratio, low), high) * a),
                "cispo": -min(max(ratio, low), high) * a,
                "reinforce": -a,
            }[chosen.loss]
            weight = math.exp(sum(drift) if chosen.correction_level == "sequence" else moved)
            if chosen.correction == "truncate":
                loss *= min(weight, chosen.correction_cap)
            elif chosen.correction == "mask":
                loss *= weight if 1 / chosen.correction_cap <= weight <= chosen.correction_cap else 0.0
            d = t["now"] - t["reference"]
            divergence = {"k1": d, "k2": d * d / 2, "k3": math.exp(-d) - 1 + d}[chosen.kl_estimator]
            if chosen.kl_by_ratio:
                divergence *= math.exp(t["now"] - t["behavior"])
            if chosen.kl_in == "loss":
                loss += chosen.kl_coefficient * divergence
            losses.append(loss - chosen.entropy_coefficient * t["entropy"])
    return losses


CHOICES: list[dict[str, Any]] = [
    {},
    {"clip_low": 0.1, "clip_high": 0.5, "entropy_coefficient": 0.3, "epochs": 2},
    {"loss": "cispo", "epochs": 2},
    {"loss": "reinforce", "kl_coefficient": 0.7, "kl_estimator": "k2"},
    {"ratio": "sequence", "minibatches": 2},
    {"ratio": "product", "aggregation": "sequence"},
    {"kl_coefficient": 0.5},
    {"kl_coefficient": 0.5, "kl_estimator": "k1", "kl_by_ratio": True},
    {"kl_coefficient": 0.5, "kl_in": "reward"},
    {"correction": "truncate", "correction_cap": 1.2},
    {"correction": "truncate", "correction_cap": 1.2, "correction_level": "sequence"},
    {"correction": "mask", "correction_cap": 1.5},
    {"correction": "mask", "correction_cap": 3.0, "correction_level": "sequence"},
]


@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize("proximal", [False, True])
@pytest.mark.parametrize("choice", CHOICES, ids=lambda choice: ",".join(map(str, choice)) or "plain")
@settings(max_examples=10)
@given(rows=ROWS)
def test_every_part_of_the_loss(choice: dict[str, Any], proximal: bool, whole: bool, rows: list[list[Token]]) -> None:
    """Of episodes of one row each, or of one episode that is in all of them."""
    chosen = GroupTrainerSettings(**choice)
    rows = rows if whole else sorted(rows, key=len, reverse=True)
    episodes = [list(itertools.chain.from_iterable(rows))] if whole else rows
    moved = [[t["proximal" if proximal else "now"] - t["behavior"] for t in tokens] for tokens in episodes]
    weights = [w for own in moved for w in (*own, sum(own))]
    assume(all(abs(abs(w) - math.log(chosen.correction_cap)) > 1e-4 for w in weights))  # where rounding decides
    predictions, batch = ready(rows, proximal=proximal, whole=whole)
    loss, metrics = Plain(chosen).objective(predictions, batch)
    expected = slow(episodes, chosen, proximal=proximal)
    assert loss.tolist() == pytest.approx(expected, rel=1e-4, abs=1e-5)
    flat = list(itertools.chain.from_iterable(rows))
    gap = [abs((t["proximal"] if proximal else t["now"]) - t["behavior"]) for t in flat]
    assert metrics["mismatch"].tolist() == pytest.approx(gap, abs=1e-5)


def test_a_mask_at_its_bound_by_hand() -> None:
    """Weights e^.5 = 1.65 and e^-.5 = .61: inside [1/2, 2], outside [1/1.5, 1.5]."""
    token = {"now": -1.0, "reference": -1.0, "advantage": 1.0, "entropy": 0.0}
    rows = [[{**token, "proximal": -1.0, "behavior": -1.5}], [{**token, "proximal": -1.5, "behavior": -1.0}]]
    predictions, batch = ready(rows, proximal=True)
    for cap, expected in ((2.0, [-math.exp(0.5), -min(math.exp(0.5), 1.28) * math.exp(-0.5)]), (1.5, [0.0, 0.0])):
        loss, _ = Plain(GroupTrainerSettings(correction="mask", correction_cap=cap)).objective(predictions, batch)
        assert loss.tolist() == pytest.approx(expected, abs=1e-6)


def test_what_an_expert_said_is_no_mismatch() -> None:
    row = Row(token_ids=[0, 1], loss_mask=[False, True], behavior_logprobs=[0.0, 0.0], advantages=[0.0, 1.0])
    row.demonstrations = np.array([False, True])
    (batch,) = microbatches([row], [1.0], max_tokens=10)
    seen = Predictions(logprobs_N=torch.tensor([-3.0]), entropies_N=torch.zeros(1), logsumexps_N=torch.zeros(1))
    assert Plain(GroupTrainerSettings()).objective(seen, batch)[1]["mismatch"].tolist() == [0.0]
