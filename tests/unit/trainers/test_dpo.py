"""DPO: which pairs, which reference, what is kept, and the loss through the learner."""

from __future__ import annotations

import json
import math
import random
import re
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from agentgym.config import validated
from agentgym.errors import ConfigError, DataError
from agentgym.learn.forward import score
from agentgym.learn.objectives import preference
from agentgym.learn.rows import Row
from agentgym.pairs import rso_accept
from agentgym.trainers.dpo import DPO, DPOSettings
from agentgym.types import Trajectory
from tests.kit import one_thread, sample, tiny_model
from tests.unit.trainers.kit import episode, equipped

__all__ = ["one_thread"]


def listed(column: NDArray[np.float32] | None) -> list[float]:
    """A column that must be there."""
    assert column is not None
    return list(map(float, column))


def trainer(temperature: float = 1.0, **settings: Any) -> DPO:
    made = equipped(DPO(DPOSettings(**{"learning_rate": 1e-3, **settings})), tiny_model(), temperature=temperature)
    assert isinstance(made, DPO)
    return made


GROUP = [episode([1.0], [[5, 9]]), episode([0.5], [[6, 9]]), episode([0.0], [[7, 9]])]


def test_the_best_is_preferred_to_the_worst() -> None:
    lesson = trainer().lesson(0, GROUP)
    assert [int(row.token_ids[1]) for row in lesson.rows] == [5, 7]
    assert [row.advantages[0] for row in lesson.rows] == [1.0, -1.0]
    assert [row.unit for row in lesson.rows] == [0, 0]
    assert listed(lesson.rows[0].reference_logprobs) == [0.0, -0.5, -0.5]  # as they were sampled
    assert lesson.metrics["pairs"] == 1.0


def test_all_pairs_that_differ_enough() -> None:
    assert trainer(pairs="all").lesson(0, GROUP).metrics["pairs"] == 3.0
    assert trainer(pairs="all", threshold=0.6).lesson(0, GROUP).metrics["pairs"] == 1.0


def test_choices_at_a_branching_turn() -> None:
    """Three episodes agree on turn 0; of their second replies [6, 9] led to 1 and 0, [7, 9] to 0."""
    group = [
        episode([0.0, 1.0], [[5, 9], [6, 9]], name="1"),
        episode([0.0, 0.0], [[5, 9], [6, 9]], name="2"),
        episode([0.0, 0.0], [[5, 9], [7, 9]], name="3"),
    ]
    lesson = trainer(pairs="steps").lesson(0, group)
    assert [row.token_ids.tolist() for row in lesson.rows] == [[1, 5, 9, 2, 6, 9], [1, 5, 9, 2, 7, 9]]
    assert [row.loss_mask.tolist() for row in lesson.rows] == [[False] * 4 + [True] * 2] * 2


def test_groups_without_a_pair_are_rejected_with_the_reason() -> None:
    equal = [episode([1.0], [[i, 9]], group="b", ordinal=1) for i in (5, 8)]
    lesson = trainer(threshold=2.0).lesson(0, [*GROUP, *equal])
    assert lesson.rows == []
    assert lesson.rejected == {0: "no pair that differs enough", 1: "equal rewards"}


def test_rewritten_histories_are_told_and_their_turns_can_be_compared() -> None:
    """Of two turns, the second in a sample of its own: whole episodes are in two pieces, first turns in one context."""
    group = [forked([1.0, 0.0], [5, 6], name="1"), forked([0.0, 0.0], [7, 6], name="2")]
    lesson = trainer().lesson(0, group)
    assert (lesson.rows, lesson.metrics["incomparable"]) == ([], 2.0)
    told = "episodes whose history was rewritten .* are not compared in whole; .*: --trainer.pairs steps"
    assert re.fullmatch(told, lesson.rejected[0])
    by_turn = trainer(pairs="steps").lesson(0, group)
    assert [row.token_ids.tolist() for row in by_turn.rows] == [[1, 5, 9], [1, 7, 9]]
    assert by_turn.rejected == {}


