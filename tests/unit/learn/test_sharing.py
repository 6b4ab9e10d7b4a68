"""What rows begin with alike, computed once: the same numbers and gradients, where it can be and where it pays."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import GPT2Config, GPT2LMHeadModel, MambaConfig, MambaForCausalLM, MistralConfig, MistralForCausalLM

from agentgym.errors import UserError
from agentgym.learn.batch import Microbatch, microbatches
from agentgym.learn.critic import Critic, estimate, values
from agentgym.learn.forward import Predictions, predict, predictive_hidden, score
from agentgym.learn.learner import Learner
from agentgym.learn.objectives.estimator import Metrics, over_old
from agentgym.learn.objectives.policy_gradient import clipped_policy_gradient
from agentgym.learn.prefixes import BLOCK
from agentgym.learn.rows import Row
from agentgym.learn.settings import Sharing
from agentgym.learn.sharing import pays, shares
from agentgym.learn.trainer import Trainer
from agentgym.trainers.dpo import DPO, DPOSettings
from agentgym.trainers.grpo import GRPO, GRPOSettings
from agentgym.trainers.ppo import PPO, PPOSettings
from agentgym.trainers.rloo import RLOO, RLOOSettings
from tests.kit import one_thread, row, tiny_model
from tests.unit.trainers.kit import episode, equipped, moved

__all__ = ["one_thread"]


def line(path: str, rest: int = 3, *, seed: int = 0, **changes: Any) -> Row:
    """A row of one block of tokens for each letter, the same wherever it stands, and ``rest`` of its own.

    What is trained of it, its advantages and log-probabilities are its own everywhere.
    """
    rng = np.random.default_rng([seed, *map(ord, path)])
    blocks = [np.random.default_rng(ord(letter)).integers(0, 37, BLOCK) for letter in path]
    ids = np.concatenate([*blocks, rng.integers(0, 37, rest)]).astype(np.int32)
    given = {
        "loss_mask": rng.random(len(ids)) < 0.5,
        "behavior_logprobs": rng.normal(-3, 0.3, len(ids)),
        "advantages": rng.normal(0, 1, len(ids)),
    }
    return Row(token_ids=ids, **{**given, **changes})


TRIES = {
    "equal": [line("ab", 0), line("ab", 0, seed=1)],
    "one in the other": [line("ab", 0), line("abc", 5), line("a", 7)],
    "three levels": [line("abc"), line("abd", 9), line("ab", 6), line("ae", 2), line("ae", 4, seed=1), line("f", 9)],
    "some alone": [line("ab"), line("ab", seed=1), line("c"), line("d"), line("", 9)],
}


def policy_gradient(predictions: Predictions, batch: Microbatch) -> tuple[torch.Tensor, Metrics]:
    log_ratio_N = over_old(predictions.logprobs_N, batch.behavior_logprobs_N)
    loss_N, metrics = clipped_policy_gradient(log_ratio_N, batch.advantages_N, clip_low=0.9, clip_high=9.0)
    return loss_N - 0.1 * predictions.entropies_N + 0.01 * predictions.logsumexps_N, metrics


def learner(module: Any, share_prefixes: Sharing, **changes: Any) -> Learner:
    given: dict[str, Any] = {"learning_rate": 0.0, "max_grad_norm": 1e9, **changes}
    return Learner(module, share_prefixes=share_prefixes, **given)


def gradient(taught: Learner) -> torch.Tensor:
    """As the last step left it."""
    return torch.cat([p.grad.flatten() for p in taught.masters.stepped if p.grad is not None])


def assert_same(one: Learner, other: Learner, told: dict[str, float], expected: dict[str, float]) -> None:
    """To 1e-5 of what is largest: float32 has 1e-7, and sums of some hundred numbers."""
    assert told == pytest.approx(expected, rel=1e-4, abs=1e-5)
    found, wanted = gradient(one), gradient(other)
    assert (found - wanted).abs().max() <= 1e-5 * wanted.abs().max()


@pytest.mark.parametrize("aggregation", ["token", "sequence", "constant"])
@pytest.mark.parametrize("max_tokens", [40, 8192])
@pytest.mark.parametrize("name", TRIES)
def test_an_update_is_that_of_rows_apart(name: str, max_tokens: int, aggregation: Any) -> None:
    """Each row keeps its own mask, advantages and denominator, where it shares tokens too."""
    given = {"aggregation": aggregation, "max_tokens_constant": 7, "max_microbatch_tokens": max_tokens}
    one, other = (learner(tiny_model(), choice, **given) for choice in ("on", "off"))
    assert_same(one, other, one.update(TRIES[name], policy_gradient), other.update(TRIES[name], policy_gradient))


@settings(max_examples=20, deadline=None)
@given(
    st.lists(st.tuples(st.text("ab", max_size=3), st.integers(2, 20)), min_size=2, max_size=6),
    st.sampled_from([50, 120, 8192]),
)
def test_an_update_is_that_of_rows_apart_for_any_trie(paths: list[tuple[str, int]], max_tokens: int) -> None:
    rows = [line(path, rest, seed=number) for number, (path, rest) in enumerate(paths)]
    if not any(row.num_trained for row in rows):
        return
    one, other = (learner(tiny_model(), choice, max_microbatch_tokens=max_tokens) for choice in ("on", "off"))
    assert_same(one, other, one.update(rows, policy_gradient), other.update(rows, policy_gradient))


def scored(module: Any, rows: Sequence[Row], **options: Any) -> torch.Tensor:
    return torch.from_numpy(np.concatenate(score(module, rows, **options)))


@pytest.mark.parametrize("name", TRIES)
def test_scores_are_those_of_rows_apart(name: str) -> None:
    module, rows = tiny_model(), TRIES[name]
    expected = scored(module, rows, temperature=0.7)
    for max_tokens in (30, 8192):
        found = scored(module, rows, temperature=0.7, max_tokens=max_tokens, shares=True)
        assert torch.allclose(found, expected, atol=1e-5)


def test_each_token_is_computed_once() -> None:
    """Three rows of 32 + 3 tokens with 32 in common, of which the last is not needed."""
    rows = [line("ab", seed=seed, loss_mask=[True] * 35) for seed in range(3)]
    module, seen = tiny_model(), list[int]()
    shares(module, rows, "on")  # what is found out about a model is found out once
    module.get_input_embeddings().register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].numel()))
    score(module, rows, shares=True)
    score(module, rows)
    assert seen == [32 + 3 * 2, 3 * 34]


def test_and_so_is_what_is_predicted_there() -> None:
    rows = [line("ab", seed=seed, loss_mask=[True] * 35) for seed in range(3)]
    module = tiny_model()
    (batch,) = microbatches(rows, [1.0] * 3, max_tokens=8192, shares=True)
    assert batch.trie is not None
    assert len(batch.trie.chosen_U) == 31 + 3 * 3  # at the last of the prefix each row has a token of its own to come
    assert predictive_hidden(module, batch).shape == (3 * 34, 32)
    predictions = predict(module, batch)
    assert predictions.entropies_N.reshape(3, 34)[0, :31].equal(predictions.entropies_N.reshape(3, 34)[2, :31])


# -- in the trainers -----------------------------------------------------------------------------------------

ASKED = [3, 1, 4, 1, 5, 9, 2, 6] * 3
"""A reply that all begin with, and that is trained in each of them by its own advantage."""
GROUP = [
    episode([0.0, reward], [ASKED, reply], name=str(number), success=reward > 0)
    for number, (reward, reply) in enumerate([(1.0, [5, 9]), (0.0, [6, 7, 9]), (0.5, [6, 8]), (0.0, [7, 9])])
]

TRAINERS: dict[str, tuple[type[Trainer[Any]], Any, dict[str, Any]]] = {
    "grpo": (GRPO, GRPOSettings, {"kl_coefficient": 0.1, "entropy_coefficient": 0.05}),
    "grpo, two steps": (GRPO, GRPOSettings, {"minibatches": 2, "ratio": "sequence", "aggregation": "sequence"}),
    "rloo": (RLOO, RLOOSettings, {"aggregation": "sequence"}),
    "dpo": (DPO, DPOSettings, {"pairs": "all"}),
    # One step: what both sides of its pair share cancels out, and Adam would take the rounding that is left for a way.
    "dpo, a model as reference": (DPO, DPOSettings, {"reference": "model", "epochs": 1}),
    "ppo": (PPO, PPOSettings, {"epochs": 1, "minibatches": 1, "value_clip": None}),
}


@pytest.mark.parametrize("name", TRAINERS)
def test_trainers_learn_the_same(name: str) -> None:
    kind, kind_settings, given = TRAINERS[name]
    seen = []
    for choice in ("on", "off"):
        trainer = equipped(kind(kind_settings(share_prefixes=choice, learning_rate=1e-3, **given)), tiny_model())
        moved(trainer.equipment.learner.module)  # away from the reference
        for taught in trainer.learners().values():
            moved(taught.module)
        lesson = trainer.lesson(0, GROUP)
        told = trainer.learn(0, lesson)
        learners = [trainer.equipment.learner, *trainer.learners().values()]
        filled = [
            getattr(row, column)
            for row in lesson.rows
            for column in ("advantages", "returns", "values", "reference_logprobs", "proximal_logprobs")
            if getattr(row, column) is not None
        ]
        seen.append((told, [gradient(one) for one in learners], np.concatenate(filled)))
    (told, found, columns), (expected, wanted, own_columns) = seen
    for key in expected.keys() - {"moved"}:
        assert told[key] == pytest.approx(expected[key], rel=1e-3, abs=1e-5), key
    assert np.allclose(columns, own_columns, atol=1e-5)
    for one, other in zip(found, wanted, strict=True):
        assert (one - other).abs().max() <= 1e-5 * max(1.0, float(other.abs().max()))


def test_a_critic_estimates_the_same() -> None:
    critic = Critic(tiny_model())
    moved(critic)
    rows = TRIES["three levels"]
    own = [row.model_copy() for row in rows]
    ends = estimate(critic, rows, max_tokens=100, share_prefixes="on")
    assert ends == pytest.approx(estimate(critic, own, max_tokens=100), abs=1e-5)
    for one, other in zip(rows, own, strict=True):
        assert one.values == pytest.approx(other.values, abs=1e-5)
    shared, apart = (learner(copy.deepcopy(critic), choice, forward=values) for choice in ("on", "off"))

    def squared(values_N: Any, batch: Any) -> Any:
        return (values_N - batch.advantages_N) ** 2, {}

    assert_same(shared, apart, shared.update(rows, squared), apart.update(rows, squared))


# -- with everything else ------------------------------------------------------------------------------------


def adapted() -> Any:
    peft = pytest.importorskip("peft")
    model = peft.get_peft_model(tiny_model(), peft.LoraConfig(r=2, target_modules=["q_proj", "down_proj"])).eval()
    moved(model)
    return model


def gpt2() -> Any:
    config = GPT2Config(vocab_size=37, n_embd=16, n_layer=2, n_head=4, n_positions=64, bos_token_id=0, eos_token_id=0)
    torch.manual_seed(0)
    return GPT2LMHeadModel(config).eval()


@pytest.mark.parametrize(
    ("make", "changes"),
    [(adapted, {}), (gpt2, {}), (tiny_model, {"gradient_checkpointing": True}), (tiny_model, {"temperature": 0.5})],
    ids=["adapter", "learned positions", "checkpointing", "temperature"],
)
def test_an_update_is_that_of_rows_apart_with(make: Any, changes: dict[str, Any]) -> None:
    rows = TRIES["three levels"]
    torch.manual_seed(3)
    module = make()
    one, other = (learner(copy.deepcopy(module), choice, **changes) for choice in ("on", "off"))
    assert_same(one, other, one.update(rows, policy_gradient), other.update(rows, policy_gradient))


def test_in_bfloat16_an_update_is_about_that_of_rows_apart() -> None:
    rows, seen = TRIES["three levels"], []
    for choice, precision in (("on", "bfloat16"), ("off", "bfloat16"), ("off", "float32")):
        taught = learner(tiny_model(), choice, precision=precision)  # type: ignore[arg-type]
        taught.update(rows, policy_gradient)
        seen.append(gradient(taught))
    errors = [(found - seen[2]).norm() / seen[2].norm() for found in seen[:2]]
    assert errors[0] <= 1.25 * errors[1]


def test_until_the_next_step_the_ratio_is_exactly_one() -> None:
    rows = [row.model_copy() for row in TRIES["three levels"]]
    taught = learner(tiny_model(), "on")
    taught.score_rows(rows, "proximal_logprobs")

    def compare(predictions: Predictions, batch: Microbatch) -> tuple[torch.Tensor, Metrics]:
        assert batch.proximal_logprobs_N is not None
        return 0 * predictions.logprobs_N, {"off": (predictions.logprobs_N.detach() - batch.proximal_logprobs_N).abs()}

    assert taught.update(rows, compare)["off"] == 0


# -- where it is done ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("rest", "worth"), [(1, True), (64, True), (65, False)])
def test_it_pays_from_a_tenth_of_the_tokens_on(rest: int, worth: bool) -> None:
    """Of two rows with 16 tokens in common and ``rest`` others 16 are saved; what is predicted last is not needed."""
    rows = [line("a", rest + 1, seed=seed, loss_mask=[True] * (17 + rest)) for seed in range(2)]
    assert pays(rows) is worth
    assert not pays(rows[:1])


def weights_after(rows: list[Row], choice: Sharing) -> torch.Tensor:
    module = tiny_model()
    learner(module, choice, learning_rate=0.1, max_microbatch_tokens=60).update(rows, policy_gradient)
    return torch.cat([p.detach().flatten() for p in module.parameters()])


def test_rows_that_share_nothing_are_computed_as_ever_to_the_bit() -> None:
    rows = [row(9, 1), row(4, 2), row(35, 3), row(9, 4), row(22, 5)]
    assert weights_after(rows, "auto").equal(weights_after(rows, "off"))


def test_by_itself_it_is_done_where_it_pays() -> None:
    rows = TRIES["three levels"]
    assert weights_after(rows, "auto").equal(weights_after(rows, "on"))
    assert not weights_after(rows, "auto").equal(weights_after(rows, "off"))


SIZES: dict[str, Any] = {"vocab_size": 37, "hidden_size": 16, "num_hidden_layers": 2}


def mamba() -> Any:
    return MambaForCausalLM(MambaConfig(**SIZES, state_size=4)).eval()


def windowed() -> Any:
    heads: dict[str, Any] = {"num_attention_heads": 4, "num_key_value_heads": 2, "intermediate_size": 24}
    return MistralForCausalLM(MistralConfig(**SIZES, **heads, sliding_window=20)).eval()


def test_a_recurrent_model_cannot_which_is_told_before_anything_is_played() -> None:
    told = "share_prefixes .* no effect: MambaForCausalLM sees what came before by other means.*: --trainer.share_prefi"
    with pytest.raises(UserError, match=told):
        learner(mamba(), "on")
    assert not shares(mamba(), TRIES["equal"], "auto")
    learner(mamba(), "auto").update(TRIES["equal"], policy_gradient)


def test_what_is_no_language_model_is_left_alone() -> None:
    assert not shares(torch.nn.Linear(2, 2), TRIES["equal"], "auto")
    with pytest.raises(UserError, match="Linear sees what came before by other means"):
        learner(torch.nn.Linear(2, 2), "on")


def test_beyond_a_sliding_window_it_cannot_be() -> None:
    short, long = [line("a", 4, seed=seed) for seed in range(2)], TRIES["one in the other"]
    assert shares(windowed(), short, "on")
    assert not shares(windowed(), long, "auto")
    taught = learner(windowed(), "on")
    with pytest.raises(UserError, match=r"an episode has .* tokens, and the model sees no more than 20 back"):
        taught.update([*short, *long], policy_gradient)


@pytest.mark.parametrize(("needed", "is_shared"), [(20, True), (21, False)])
def test_what_is_as_long_as_the_window_is_shared(needed: int, is_shared: bool) -> None:
    """The last of a row's tokens is only predicted."""
    rest = needed + 1 - BLOCK
    rows = [line("a", rest, seed=seed, loss_mask=[True] * (needed + 1)) for seed in range(2)]
    assert {row.num_needed for row in rows} == {needed}
    assert shares(windowed(), rows, "auto") == is_shared


def test_with_images_it_cannot_be() -> None:
    rows = [line("ab", media=["digest"]), line("ab", seed=1)]
    assert not shares(tiny_model(), rows, "auto")
    with pytest.raises(UserError, match="no effect: the episodes show images"):
        shares(tiny_model(), rows, "on")
    assert not shares(tiny_model(), rows, "off")
