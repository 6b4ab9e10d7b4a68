"""GRPO's relatives, RLOO, the mixtures and CORY: what their lessons hold."""

from __future__ import annotations

import asyncio
import math
from typing import Any

import pytest
import torch

from agentgym.config import validated
from agentgym.curricula.uniform import Uniform
from agentgym.engine import NamedWeights
from agentgym.errors import ConfigError
from agentgym.learn import objectives
from agentgym.learn.advantages import group_zscore
from agentgym.learn.forward import score
from agentgym.learn.learner import Learner
from agentgym.learn.trainer import Lesson, Trainer
from agentgym.lengths import length_rewards
from agentgym.rollout import EpisodeSpec
from agentgym.trainers.cory import CORY, CORYSettings
from agentgym.trainers.grpo import GRPO, PRESETS, GRPOSettings
from agentgym.trainers.mixed import Mixed, MixedSettings
from agentgym.trainers.rloo import RLOO, RLOOSettings
from agentgym.trainers.sft import SFT, SFTSettings
from agentgym.types import Role, StopReason, Trajectory
from tests.kit import one_thread, tiny_model
from tests.unit.trainers.kit import episode, equipped, logprobs_of, moved

__all__ = ["one_thread"]

GROUP = [episode([1.0], [[5, 9]]), episode([0.0], [[6, 9]]), episode([0.0], [[7, 9]]), episode([0.0], [[8, 9]])]

BALANCE: dict[str, Any] = {"loss": "balance", "kl_coefficient": 0.1, "kl_in": "reward", "aggregation": "sequence"}


def advantages(trainer: Trainer[Any], episodes: list[Trajectory]) -> list[float]:
    """Of the last token of each row."""
    return [row.advantages[-1] for row in trainer.lesson(0, episodes).rows]


def test_rloo_by_hand() -> None:
    assert advantages(RLOO(RLOOSettings()), GROUP) == pytest.approx([1.0, -1 / 3, -1 / 3, -1 / 3])


def test_rloo_weighs_sequences_not_tokens() -> None:
    """On-policy the gradient is the mean over episodes of A ∇ log π(episode), however long they are."""
    group = [episode([1.0], [[5] * 7]), episode([0.0], [[6, 9]])]
    rloo = equipped(RLOO(RLOOSettings(learning_rate=1e-3, max_grad_norm=1e9)), tiny_model())
    learner: Learner = rloo.equipment.learner
    lesson = rloo.lesson(0, group)
    learner.score_rows(lesson.rows, "proximal_logprobs")
    for row in lesson.rows:  # exactly on-policy
        assert row.proximal_logprobs is not None
        row.behavior_logprobs, row.proximal_logprobs = row.proximal_logprobs, None
    taken = gradient(learner, lambda: learner.update(lesson.rows, rloo.objective))
    module = tiny_model()
    total = torch.zeros(())
    for row in lesson.rows:
        ids = torch.tensor(row.token_ids[None]).long()
        logprobs = module(input_ids=ids).logits[0, :-1].log_softmax(-1).gather(1, ids[0, 1:, None])[:, 0]
        mask = torch.tensor(row.loss_mask[1:])
        total = total - row.advantages[-1] * logprobs[mask].sum() / 2
    total.backward()
    slow = torch.cat([p.grad.flatten() for p in module.parameters()])
    assert torch.allclose(taken, slow, atol=1e-5)


def gradient(learner: Learner, act: Any) -> torch.Tensor:
    """What the optimizer was given."""
    seen: list[torch.Tensor] = []
    step = learner.optimizer.step

    def watched(*args: Any, **kwargs: Any) -> Any:
        seen.append(torch.cat([p.grad.flatten().clone() for p in learner.parameters if p.grad is not None]))
        return step(*args, **kwargs)

    learner.optimizer.step = watched  # type: ignore[method-assign]
    act()
    return seen[0]


def test_a_group_of_one_is_refused() -> None:
    for settings in (GRPOSettings, RLOOSettings, MixedSettings, CORYSettings):
        with pytest.raises(
            ConfigError, match=r"trainer.group_size: Input should be greater than or equal to 2, found 1"
        ):
            validated(settings, {"group_size": 1}, where="trainer")


@pytest.mark.parametrize("key", ["clip_low", "clip_high"])
def test_a_bound_below_ratio_1_is_refused(key: str) -> None:
    for settings in (GRPOSettings, RLOOSettings, MixedSettings, CORYSettings):
        with pytest.raises(ConfigError, match=f"trainer.{key}: Input should be greater than or equal to 0, found -0.1"):
            validated(settings, {key: -0.1, "minibatches": 2}, where="trainer")


@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_is_a_complete_choice(preset: str) -> None:
    settings = validated(GRPOSettings, {"preset": preset, "learning_rate": 1e-3}, where="trainer")
    steps = settings.epochs * settings.minibatches
    for key, value in PRESETS[preset].items():
        assert getattr(settings, key) == value or (steps == 1 and key == "clip_high")
    assert (steps > 1) == (preset in ("dapo", "gspo", "cispo"))
    trainer = equipped(GRPO(settings), tiny_model(), max_tokens=24)
    lesson = trainer.lesson(0, [t.model_copy(update={"success": t.reward == 1}) for t in GROUP])
    assert len(lesson.rows) == 4
    assert trainer.learn(0, lesson)["grad_norm"] > 0