def forked(rewards: list[float], said: list[int], *, name: str) -> Trajectory:
    """Each reply in a sample of its own."""
    whole = episode(rewards, [[word, 9] for word in said], name=name)
    parts = [sample([[word, 9]], prompt=1 + 10 * turn) for turn, word in enumerate(said)]
    for turn, part in enumerate(parts):
        part.turn_index[:] = turn
    return whole.model_copy(update={"samples": parts})


def test_the_first_loss_is_ln_2_and_the_margin_grows() -> None:
    dpo = trainer(epochs=1, learning_rate=1e-2, beta=0.5, reference="model")
    lesson = dpo.lesson(0, GROUP)
    seen = [dpo.learn(update, lesson) for update in range(5)]
    assert seen[0]["loss"] == pytest.approx(math.log(2), abs=1e-5)
    assert seen[0]["margin"] == pytest.approx(0, abs=1e-5)
    assert [step["margin"] for step in seen] == sorted(step["margin"] for step in seen)
    assert seen[-1]["accuracy"] == 1.0


@pytest.mark.parametrize("loss", ["sigmoid", "robust", "ipo", "hinge", "simpo", "slic", "rpo", "copg", "nash"])
def test_every_loss_prefers_the_chosen_side(loss: str) -> None:
    dpo = trainer(epochs=1, learning_rate=5e-3, loss=loss)
    lesson = dpo.lesson(0, GROUP)

    def gap() -> float:
        dpo.equipment.learner.score_rows(lesson.rows, "proximal_logprobs")
        sums = [sum(listed(row.proximal_logprobs)) for row in lesson.rows]
        for row in lesson.rows:
            row.proximal_logprobs = None
        return sums[0] - sums[1]

    before = gap()
    for update in range(5):
        dpo.learn(update, lesson)
    assert gap() > before + 0.05


def sums(rows: list[Row], logprobs: list[NDArray[np.float32]]) -> torch.Tensor:
    """Of the trained tokens of each row."""
    return torch.tensor([float(own[row.loss_mask].sum()) for row, own in zip(rows, logprobs, strict=True)])


def scored(dpo: DPO, rows: list[Row]) -> list[NDArray[np.float32]]:
    """What the policy thinks of the rows now."""
    return score(dpo.equipment.learner.module, rows)


def test_copg_fits_the_difference_in_reward() -> None:
    """All three pairs: rewards 1 and .5, 1 and 0, .5 and 0."""
    dpo = trainer(epochs=1, loss="copg", pairs="all", beta=0.5, learning_rate=1e-2)
    lesson = dpo.lesson(0, GROUP)
    ratios = sums(lesson.rows, scored(dpo, lesson.rows)) + 1.0  # -.5 for each of two tokens was stored
    expected, _ = preference.copg(ratios[::2], ratios[1::2], torch.tensor([0.5, 1.0, 0.5]), beta=0.5)
    losses = [dpo.learn(update, lesson)["loss"] for update in range(30)]
    assert losses[0] == pytest.approx(expected.mean().item(), rel=1e-4)
    assert losses[-1] < 0.1 * losses[0]


def judged(paid: float, unsafe: float, said: int) -> Trajectory:
    """An episode that the environment paid, and of whose last turn the reward "law" subtracted something."""
    found = episode([0.0, paid - unsafe], [[said, 9], [said, 9]], name=f"{said}")
    found.turns[0].breakdown = {"environment": 0.0, "law": 0.0}
    found.turns[1].breakdown = {"environment": paid, "law": -unsafe}
    return found


@pytest.mark.parametrize(
    ("good", "bad", "preferred", "label"),
    [(0.0, 0.0, 5, 0.7), (0.0, 2.0, 5, 1.2), (2.0, 0.0, 7, 0.8), (2.0, 2.0, 7, 0.3)],
)
def test_bfpo_prefers_the_safe_then_the_helpful_and_of_unsafe_ones_the_other(
    good: float, bad: float, preferred: int, label: float
) -> None:
    """Alpha .3; whoever says 5 is paid more by the environment, whatever it cost."""
    dpo = trainer(loss="bfpo", safety="law", alpha=0.3)
    rows = dpo.lesson(0, [judged(1.0, good, 5), judged(0.0, bad, 7)]).rows
    worths = {int(row.token_ids[1]): row.advantages[-1] for row in rows}
    assert worths[preferred] == pytest.approx(label / 2)
    assert sum(worths.values()) == 0


