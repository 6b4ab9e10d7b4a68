"""DPO: which pairs, which reference, what is kept, and the loss through the learner."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
import torch

from agentgym.config import validated
from agentgym.errors import ConfigError, DataError
from agentgym.trainers.dpo import DPO, DPOSettings
from tests.kit import tiny_model
from tests.unit.trainers.kit import episode, equipped


def trainer(temperature: float = 1.0, **settings: Any) -> DPO:
    made = equipped(DPO(DPOSettings(**{"learning_rate": 1e-3, **settings})), tiny_model(), temperature=temperature)
    assert isinstance(made, DPO)
    return made


GROUP = [episode([1.0], [[5, 9]]), episode([0.5], [[6, 9]]), episode([0.0], [[7, 9]])]


def test_the_best_is_preferred_to_the_worst() -> None:
    lesson = trainer().lesson(GROUP)
    assert [row.token_ids[1] for row in lesson.rows] == [5, 7]
    assert [row.advantages[0] for row in lesson.rows] == [1.0, -1.0]
    assert [row.unit for row in lesson.rows] == [0, 0]
    assert lesson.rows[0].reference_logprobs == [0.0, -0.5, -0.5]  # as they were sampled
    assert lesson.metrics["pairs"] == 1.0


def test_all_pairs_that_differ_enough() -> None:
    assert trainer(pairs="all").lesson(GROUP).metrics["pairs"] == 3.0
    assert trainer(pairs="all", threshold=0.6).lesson(GROUP).metrics["pairs"] == 1.0


def test_choices_at_a_branching_turn() -> None:
    """Three episodes agree on turn 0; of their second replies [6, 9] led to 1 and 0, [7, 9] to 0."""
    group = [
        episode([0.0, 1.0], [[5, 9], [6, 9]], name="1"),
        episode([0.0, 0.0], [[5, 9], [6, 9]], name="2"),
        episode([0.0, 0.0], [[5, 9], [7, 9]], name="3"),
    ]
    lesson = trainer(pairs="steps").lesson(group)
    assert [row.token_ids for row in lesson.rows] == [[1, 5, 9, 2, 6, 9], [1, 5, 9, 2, 7, 9]]
    assert [row.loss_mask for row in lesson.rows] == [[False] * 4 + [True] * 2] * 2


def test_groups_without_a_pair_are_rejected_with_the_reason() -> None:
    equal = [episode([1.0], [[i, 9]], group="b", ordinal=1) for i in (5, 8)]
    lesson = trainer(threshold=2.0).lesson([*GROUP, *equal])
    assert lesson.rows == []
    assert lesson.rejected == {0: "no pair that differs enough", 1: "equal rewards"}


def test_the_first_loss_is_ln_2_and_the_margin_grows() -> None:
    dpo = trainer(epochs=1, learning_rate=1e-2, beta=0.5, reference="model")
    lesson = dpo.lesson(GROUP)
    seen = [dpo.learn(lesson, update) for update in range(5)]
    assert seen[0]["loss"] == pytest.approx(math.log(2), abs=1e-5)
    assert seen[0]["margin"] == pytest.approx(0, abs=1e-5)
    assert [step["margin"] for step in seen] == sorted(step["margin"] for step in seen)
    assert seen[-1]["accuracy"] == 1.0


@pytest.mark.parametrize("loss", ["sigmoid", "robust", "ipo", "hinge", "simpo", "slic", "rpo"])
def test_every_loss_prefers_the_chosen_side(loss: str) -> None:
    dpo = trainer(epochs=1, learning_rate=5e-3, loss=loss)
    lesson = dpo.lesson(GROUP)

    def gap() -> float:
        dpo.equipment.learner.score_rows(lesson.rows, "proximal_logprobs")
        sums = [sum(row.proximal_logprobs or []) for row in lesson.rows]
        for row in lesson.rows:
            row.proximal_logprobs = None
        return sums[0] - sums[1]

    before = gap()
    for update in range(5):
        dpo.learn(lesson, update)
    assert gap() > before + 0.05


def test_the_mean_over_pairs_does_not_depend_on_their_lengths() -> None:
    """The loss of two pairs, one of them long, is the mean of both alone."""
    long = [episode([1.0], [[5] * 12], group="b", ordinal=1), episode([0.0], [[6] * 3], group="b", ordinal=1)]

    def loss(group: list[Any]) -> float:
        dpo = trainer(epochs=1, beta=1.0)
        return dpo.learn(dpo.lesson(group), 0)["loss"]

    assert loss([*GROUP, *long]) == pytest.approx((loss(GROUP) + loss(long)) / 2, rel=1e-5)


def test_an_expert_s_episodes_have_no_stored_reference() -> None:
    group = [episode([1.0], version=-1), episode([0.0], [[6, 9]])]
    with pytest.raises(DataError, match=r"no stored log-probabilities.*--trainer.reference model"):
        trainer().lesson(group)
    assert len(trainer(reference="model").lesson(group).rows) == 2


def test_tempered_log_probabilities_are_no_reference() -> None:
    with pytest.raises(ConfigError, match=r"rollout.temperature 0.7.*--trainer.reference model"):
        trainer(temperature=0.7)
    trainer(temperature=0.7, reference="model")


def test_the_frozen_reference_stays() -> None:
    dpo = trainer(reference="model", learning_rate=0.1)
    before = dpo.lesson(GROUP).rows[0].reference_logprobs
    dpo.learn(dpo.lesson(GROUP), 0)
    assert dpo.lesson(GROUP).rows[0].reference_logprobs == before
    assert set(dpo.modules()) == {"reference"}


def test_past_pairs_are_trained_on_again_and_survive_a_checkpoint() -> None:
    dpo = trainer(replay=2)
    sizes = [len(dpo.lesson(GROUP).rows) for _ in range(4)]
    assert sizes == [2, 4, 6, 6]
    units = [row.unit for row in dpo.lesson(GROUP).rows]
    assert units == [0, 0, 1, 1, 2, 2]
    other = trainer(replay=2)
    other.load_state(json.loads(json.dumps(dpo.state())))
    assert other.lesson(GROUP).rows == dpo.lesson(GROUP).rows


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"label_smoothing": 0.1, "loss": "ipo"}, "label_smoothing has no effect with loss ipo"),
        ({"margin": 0.1}, "margin has no effect with loss sigmoid"),
        ({"imitation": 0.1}, "imitation has no effect with loss sigmoid"),
        ({"mean_logratio": True, "loss": "simpo"}, "mean_logratio has no effect with loss simpo"),
        ({"aggregation": "token"}, "aggregation sequence, found token"),
        ({"group_size": 1}, "group_size"),
    ],
)
def test_settings_that_do_not_go_together_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        validated(DPOSettings, settings, where="trainer")


def test_pairs_stay_together_in_minibatches() -> None:
    dpo = trainer(minibatches=3, epochs=2, pairs="all")
    lesson = dpo.lesson(GROUP)
    before = torch.cat([p.detach().flatten() for p in dpo.equipment.learner.module.parameters()])
    dpo.learn(lesson, 0)
    assert dpo.equipment.learner.num_updates == 6
    after = torch.cat([p.detach().flatten() for p in dpo.equipment.learner.module.parameters()])
    assert not torch.equal(before, after)


def test_means_over_tokens_make_a_pair_independent_of_lengths() -> None:
    """Every token of the chosen side is as much likelier as every other: with means the length does not matter."""
    losses = []
    for length in (2, 9):
        dpo = trainer(epochs=1, beta=1.0, mean_logratio=True)
        rows = dpo.lesson([episode([1.0], [[5] * length]), episode([0.0], [[6, 9]])]).rows
        dpo.equipment.learner.score_rows(rows, "reference_logprobs")
        for row in rows:
            assert row.reference_logprobs is not None
            row.reference_logprobs = [value - row.advantages[0] / 4 for value in row.reference_logprobs]
        losses.append(dpo.equipment.learner.update(rows, dpo.objective)["loss"])
    assert losses == pytest.approx([math.log(1 + math.exp(-0.5))] * 2, abs=1e-5)  # 1/4 more and 1/4 less