def test_settings_beside_a_preset_have_the_last_word() -> None:
    settings = GRPOSettings(preset="dapo", clip_high=0.5)
    assert (settings.clip_high, settings.keep_truncated) == (0.5, False)
    assert [GRPOSettings(preset="dr_grpo", epochs=epochs).clip_high for epochs in (1, 2)] == [0.28, 0.2]
    with pytest.raises(ConfigError, match=r'no preset "dapa". Did you mean "dapo"\?'):
        validated(GRPOSettings, {"preset": "dapa"})


def test_dapo_leaves_out_episodes_that_were_cut_short() -> None:
    group = [*GROUP[:2], episode([0.5], stop=StopReason.TURN_LIMIT)]
    dapo = GRPO(GRPOSettings(preset="dapo", minibatches=1))
    assert len(dapo.lesson(0, group).rows) == 2
    lesson = dapo.lesson(0, [GROUP[0], group[2]])
    assert lesson.rejected == {0: "fewer than two episodes that count"}


def test_gigpo_adds_what_a_turn_did_among_turns_of_the_same_state() -> None:
    """Both begin by seeing "seen 0"; returns there 1 and 0, discounted .95 a turn for the first: .95 and 0."""
    group = [episode([0.0, 1.0]), episode([0.0], [[6, 9]])]
    settings = GRPOSettings(preset="gigpo", scale_by_std=False)
    first, second = GRPO(settings).lesson(0, group).rows
    # the episode: +-.5; the first turn: +-.475; the second turn was reached once: nothing to compare with
    assert first.advantages[1] == pytest.approx(0.5 + 0.475)
    assert first.advantages[-1] == pytest.approx(0.5)
    assert second.advantages[1] == pytest.approx(-0.5 - 0.475)


def test_lead_weighs_rare_successes_more() -> None:
    rare = [episode([float(i == 0)], [[5 + i, 9]], success=i == 0) for i in range(4)]
    common = [episode([float(i != 0)], [[5 + i, 9]], success=i != 0) for i in range(4)]
    plain, lead = GRPO(GRPOSettings()), GRPO(GRPOSettings(preset="lead"))
    gain = [
        advantages(lead, group)[1 if group is common else 0] / advantages(plain, group)[1 if group is common else 0]
        for group in (rare, common)
    ]
    assert gain[0] == pytest.approx(0.4 + 1.1 / (1 + 2.718281828 ** (10 * (0.25 - 0.75))), abs=1e-4)
    assert gain[1] == pytest.approx(0.95, abs=1e-4)


def test_nft_learns_from_successes_and_from_what_they_leave_over() -> None:
    """One of four succeeds; the rewards do not count. The first step is taken at the policy itself, then it moves."""
    group = [t.model_copy(update={"success": t.reward == 1}) for t in GROUP]
    nft = equipped(GRPO(GRPOSettings(loss="nft", learning_rate=1e-2, epochs=2)), tiny_model())
    lesson = nft.lesson(0, group)
    assert [row.advantages[-1] for row in lesson.rows] == [0.75, -0.25, -0.25, -0.25]
    learner, proximal = nft.equipment.learner, score(nft.equipment.learner.module, lesson.rows)
    learner.update(lesson.rows, nft.objective)
    ratios = [
        torch.tensor(now[1:]) - torch.tensor(then[1:])
        for now, then in zip(score(learner.module, lesson.rows), proximal, strict=True)
    ]
    right = torch.tensor([True] + [False] * 3).repeat_interleave(2)
    expected, _ = objectives.nft.nft(torch.cat(ratios), right, torch.full((8,), 0.25), epsilon=1.0)
    assert learner.update(lesson.rows, nft.objective)["loss"] == pytest.approx(expected.mean().item(), rel=1e-4)
    assert expected.mean().item() < -0.01


def test_balance_weighs_the_reward_against_the_divergence_of_whole_episodes() -> None:
    """An episode's tokens are in two samples; β .5. The mean is that of r − β log π / π_ref before the update."""
    group = [
        episode([1.0, 0.0], [[5, 9], [6, 9]], forks=[[[5, 9]], [[6, 9]]]),
        episode([0.0], [[7, 9]]),
        episode([0.0], [[8, 9]]),
    ]
    balance = equipped(GRPO(GRPOSettings(**{**BALANCE, "kl_coefficient": 0.5, "learning_rate": 1e-2})), tiny_model())
    learner = balance.equipment.learner
    moved(learner.module)
    lesson = balance.lesson(0, group)
    ratios = [
        math.fsum(
            now - began
            for row in rows
            for now, began, said in zip(
                *(logprobs_of(m, row) for m in (learner.module, tiny_model())), row.loss_mask, strict=True
            )
            if said
        )
        for rows in (lesson.rows[:2], lesson.rows[2:3], lesson.rows[3:])
    ]
    assert max(map(abs, ratios)) > 0.01
    mean = sum(reward - 0.5 * ratio for reward, ratio in zip([1.0, 0.0, 0.0], ratios, strict=True)) / 3
    assert [row.advantages[-1] for row in lesson.rows] == pytest.approx([1 - mean, 1 - mean, -mean, -mean], rel=1e-5)
    left = [0.5 * ratio - (reward - mean) for ratio, reward in zip(ratios, [1.0, 0.0, 0.0], strict=True)]
    losses = [balance.learn(update, balance.lesson(update, group))["loss"] for update in range(20)]
    assert losses[0] == pytest.approx(sum(each**2 for each in left) / 3, rel=1e-3)
    assert losses[-1] < 0.1 * losses[0]