def test_bfpo_fits_the_label_over_beta() -> None:
    dpo = trainer(epochs=1, loss="bfpo", safety="law", beta=0.5, learning_rate=1e-2)
    lesson = dpo.lesson(0, [judged(1.0, 2.0, 5), judged(0.0, 0.0, 7)])
    ratios = sums(lesson.rows, scored(dpo, lesson.rows)) + 2.0  # -.5 for each of four tokens was stored
    expected, _ = preference.bfpo(ratios[:1], ratios[1:], torch.tensor([-1.0]), beta=0.5)
    losses = [dpo.learn(update, lesson)["loss"] for update in range(30)]
    assert losses[0] == pytest.approx(expected.mean().item(), rel=1e-4)
    assert losses[-1] < 0.1 * losses[0]


def test_a_reward_that_is_not_there_tells_nothing_of_safety() -> None:
    with pytest.raises(
        ConfigError, match=r'trainer.safety "lore" is no reward of this run; there are environment, law'
    ):
        trainer(loss="bfpo", safety="lore").lesson(0, [judged(1.0, 0.0, 5), judged(0.0, 0.0, 7)])


def test_nash_md_is_a_policy_gradient_of_the_chance_to_be_preferred() -> None:
    """Of rewards 1 and 0: σ(1) = .7311 for the chosen side."""
    dpo = trainer(epochs=1, loss="nash", beta=0.5)
    lesson = dpo.lesson(0, GROUP)
    assert [row.advantages[0] for row in lesson.rows] == pytest.approx([0.2311, -0.2311], abs=1e-4)
    now = torch.tensor(np.array([own[1:] for own in scored(dpo, lesson.rows)]))
    expected, _ = preference.nash_md(now, torch.tensor(-0.5), torch.tensor([[0.7311], [0.2689]]), beta=0.5)
    assert dpo.learn(0, lesson)["loss"] == pytest.approx(expected.mean().item(), rel=1e-3)


def test_only_accepted_episodes_are_compared() -> None:
    """With so small a beta the best two of three are accepted."""
    dpo = trainer(pairs="all", accept=2, accept_beta=1e-3)
    lesson = dpo.lesson(0, GROUP)
    assert [int(row.token_ids[1]) for row in lesson.rows] == [5, 6]
    accepted = rso_accept([1.0, 0.5, 0.0], beta=1e-3, num=2, rng=random.Random(0))
    assert sorted(accepted) == [0, 1]
    assert dpo.learn(0, lesson)["grad_norm"] > 0


def test_the_mean_over_pairs_does_not_depend_on_their_lengths() -> None:
    """The loss of two pairs, one of them long, is the mean of both alone."""
    long = [episode([1.0], [[5] * 12], group="b", ordinal=1), episode([0.0], [[6] * 3], group="b", ordinal=1)]

    def loss(group: list[Any]) -> float:
        dpo = trainer(epochs=1, beta=1.0)
        return dpo.learn(0, dpo.lesson(0, group))["loss"]

    assert loss([*GROUP, *long]) == pytest.approx((loss(GROUP) + loss(long)) / 2, rel=1e-5)


def test_an_expert_s_episodes_have_no_stored_reference() -> None:
    group = [episode([1.0], role="expert"), episode([0.0], [[6, 9]])]
    with pytest.raises(DataError, match=r"no stored log-probabilities.*--trainer.reference model"):
        trainer().lesson(0, group)
    assert len(trainer(reference="model").lesson(0, group).rows) == 2


def test_tempered_log_probabilities_are_no_reference() -> None:
    with pytest.raises(ConfigError, match=r"rollout.temperature 0.7.*--trainer.reference model"):
        trainer(temperature=0.7)
    trainer(temperature=0.7, reference="model")


