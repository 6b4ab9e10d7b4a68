"""What trainers make of lines that branch: each turn learned from once, with what became of all lines through it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch

from agentgym.learn.advantages import gae
from agentgym.learn.rows import Row, rows_of
from agentgym.learn.trainer import Trainer
from agentgym.trainers.grpo import GRPO, GRPOSettings
from agentgym.trainers.ppo import PPO, PPOSettings
from agentgym.trainers.rloo import RLOO, RLOOSettings
from agentgym.types import StopReason, Trajectory
from tests.kit import one_thread, tiny_model
from tests.unit.trainers.kit import episode, equipped

__all__ = ["one_thread"]

TRAINERS: list[Any] = [
    lambda: GRPO(GRPOSettings(learning_rate=1e-3)),
    lambda: RLOO(RLOOSettings(learning_rate=1e-3)),
    lambda: PPO(PPOSettings(learning_rate=1e-3, epochs=1, minibatches=1, value_clip=None)),
]


def fork(
    name: str, parent: str | None, turn: int | None, rewards: Sequence[float], replies: Sequence[Sequence[int]]
) -> Trajectory:
    """A line that branched off ``parent``."""
    return episode(rewards, replies, name=name).model_copy(update={"parent_id": parent, "branch_turn": turn})


# Replies of two tokens, the prompt of turn t is 1 + t:
#
#   5 ── 6 ── 7    1     a
#   │    └─── 8    0     b, off a at 2
#   └─── 9 ── 3   -1     c, off a at 1

TREE = [
    fork("a", None, None, [0.0, 0.0, 1.0], [[5, 4], [6, 4], [7, 4]]),
    fork("b", "a", 2, [0.0, 0.0, 0.0], [[5, 4], [6, 4], [8, 4]]),
    fork("c", "a", 1, [0.0, 0.0, -1.0], [[5, 4], [9, 4], [3, 4]]),
]


def test_a_row_may_begin_to_have_a_loss_at_a_later_turn() -> None:
    (whole,), (row,) = rows_of(TREE[0], 1.0), rows_of(TREE[0], 1.0, first_turn=1)
    assert whole.loss_mask.tolist() == [False, True, True] * 3
    assert row.loss_mask.tolist() == [False] * 3 + [False, True, True] * 2
    assert row.token_ids.tolist() == whole.token_ids.tolist()
    assert TREE[0].samples[0].loss_mask.tolist() == [False, True, True] * 3  # the record is as it was


def test_what_an_expert_said_before_the_first_turn_is_no_demonstration() -> None:
    shown = TREE[0].model_copy(deep=True)
    shown.turns[0].role = shown.turns[1].role = "expert"
    demonstrated = [rows_of(shown, 1.0, first_turn=first)[0].demonstrations for first in range(3)]
    assert [None if found is None else np.flatnonzero(found).tolist() for found in demonstrated] == [
        [1, 2, 4, 5],
        [4, 5],
        None,
    ]


def told(row: Row) -> dict[str, Any]:
    """All that is in a row."""
    return {
        name: value.tolist() if isinstance(value, np.ndarray) else value for name, value in row.model_dump().items()
    }


@pytest.mark.parametrize("make", TRAINERS)
def test_a_tree_of_degree_one_teaches_what_plain_episodes_do_to_the_bit(make: Any) -> None:
    """Lines that are each other's parents from the first turn on share nothing."""
    flat = [episode([1.0], [[5, 9]], name="a"), episode([0.0, 0.5], [[6, 9], [7, 9]], name="b")]
    tree = [flat[0], flat[1].model_copy(update={"parent_id": "a", "branch_turn": 0})]
    found: list[tuple[list[dict[str, Any]], list[torch.Tensor]]] = []
    for lines in (flat, tree):
        trainer: Trainer[Any] = equipped(make(), tiny_model())
        lesson = trainer.lesson(0, lines)
        rows = [told(row) for row in lesson.rows]
        trainer.learn(0, lesson)
        found.append((rows, [weight.detach() for weight in trainer.equipment.learner.parameters]))
    (rows, weights), (others, moved) = found
    assert rows == others
    assert all(map(torch.equal, weights, moved))
    assert not all(map(torch.equal, weights, tiny_model().parameters()))


def advantages(row: Row) -> dict[int, float]:
    """Of the tokens with a loss."""
    return {int(place): float(row.advantages[place]) for place in row.places}


@pytest.mark.parametrize("settings", [{"ratio": "token"}, {"ratio": "product"}])
def test_what_lines_share_has_one_loss_with_their_mean_advantage(settings: dict[str, Any]) -> None:
    """RLOO's advantages are 1.5, 0, -1.5: their mean 0 at the turn of all three, .75 at the one of a and b."""
    rloo = RLOO(RLOOSettings(**settings, aggregation="sequence"))
    a, b, c = rloo.lesson(0, TREE).rows
    assert advantages(a) == pytest.approx({1: 0.0, 2: 0.0, 4: 0.75, 5: 0.75, 7: 1.5, 8: 1.5})
    assert advantages(b) == pytest.approx({7: 0.0, 8: 0.0})
    assert advantages(c) == pytest.approx({4: -1.5, 5: -1.5, 7: -1.5, 8: -1.5})