def test_balance_learns_from_equal_rewards_too() -> None:
    """They are to be as likely as the reference has them: what has moved away is brought back."""
    equal = [episode([1.0], [[5, 9]]), episode([1.0], [[6, 9]])]
    balance = equipped(GRPO(GRPOSettings(**{**BALANCE, "kl_coefficient": 1.0, "learning_rate": 1e-2})), tiny_model())
    moved(balance.equipment.learner.module)
    losses = [balance.learn(update, balance.lesson(update, equal))["loss"] for update in range(20)]
    assert losses[-1] < 0.1 * losses[0]
    alone = [episode([1.0], [[5, 9]])]
    assert balance.lesson(0, alone).rejected == {0: "fewer than two episodes that count"}


def test_brevity_prefers_short_successes() -> None:
    """Successes of 2, 4 (in two turns) and 5 tokens, what is seen left out; the rewards do not count."""
    group = [
        episode([0.1], [[5, 9]], success=True),
        episode([0.0, 0.2], [[6, 7], [8, 9]], success=True),
        episode([0.3], [[5, 6, 7, 8, 9]], success=True),
        episode([0.4], [[6, 9]]),
    ]
    found = advantages(GRPO(GRPOSettings(brevity=0.5)), group)
    rewards = length_rewards([True, True, True, False], [2, 4, 5, 2], alpha=0.5)
    assert found == pytest.approx(group_zscore(rewards))
    assert found == sorted(found, reverse=True)


def test_a_penalty_in_the_reward_is_subtracted_before_groups_are_compared() -> None:
    """Reward minus .1 times how far the policy's log-probs are from where they began, whatever the sampler's were."""
    trainer = equipped(RLOO(RLOOSettings(kl_coefficient=0.1)), tiny_model())
    moved(trainer.equipment.learner.module)
    lesson = trainer.lesson(0, GROUP[:2])
    gaps = [
        sum(now - began for now, began, said in zip(*both, row.loss_mask, strict=True) if said)
        for row in lesson.rows
        for both in [[logprobs_of(m, row) for m in (trainer.equipment.learner.module, tiny_model())]]
    ]
    assert max(map(abs, gaps)) > 0.01
    rewards = [1.0 - 0.1 * gaps[0], 0.0 - 0.1 * gaps[1]]
    assert [row.advantages[-1] for row in lesson.rows] == pytest.approx(
        [rewards[0] - rewards[1], rewards[1] - rewards[0]]
    )


def test_a_penalty_in_the_loss_holds_the_policy_near_its_beginning() -> None:
    def distance(coefficient: float) -> float:
        settings = {"kl_coefficient": coefficient, "kl_estimator": "k2"} if coefficient else {}
        trainer = equipped(GRPO(GRPOSettings(learning_rate=1e-2, **settings)), tiny_model())
        start = tiny_model()
        for update in range(6):
            trainer.learn(update, trainer.lesson(0, GROUP))
        ids = torch.tensor(GROUP[0].samples[0].token_ids[None])
        logprobs = [m(input_ids=ids).logits.log_softmax(-1) for m in (start, trainer.equipment.learner.module)]
        return float((logprobs[0].exp() * (logprobs[0] - logprobs[1])).sum().detach())

    assert distance(20.0) < 0.5 * distance(0.0)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"kl_estimator": "k1"}, "kl_estimator has no effect without a kl_coefficient"),
        ({"correction_cap": 3.0}, "correction_cap has no effect without a correction"),
        (
            {"clip_low": 0.1},
            r"clip_low 0.1 has no effect in an update of one .*; take several: minibatches 4, or epochs",
        ),
        ({"clip_high": 0.3}, "clip_high 0.3 has no effect in an update of one optimizer step"),
        ({"dual_clip": 3.0}, "dual_clip 3.0 has no effect in an update of one optimizer step"),
        ({"loss": "cispo"}, "loss cispo has no effect in an update of one optimizer step"),
        ({"ratio": "sequence"}, "ratio sequence has no effect in an update of one optimizer step"),
        ({"preset": "gspo", "minibatches": 1}, "ratio sequence has no effect in an update of one optimizer step"),
        ({"preset": "cispo", "minibatches": 1}, "loss cispo has no effect in an update of one optimizer step"),
        ({"loss": "cispo", "dual_clip": 3.0}, "dual_clip has no effect without loss clip"),
        ({"loss": "reinforce", "clip_low": 0.1}, "clip_low has no effect"),
        ({"loss": "cispo", "ratio": "sequence"}, "ratio sequence has no effect with loss cispo"),
        ({"ratio": "product", "aggregation": "token"}, "needs aggregation sequence, found token"),
        ({"kl_coefficient": 0.1, "kl_in": "reward", "kl_estimator": "k2"}, "k2 has no effect in the reward"),
        ({"anchor_discount": 0.5}, "anchor_discount has no effect"),
        ({"num_sets": 3}, "num_sets has no effect"),
        ({"set_size": 9}, "set_size 9 does not fit a group_size of 8"),
        ({"set_size": 4, "brevity": 0.1}, "have no effect with a set_size"),
        ({"loss": "nft", "clip_high": 0.3}, "clip_high has no effect with loss nft"),
        ({"loss": "nft", "brevity": 0.1}, "brevity has no effect with loss nft"),
        ({"loss": "nft", "ratio": "sequence"}, "ratio sequence has no effect with loss nft"),
        ({"loss": "nft", "kl_coefficient": 0.1, "kl_in": "reward"}, "kl_in has no effect with loss nft"),
        ({"loss": "balance"}, "loss balance .* needs a kl_coefficient, and kl_in reward"),
        ({"loss": "balance", "kl_coefficient": 0.1}, "loss balance .* needs a kl_coefficient, and kl_in reward"),
        ({**BALANCE, "aggregation": "token"}, "loss balance is a sequence's: it needs aggregation sequence, found tok"),
        ({**BALANCE, "set_size": 2}, "set_size has no effect with loss balance"),
        ({**BALANCE, "draw_on": 1}, "draw_on has no effect with loss balance"),
        ({**BALANCE, "weigh_groups": True}, "weigh_groups has no effect with loss balance"),
        ({"loss": "nft", "weigh_groups": True}, "weigh_groups has no effect with loss nft"),
        ({**BALANCE, "clip_low": 0.1, "epochs": 2}, "clip_low has no effect with loss balance"),
        ({"brevity": 0.1, "kl_coefficient": 0.1, "kl_in": "reward"}, "kl_in reward has no effect with brevity"),
    ],
)
def test_keys_without_effect_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        validated(GRPOSettings, settings, where="trainer")