def test_the_frozen_reference_stays() -> None:
    dpo = trainer(reference="model", learning_rate=0.1)
    before = listed(dpo.lesson(0, GROUP).rows[0].reference_logprobs)
    dpo.learn(0, dpo.lesson(0, GROUP))
    assert listed(dpo.lesson(0, GROUP).rows[0].reference_logprobs) == before
    assert set(dpo.modules()) == {"reference"}


def test_past_pairs_are_trained_on_again_and_survive_a_checkpoint() -> None:
    dpo = trainer(replay=2)
    sizes = [len(dpo.lesson(0, GROUP).rows) for _ in range(4)]
    assert sizes == [2, 4, 6, 6]
    other_pair = [episode([1.0], [[8, 9]]), episode([0.0], [[7, 9]])]
    assert [int(row.token_ids[1]) for row in dpo.lesson(0, other_pair).rows] == [5, 7, 5, 7, 8, 7]  # the oldest went
    assert [int(row.token_ids[1]) for row in dpo.lesson(0, GROUP).rows] == [5, 7, 8, 7, 5, 7]
    units = [row.unit for row in dpo.lesson(0, GROUP).rows]
    assert units == [0, 0, 1, 1, 2, 2]
    other = trainer(replay=2)
    other.load_state(json.loads(json.dumps(dpo.state())))
    assert other.lesson(0, GROUP).rows == dpo.lesson(0, GROUP).rows


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"label_smoothing": 0.1, "loss": "ipo"}, "label_smoothing has no effect with loss ipo"),
        ({"margin": 0.1}, "margin has no effect with loss sigmoid"),
        ({"imitation": 0.1}, "imitation has no effect with loss sigmoid"),
        ({"mean_logratio": True, "loss": "simpo"}, "mean_logratio has no effect with loss simpo"),
        ({"aggregation": "token"}, "aggregation sequence, found token"),
        ({"alpha": 0.4}, "alpha has no effect with loss sigmoid, only with bfpo"),
        ({"safety": "law", "loss": "ipo"}, "safety has no effect with loss ipo, only with bfpo"),
        ({"loss": "bfpo"}, "loss bfpo needs the name of a reward that says what is safe"),
        ({"loss": "bfpo", "safety": "law", "pairs": "steps"}, "loss bfpo compares whole episodes"),
        ({"mean_logratio": True, "loss": "copg"}, "mean_logratio has no effect with loss copg"),
        ({"reference": "model", "loss": "slic"}, "reference has no effect with loss slic"),
        ({"accept_beta": 0.1}, "accept_beta has no effect without accept"),
        ({"accept": 8}, "accept 8 has no effect with a group_size of 8"),
        ({"group_size": 1}, "group_size"),
    ],
)
def test_settings_that_do_not_go_together_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        validated(DPOSettings, settings, where="trainer")


def test_pairs_stay_together_in_minibatches() -> None:
    dpo = trainer(minibatches=3, epochs=2, pairs="all")
    lesson = dpo.lesson(0, GROUP)
    before = torch.cat([p.detach().flatten() for p in dpo.equipment.learner.module.parameters()])
    dpo.learn(0, lesson)
    assert dpo.equipment.learner.num_updates == 6
    after = torch.cat([p.detach().flatten() for p in dpo.equipment.learner.module.parameters()])
    assert not torch.equal(before, after)


def test_means_over_tokens_make_a_pair_independent_of_lengths() -> None:
    """Every token of the chosen side is as much likelier as every other: with means the length does not matter."""
    losses = []
    for length in (2, 9):
        dpo = trainer(epochs=1, beta=1.0, mean_logratio=True)
        rows = dpo.lesson(0, [episode([1.0], [[5] * length]), episode([0.0], [[6, 9]])]).rows
        dpo.equipment.learner.score_rows(rows, "reference_logprobs")
        for row in rows:
            assert row.reference_logprobs is not None
            row.reference_logprobs = row.reference_logprobs - np.float32(row.advantages[0] / 4)
        losses.append(dpo.equipment.learner.update(rows, dpo.objective)["loss"])
    assert losses == pytest.approx([math.log(1 + math.exp(-0.5))] * 2, abs=1e-5)  # 1/4 more and 1/4 less