def test_grpo_shares_too() -> None:
    """Deviation 1 of rewards 1, 0, -1."""
    a, b, c = GRPO(GRPOSettings()).lesson(0, TREE).rows
    assert list(advantages(a).values()) == pytest.approx([0.0, 0.0, 0.5, 0.5, 1.0, 1.0], abs=1e-5)
    assert (len(advantages(b)), len(advantages(c))) == (2, 4)


def test_a_line_whose_parent_does_not_count_has_the_turns_that_nobody_else_has() -> None:
    void = TREE[0].model_copy(update={"stop_reason": StopReason.ENV_ERROR})
    b, c = RLOO(RLOOSettings()).lesson(0, [void, *TREE[1:]]).rows
    assert advantages(b) == pytest.approx({1: 0.0, 2: 0.0, 4: 1.0, 5: 1.0, 7: 1.0, 8: 1.0})
    assert advantages(c) == pytest.approx(dict.fromkeys([4, 5, 7, 8], -1.0))


def test_the_gradient_at_a_shared_turn_is_that_of_all_lines_that_go_through_it() -> None:
    """Rows of whole lines, each with its own advantage, sum to the tree's, each turn of which counts once a line."""
    module = tiny_model()
    tree = RLOO(RLOOSettings()).lesson(0, TREE).rows
    whole = [rows_of(line, advantage)[0] for line, advantage in zip(TREE, (1.5, 0.0, -1.5), strict=True)]

    def gradient(rows: Sequence[Row], shares: Sequence[dict[int, int]]) -> torch.Tensor:
        total = torch.zeros(())
        for row, counted in zip(rows, shares, strict=True):
            ids = torch.tensor(row.token_ids[None]).long()
            logprobs = module(input_ids=ids).logits[0, :-1].log_softmax(-1).gather(1, ids[0, 1:, None])[:, 0]
            for place in row.places:
                total = total + counted.get(place // 3, 1) * row.advantages[place] * logprobs[place - 1]
        return torch.cat([each.flatten() for each in torch.autograd.grad(total, list(module.parameters()))])

    assert torch.allclose(gradient(tree, [{0: 3, 1: 2}, {}, {}]), gradient(whole, [{}] * 3), atol=1e-4)


def ppo(**settings: Any) -> PPO:
    made = equipped(PPO(PPOSettings(**{"whiten": False, "learning_rate": 1e-3, **settings})), tiny_model())
    assert isinstance(made, PPO)
    with torch.no_grad():
        made.critic.module.head.weight.normal_(generator=torch.Generator().manual_seed(1))
    return made


def test_ppo_gives_a_fork_on_its_own_turns_what_the_whole_line_has_there() -> None:
    settings = {"gamma": 0.9, "lam": 0.8}
    _, b, _ = ppo(**settings).lesson(0, TREE).rows
    (whole,) = ppo(**settings).lesson(0, [TREE[1].model_copy(update={"parent_id": None, "branch_turn": None})]).rows
    assert b.places.tolist() == [7, 8]
    assert whole.places.tolist() == [1, 2, 4, 5, 7, 8]
    for name in ("advantages", "returns", "values"):
        own, of_whole = getattr(b, name), getattr(whole, name)
        assert own[b.places] == pytest.approx(of_whole[b.places], abs=1e-6)
    assert whole.values is not None
    slow, _ = gae(np.array([0.0] * 6), whole.values[whole.places].astype(np.float64), gamma=0.9, lam=0.8, bootstrap=0.0)
    assert b.advantages[b.places] == pytest.approx(slow[4:], abs=1e-6)
    assert b.advantages[[1, 2, 4, 5]].tolist() == [0.0] * 4


def test_ppo_does_not_credit_a_fork_with_what_was_paid_before_it() -> None:
    """Turn 0 earned 2, in the line that has it: 2 + 1 there, and the fork's turn 1 has what came of it alone."""
    lines = [
        fork("a", None, None, [2.0, 1.0], [[5, 4], [6, 4]]),
        fork("b", "a", 1, [2.0, 0.5], [[5, 4], [7, 4]]),
    ]
    trainer = equipped(PPO(PPOSettings(whiten=False)), tiny_model())
    a, b = trainer.lesson(0, lines).rows
    assert advantages(a) == {1: 3.0, 2: 3.0, 4: 1.0, 5: 1.0}
    assert advantages(b) == {4: 0.5, 5: 0.5}