@pytest.mark.parametrize(
    "settings",
    [
        {"ratio": "sequence", "anchor_weight": 1.0},  # of turns that have advantages of their own
        {"ratio": "sequence", "correction": "mask"},  # of tokens that have weights of their own
        {"ratio": "product", "aggregation": "sequence"},  # which divides nothing by the length
        {"clip_low": 0.1, "epochs": 2},
        {"dual_clip": 3.0, "minibatches": 2},
    ],
)
def test_what_has_an_effect_is_taken(settings: dict[str, Any]) -> None:
    assert validated(GRPOSettings, settings).model_fields_set == set(settings)


@pytest.mark.parametrize(
    ("settings", "changes"),
    [
        ({"preset": "cispo"}, True),
        ({"preset": "gspo"}, True),
        ({"dual_clip": 1.001, "clip_low": 0.001, "clip_high": 0.001, "minibatches": 4}, True),
        ({"minibatches": 4}, False),
    ],
)
def test_presets_do_something(settings: dict[str, Any], changes: bool) -> None:
    """In as many steps without what they bound, the policy ends elsewhere."""

    def ends(**chosen: Any) -> torch.Tensor:
        aggregation = GRPOSettings(**settings).aggregation
        trainer = GRPO(GRPOSettings(**{"learning_rate": 1e-2, "aggregation": aggregation, **chosen}))
        module = equipped(trainer, tiny_model()).equipment.learner.module
        trainer.learn(0, trainer.lesson(0, GROUP))
        return torch.cat([p.detach().flatten() for p in module.parameters()])

    assert torch.equal(ends(**settings), ends(minibatches=4)) == (not changes)


def test_lead_has_its_length_reward() -> None:
    """Two successes of 2 and 4 tokens, mean 3, deviation 1: e^.05 and e^-.05; a failure is worth -1."""
    group = [episode([1.0], [[5, 9]], success=True), episode([1.0], [[5, 6, 7, 9]], success=True), episode([0.0])]
    found = advantages(GRPO(GRPOSettings(preset="lead")), group)
    rewards = [math.exp(0.05), math.exp(-0.05), -1.0]
    assert length_rewards([True, True, False], [2, 4, 2], alpha=0.05) == pytest.approx(rewards, rel=1e-5)
    weight = 0.4 + 1.1 / (1 + math.exp(10 * (2 / 3 - 0.75)))  # of gains, where 2 of 3 succeed
    assert found[:2] == pytest.approx([weight * z for z in group_zscore(rewards)[:2]], rel=1e-5)
    assert found[0] > found[1]


def test_a_group_that_differs_in_length_alone_has_something_to_learn_from() -> None:
    """Two successes of 2 and 3 tokens; and two failures, whose lengths and rewards do not count."""
    won = [episode([1.0], [[5, *[6] * i, 9]], success=True) for i in range(2)]
    lost = [episode([reward], [[5, 9]], group="b", ordinal=1) for reward in (0.0, 0.3)]
    lesson = GRPO(GRPOSettings(brevity=0.5)).lesson(0, [*won, *lost])
    assert [row.advantages[-1] > 0 for row in lesson.rows] == [True, False]
    assert lesson.rejected == {1: "equal length rewards"}
    assert GRPO(GRPOSettings()).lesson(0, won).rejected == {0: "equal rewards"}


@pytest.mark.parametrize(
    ("steps", "wanted"),
    [({}, False), ({"correction": "mask"}, False), ({"epochs": 2}, True), ({"minibatches": 2}, True)],
)
def test_scores_at_the_start_of_an_update_are_kept_where_it_takes_several_steps(
    steps: dict[str, Any], wanted: bool
) -> None:
    trainer = equipped(GRPO(GRPOSettings(**steps)), tiny_model())
    assert [row.proximal_logprobs is not None for row in trainer.lesson(0, GROUP).rows] == [wanted] * 4


# -- what an episode counts ------------------------------------------------------------------------------

FORKED = [
    episode([0.0, 1.0], [[5, 9], [6, 7, 9]], forks=[[[5, 9]], [[6, 7, 9]]]),  # in two rows, of 2 and 3 trained tokens
    episode([0.0], [[6, 9]]),
]


@pytest.mark.parametrize(
    ("settings", "together"),
    [
        ({}, False),
        ({"ratio": "sequence", "epochs": 2}, True),
        ({"ratio": "product", "aggregation": "sequence"}, True),
        ({"correction": "mask"}, False),
        ({"correction": "mask", "correction_level": "sequence"}, True),
    ],
)
def test_rows_of_an_episode_stay_together_where_something_runs_over_all_of_them(
    settings: dict[str, Any], together: bool
) -> None:
    rows = equipped(GRPO(GRPOSettings(**settings)), tiny_model()).lesson(0, FORKED).rows
    assert [row.unit for row in rows] == ([0, 0, 1] if together else [None] * 3)
    assert [row.episode_tokens for row in rows] == [5, 5, None]


def test_the_product_runs_over_the_whole_episode() -> None:
    """The policy has moved: the first episode's ratio is e to the sum of five differences, which both its rows have."""
    rloo = equipped(RLOO(RLOOSettings(minibatches=2, clip_low=9.0, clip_high=9.0)), tiny_model())
    rows = rloo.lesson(0, FORKED).rows
    moved(rloo.equipment.learner.module)
    gaps = [
        sum(now - then for now, then, said in zip(new, before, row.loss_mask, strict=True) if said)
        for row in rows
        for before in [row.proximal_logprobs]
        if before is not None
        for new in [logprobs_of(rloo.equipment.learner.module, row)]
    ]
    ratios = [math.exp(gaps[0] + gaps[1]), math.exp(gaps[2])]
    assert abs(gaps[0]) > 0.01 < abs(gaps[1])
    metrics = rloo.equipment.learner.update(rows, rloo.objective)
    assert metrics["loss"] == pytest.approx(-(ratios[0] - ratios[1]) / 2, rel=1e-4)
    assert metrics["ratio"] == pytest.approx(sum(ratios) / 2, rel=1e-4)


@pytest.mark.parametrize("aggregation", ["token", "sequence", "constant"])
def test_equal_groups_count_in_a_constant_alone(aggregation: Any) -> None:
    """A group that differs and two of equal rewards, of which one has an episode that is void: 4 + 3 episodes idle."""
    equal = [episode([0.0], [[5 + i, 9]], group=f"b{n}", ordinal=1 + n) for n in range(2) for i in range(4)]
    equal[0] = episode([0.0], group="b0", ordinal=1, stop=StopReason.ENV_ERROR)
    grpo = equipped(GRPO(GRPOSettings(aggregation=aggregation, scale_by_std=False)), tiny_model(), max_tokens=10)
    lesson = grpo.lesson(0, [*GROUP, *equal])
    assert (len(lesson.rows), lesson.idle) == (4, 7.0 if aggregation == "constant" else 0.0)
    alone = equipped(GRPO(GRPOSettings(aggregation=aggregation, scale_by_std=False)), tiny_model(), max_tokens=10)
    expected = alone.learn(0, alone.lesson(0, GROUP))["grad_norm"]
    found = grpo.learn(0, lesson)["grad_norm"]
    assert found == pytest.approx(expected * (4 / 11 if aggregation == "constant" else 1.0), rel=1e-5)


def test_minibatches_share_the_idle_episodes() -> None:
    """Of six, in three steps: each has two beside its own rows."""
    seen = []
    grpo = equipped(GRPO(GRPOSettings(aggregation="constant", minibatches=3)), tiny_model(), max_tokens=10)
    learner = grpo.equipment.learner
    learner.update = lambda rows, objective, *, idle, stops: seen.append(idle) or {}  # type: ignore
    grpo.learn(0, Lesson(grpo.lesson(0, GROUP).rows, idle=6.0))
    assert seen == [2.0, 2.0, 2.0]


@pytest.mark.parametrize("correction", ["truncate", "mask"])
@pytest.mark.parametrize("level", ["token", "sequence"])
def test_what_the_sampler_saw_otherwise_counts_less(correction: str, level: str) -> None:
    """Behavior log-probs of -.5 are not the module's: the weights are bounded, and bounded tokens are counted."""
    settings = GRPOSettings(learning_rate=1e-3, correction=correction, correction_level=level, correction_cap=1.01)
    trainer = equipped(GRPO(settings), tiny_model())
    lesson = trainer.lesson(0, GROUP)
    for row in lesson.rows:  # much less than the module says
        row.behavior_logprobs = 20 * row.behavior_logprobs
    metrics = trainer.learn(0, lesson)
    assert metrics["mismatch"] > 0.1
    assert metrics["mismatch_bounded"] > 0
    assert metrics["mismatch_weight"] <= 1.01 + 1e-5
    scored = equipped(GRPO(settings), tiny_model())
    scored.equipment.learner.score_rows(lesson.rows, "proximal_logprobs")
    assert scored.learn(0, lesson) == pytest.approx(metrics, rel=1e-5)  # what one step sees by itself


# -- mixtures ------------------------------------------------------------------------------------------


def shown(ordinal: int = 0, group: str = "a", reward: float = 1.0) -> Trajectory:
    return episode(
        [reward], [[4, 9]], name=f"demonstration-{group}", group=group, ordinal=ordinal, role="expert", success=True
    )


class Stage:
    """Plays back prepared episodes."""

    def __init__(self, own: list[Trajectory]) -> None:
        self.own, self.draws = own, Uniform(range(8), seed=1)
        self.asked: list[EpisodeSpec] = []

    async def policy(self, specs: list[EpisodeSpec], **_: Any) -> list[Trajectory]:
        if any(spec.shown_turns for spec in specs):
            self.asked = specs
        return self.own

    async def expert(self, specs: list[EpisodeSpec]) -> list[Trajectory]:
        self.asked += specs
        return [shown(spec.ordinal or 0, spec.group_id) for spec in specs]


def mixed(**settings: Any) -> Mixed:
    made = equipped(
        Mixed(MixedSettings(**{"groups": 4, "group_size": 2, "learning_rate": 1e-3, **settings})),
        tiny_model(),
        max_tokens=10,
    )
    assert isinstance(made, Mixed)
    return made


def two_groups() -> list[Trajectory]:
    solved = [episode([1.0], [[5, 9]], group="0-0", ordinal=0, success=True), episode([0.0], group="0-0", ordinal=0)]
    return solved + [episode([0.0], [[i, 9]], group="0-1", ordinal=1) for i in (6, 7)]


def test_chord_s_two_means_have_the_shares_that_it_says() -> None:
    """Own tokens 4, demonstrated tokens 2, μ .5: the learner's mean over 6 tokens, times 6/4 · .5 and 6/2 · .5."""
    trainer = mixed(demonstrations=1, peak=0.5)
    played = asyncio.run(trainer.play(0, Stage(two_groups()[:2])))  # type: ignore[arg-type]
    assert [t.role for t in played].count("expert") == 1
    lesson = trainer.lesson(0, played)
    assert [row.demonstrations is not None for row in lesson.rows] == [False, False, True]
    assert trainer.mixture(0, lesson.rows) == pytest.approx((0.75, 1.5))


def test_each_mean_of_a_mixture_is_over_episodes() -> None:
    """Own episodes: one in two rows and one more; two more are idle. Shown: 1. μ .5, Dr. GRPO's constant."""
    trainer = mixed(demonstrations=1, peak=0.5, aggregation="constant")
    equal = [episode([0.0], [[5 + i, 9]], group="b", ordinal=1) for i in range(2)]
    lesson = trainer.lesson(0, [*FORKED, *equal, shown()])
    assert (len(lesson.rows), lesson.idle) == (4, 2.0)
    assert trainer.mixture(0, lesson.rows, idle=lesson.idle) == pytest.approx((0.5 * 5 / 4, 0.5 * 5))
    trainer = mixed(demonstrations=1, peak=0.5, aggregation="sequence")
    assert trainer.mixture(0, trainer.lesson(0, [*FORKED, shown()]).rows) == pytest.approx((0.75, 1.5))


def test_an_equal_group_s_demonstration_is_not_idle() -> None:
    """srft: what is not imitated counts in no mean of imitations."""
    trainer = mixed(method="srft", aggregation="constant")
    equal = [episode([1.0], [[5 + i, 9]], group="0-0", ordinal=0) for i in range(2)]
    assert trainer.lesson(0, [*equal, shown(), *two_groups()[2:], shown(1, "0-1")]).idle == 2.0


def test_chord_s_share_of_imitation_falls() -> None:
    trainer = mixed(demonstrations=1, peak=0.8, valley=0.1, fall=10)
    shares = []
    for update in (0, 5, 10):
        played = asyncio.run(trainer.play(update, Stage(two_groups()[:2])))  # type: ignore[arg-type]
        shares.append(trainer.mixture(update, trainer.lesson(update, played).rows).demonstration / 3)
    assert shares == pytest.approx([0.8, 0.45, 0.1])


def test_hpt_imitates_what_the_policy_fails_at_and_nothing_else() -> None:
    trainer, stage = mixed(method="hpt", gate=0.0), Stage(two_groups())
    lesson = trainer.lesson(0, asyncio.run(trainer.play(0, stage)))  # type: ignore[arg-type]
    assert [spec.ordinal for spec in stage.asked] == [1]
    assert [row.demonstrations is not None for row in lesson.rows] == [False, False, True]
    assert lesson.rejected == {}


def test_hpt_does_not_reinforce_what_it_imitates() -> None:
    """One of two succeeds, at a gate of a half: there would be something to reinforce."""
    trainer = mixed(method="hpt", gate=0.5)
    lesson = trainer.lesson(0, asyncio.run(trainer.play(0, Stage(two_groups()))))  # type: ignore[arg-type]
    assert [row.demonstrations is not None for row in lesson.rows] == [True, True]


def test_a_task_that_was_imitated_is_not_rejected() -> None:
    trainer = mixed(demonstrations=1)
    failed = [episode([0.0], [[i, 9]], group="0-0", ordinal=0) for i in (6, 7)]
    lesson = trainer.lesson(0, asyncio.run(trainer.play(0, Stage(failed))))  # type: ignore[arg-type]
    assert len(lesson.rows) == 1
    assert lesson.rejected == {}


def test_srft_compares_the_demonstration_with_the_group() -> None:
    trainer = mixed(method="srft")
    played = [*two_groups()[2:], shown(1, "0-1")]
    lesson = trainer.lesson(0, played)  # 0, 0 and the expert's 1
    assert [row.advantages[-1] for row in lesson.rows] == pytest.approx([-1 / 3, -1 / 3, 2 / 3])
    assert trainer.learn(0, lesson)["grad_norm"] > 0


def test_prefix_leads_the_first_member_of_each_group_and_ever_less() -> None:
    trainer = mixed(method="prefix", longest=1.0, fall=10)
    given = []
    for update in (0, 100):
        stage = Stage(two_groups())
        asyncio.run(trainer.play(update, stage))  # type: ignore[arg-type]
        turns = {spec.episode_id: spec.shown_turns for spec in stage.asked if spec.shown_turns}
        assert set(turns) <= {f"{update}-{group}-0" for group in range(4)}
        given.append(sum(turns.values()))
    assert given[0] == 4  # all of the one turn, in each of four groups
    assert given[1] < 4


@pytest.mark.parametrize(
    ("settings", "key"),
    [
        ({"loss": "reinforce"}, "loss"),
        ({"ratio": "sequence", "minibatches": 2}, "ratio"),
        ({"clip_high": 0.3}, "clip_high"),
        ({"dual_clip": 3.0}, "dual_clip"),
        ({"entropy_coefficient": 0.1}, "entropy_coefficient"),
        ({"correction": "mask"}, "correction"),
        ({"kl_coefficient": 0.1}, "kl_coefficient"),
    ],
)
def test_srft_refuses_what_its_own_loss_has_not(settings: dict[str, Any], key: str) -> None:
    validated(MixedSettings, {"epochs": 2, **settings})
    with pytest.raises(ConfigError, match=f"{key} has no effect .*method srft"):
        validated(MixedSettings, {"method": "srft", "epochs": 2, **settings})


def test_srft_takes_what_has_an_effect() -> None:
    """Its bound on demonstrations, in one step too, and a penalty in the reward."""
    validated(MixedSettings, {"method": "srft", "clip_low": 0.1, "kl_coefficient": 0.1, "kl_in": "reward"})


@pytest.mark.parametrize(
    ("settings", "played"),
    [
        ({"demonstrations": 3}, (8, 3)),
        ({"method": "srft"}, (8, 4)),
        ({"method": "hpt"}, (8, 4)),  # at most
        ({"method": "prefix"}, (8, 4)),
    ],
)
def test_what_an_update_of_a_mixture_plays(settings: dict[str, Any], played: tuple[int, int]) -> None:
    draws = Uniform([0], seed=0)
    assert Mixed(MixedSettings(groups=4, group_size=2, **settings)).num_played(draws) == played
    assert GRPO(GRPOSettings(groups=4, group_size=2)).num_played(draws) == (8, 0)
    assert CORY(CORYSettings(groups=4, group_size=2)).num_played(draws) == (16, 0)
    assert SFT(SFTSettings(batch_size=3)).num_played(draws) == (0, 3)


def test_mixed_refuses_keys_of_other_methods() -> None:
    with pytest.raises(ConfigError, match="gate has no effect with method chord"):
        validated(MixedSettings, {"gate": 0.5})
    with pytest.raises(ConfigError, match="5 demonstrations need as many groups, found 4"):
        validated(MixedSettings, {"groups": 4, "demonstrations": 5})


# -- CORY ----------------------------------------------------------------------------------------------


ROLES: tuple[Role, Role] = "policy", "partner"


class NoEngine:
    policy_version = 0
    started = closed = False

    def __init__(self) -> None:
        self.weights: dict[str, Any] = {}

    async def start(self) -> None:
        self.started = True

    async def update_weights(self, version: int, weights: NamedWeights) -> None:
        self.policy_version, self.weights = version, dict(weights)

    async def close(self) -> None:
        self.closed = True


class TwoPlayers:
    """Replays the same rewards for whoever plays, and notes who did."""

    def __init__(self, engine: object) -> None:
        self.engine, self.draws = engine, Uniform(range(8), seed=1)
        self.asked: list[tuple[object, list[EpisodeSpec]]] = []

    async def policy(self, specs: list[EpisodeSpec], *, engine: object) -> list[Trajectory]:
        self.asked.append((engine, specs))
        rewards = [1.0, 0.0] if len(self.asked) % 2 else [0.25, 0.5]
        return [
            episode([reward], [[5 + i, 9]], name=s.episode_id, group=s.group_id, ordinal=s.ordinal, role=s.role)
            for i, (s, reward) in enumerate(zip(specs, rewards, strict=True))
        ]


def cory(engine: NoEngine) -> CORY:
    trainer = CORY(CORYSettings(groups=1, group_size=2, swap_every=2, learning_rate=1e-3))
    equipped(trainer, tiny_model(), engine=engine)
    return trainer


def test_the_observer_sees_the_pioneer_s_actions_and_both_share_the_reward() -> None:
    partner, own = NoEngine(), NoEngine()
    trainer, players = cory(partner), TwoPlayers(own)
    lesson = trainer.lesson(0, asyncio.run(trainer.play(0, players)))  # type: ignore[arg-type]
    (first, specs), (second, observing) = players.asked
    assert (first, second) == (own, partner)
    assert [spec.preface for spec in specs] == ["", ""]
    assert [spec.preface for spec in observing] == ["[5, 9]", "[6, 9]"]
    # 1 + .25 against 0 + .5: difference .75, for both
    assert [row.advantages[-1] for row in lesson.rows] == pytest.approx([0.7071, -0.7071] * 2, abs=1e-3)
    assert lesson.rejected == {}
    metrics = trainer.learn(0, lesson)
    assert metrics["grad_norm"] > 0
    assert metrics["partner_grad_norm"] > 0


def test_each_copy_has_its_own_idle_episodes() -> None:
    """In one of two groups both get 1, whoever earned it: two idle episodes each."""
    trainer = CORY(CORYSettings(groups=2, group_size=2, aggregation="constant", learning_rate=1e-3))
    equipped(trainer, tiny_model(), engine=NoEngine(), max_tokens=10)
    played = [
        episode([reward], [[5 + i, 9]], name=f"{role}-{group}-{i}", group=f"{role}-{group}", ordinal=group, role=role)
        for role, rewards in zip(ROLES, ([[1.0, 0.0], [1.0, 0.0]], [[0.0, 0.0], [0.0, 1.0]]), strict=True)
        for group, own in enumerate(rewards)
        for i, reward in enumerate(own)
    ]
    lesson = trainer.lesson(0, played)
    assert (len(lesson.rows), lesson.idle) == (4, 4.0)
    given = []
    for member in trainer.copies:
        member.learn = lambda update, lesson: given.append(lesson.idle) or {}  # type: ignore
    trainer.learn(0, lesson)
    assert given == [2.0, 2.0]


def test_the_roles_are_swapped() -> None:
    partner, own = NoEngine(), NoEngine()
    trainer, players = cory(partner), TwoPlayers(own)
    for update in range(4):
        asyncio.run(trainer.play(update, players))  # type: ignore[arg-type]
    assert [engine is own for engine, _ in players.asked[::2]] == [True, True, False, False]
    roles = [{spec.role for spec in specs} for _, specs in players.asked[::2]]
    assert roles == [{"policy"}, {"policy"}, {"partner"}, {"partner"}]


def test_the_partner_s_engine_samples_with_the_partner_s_weights() -> None:
    partner = NoEngine()
    trainer = cory(partner)
    module = trainer.learners()["partner"].module
    with torch.no_grad():
        module.model.norm.weight.fill_(3.0)
    asyncio.run(trainer.play(3, TwoPlayers(NoEngine())))  # type: ignore[arg-type]
    assert partner.policy_version == 3
    assert partner.weights["model.norm.weight"].tolist() == [3.0] * 32
    assert partner.weights.keys() == dict(trainer.equipment.learner.weights()).keys()


def test_each_copy_learns_from_what_it_played_itself() -> None:
    """The pioneer of update 2 is the partner: its episodes come first, and are the partner's all the same."""
    trainer, players = cory(NoEngine()), TwoPlayers(NoEngine())
    played = asyncio.run(trainer.play(2, players))  # type: ignore[arg-type]
    lesson = trainer.lesson(2, played)
    assert [row.role for row in lesson.rows] == ["policy", "policy", "partner", "partner"]
    taught: list[list[str]] = []
    for member in trainer.copies:
        member.learn = lambda update, lesson: taught.append([row.role for row in lesson.rows]) or {}  # type: ignore
    trainer.learn(2, lesson)
    assert taught == [["policy"] * 2, ["partner"] * 2]


def test_the_partner_is_a_copy_that_learns_on_its_own() -> None:
    trainer = cory(NoEngine())
    own, partner = trainer.equipment.learner.module, trainer.learners()["partner"].module
    assert all(torch.equal(a, b) for a, b in zip(own.parameters(), partner.parameters(), strict=True))
    assert all(a is not b for a, b in zip(own.parameters(), partner.parameters(), strict=True))
    asyncio.run(trainer.open())
    assert trainer.engine.started  # type: ignore[attr-defined]
    asyncio.run(trainer.close())
    assert trainer.engine.closed  # type: ignore[attr-defined]


def test_a_void_episode_of_either_voids_both() -> None:
    trainer = cory(NoEngine())
    played = [
        episode([1.0], ordinal=0),
        episode([0.0], ordinal=0),
        episode([1.0], ordinal=0, role="partner"),
        episode([0.0], ordinal=0, role="partner", stop=StopReason.ENV_ERROR),
    ]
    lesson = trainer.lesson(0, played)
    assert lesson.rows == []
    assert lesson.rejected == {0: "fewer than two episodes that count"}
