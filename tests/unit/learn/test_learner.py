"""One update: the loss of exactly the masked tokens, the same however it is cut, and refused when it is not finite."""

from __future__ import annotations

import copy
import hashlib
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import GPT2Config, GPT2LMHeadModel

from agentgym.errors import NonFiniteError
from agentgym.learn.aggregation import Aggregation, token_weights
from agentgym.learn.batch import Microbatch, microbatches
from agentgym.learn.forward import Predictions, predict, predictive_hidden
from agentgym.learn.learner import Learner
from agentgym.learn.objectives.estimator import Metrics, over_old
from agentgym.learn.objectives.imitation import imitation
from agentgym.learn.objectives.policy_gradient import clipped_policy_gradient
from agentgym.learn.rows import Row
from tests.kit import one_thread, row, tiny_model

__all__ = ["one_thread"]


def policy_gradient(predictions: Predictions, batch: Microbatch) -> tuple[torch.Tensor, Metrics]:
    log_ratio_N = over_old(predictions.logprobs_N, batch.behavior_logprobs_N)
    return clipped_policy_gradient(log_ratio_N, batch.advantages_N, clip_low=0.2, clip_high=0.28)


def imitate(predictions: Predictions, batch: Microbatch) -> tuple[torch.Tensor, Metrics]:
    loss_N, metrics = imitation(predictions.logprobs_N)
    return batch.advantages_N * loss_N, metrics


ROWS = [row(9, 1), row(4, 2), row(15, 3), row(9, 4), row(2, 5)]


def learner(model: Any, **changes: Any) -> Learner:
    return Learner(model, **{"learning_rate": 0.01, "max_grad_norm": 1e9, **changes})


MODEL = tiny_model().double()


def gradient_of(rows: list[Row], aggregation: Aggregation, max_tokens: int) -> tuple[float, torch.Tensor]:
    """Loss and gradient of one update, as the learner accumulates them."""
    taught = learner(
        MODEL, learning_rate=0.0, aggregation=aggregation, max_tokens_constant=7, max_microbatch_tokens=max_tokens
    )
    loss = taught.update(rows, policy_gradient)["loss"]
    return loss, torch.cat([p.grad.flatten() for p in MODEL.parameters() if p.grad is not None])


def slow_loss(rows: list[Row], aggregation: Aggregation) -> float:
    """The same loss one row and one token at a time, straight from the definition."""
    means = []
    for r in rows:
        with torch.no_grad():
            table = MODEL(input_ids=torch.tensor(r.token_ids[None])).logits[0].double().log_softmax(-1)
        losses = []
        for t in range(1, len(r.token_ids)):
            if r.loss_mask[t]:
                ratio = float((table[t - 1, r.token_ids[t]] - r.behavior_logprobs[t]).exp())
                advantage = float(r.advantages[t])
                losses.append(-min(ratio * advantage, min(max(ratio, 0.8), 1.28) * advantage))
        means.append(losses)
    if aggregation == "token":
        return sum(map(sum, means)) / sum(map(len, means))
    if aggregation == "constant":
        return sum(map(sum, means)) / (7 * sum(1 for m in means if m))
    return sum(sum(m) / len(m) for m in means if m) / sum(1 for m in means if m)


@pytest.mark.parametrize("aggregation", ["token", "sequence", "constant"])
def test_the_loss_against_a_slow_reference(aggregation: Aggregation) -> None:
    loss, _ = gradient_of(ROWS, aggregation, 10_000)
    assert loss == pytest.approx(slow_loss(ROWS, aggregation), abs=1e-6)


@pytest.mark.parametrize("aggregation", ["token", "sequence", "constant"])
def test_the_cut_into_microbatches_changes_neither_loss_nor_gradient(aggregation: Aggregation) -> None:
    """ROWS need 7, 3, 14, 7 and no tokens: all at once, in two, in three, and one for each row."""
    loss, gradient = gradient_of(ROWS, aggregation, 31)
    for max_tokens, number in ((30, 2), (14, 3), (1, 4)):
        assert len(list(microbatches(ROWS, [1.0] * 5, max_tokens=max_tokens))) == number
        cut_loss, cut = gradient_of(ROWS, aggregation, max_tokens)
        assert cut_loss == pytest.approx(loss, abs=1e-6)
        assert torch.allclose(cut, gradient, atol=1e-6)


def test_an_update_begins_without_the_gradients_of_the_last() -> None:
    taught = learner(tiny_model(), learning_rate=0.0)
    first, second = (taught.update(ROWS, imitate)["grad_norm"] for _ in range(2))
    assert second == pytest.approx(first, rel=1e-6)


def test_a_refused_update_leaves_no_gradients() -> None:
    taught = learner(tiny_model())
    with pytest.raises(NonFiniteError, match=r"loss nan, gradient norm nan: update refused$"):
        taught.update([row(4, 2, advantages=[float("nan")] * 4)], imitate)
    assert all(parameter.grad is None for parameter in taught.parameters)
    assert taught.num_updates == 0


def test_weights_decay_by_themselves_and_by_the_rate_of_the_update() -> None:
    """Without a gradient a step leaves 1 - rate × decay of every matrix: of rates .2 and .4, 1/2 of each."""
    model = tiny_model()
    before = model.model.embed_tokens.weight.detach().clone()
    taught = learner(model, learning_rate=0.4, warmup_updates=1, weight_decay=0.5)
    for _ in range(2):
        taught.update(ROWS, lambda p, b: (0 * p.logprobs_N, {}))
    assert torch.allclose(model.model.embed_tokens.weight, before * (1 - 0.1) * (1 - 0.2))


def test_the_moments_are_kept_as_long_as_is_said() -> None:
    """After gradients g and then none: the first moment is (1 - β₁) β₁ g, the second (1 - β₂) β₂ g²."""
    model = tiny_model()
    taught = learner(model, betas=(0.5, 0.75), max_grad_norm=1e9)
    taught.update(ROWS, imitate)
    gradient = model.model.norm.weight.grad.clone()
    taught.update(ROWS, lambda p, b: (0 * p.logprobs_N, {}))
    moments = taught.optimizer.state[model.model.norm.weight]
    assert torch.allclose(moments["exp_avg"], 0.25 * gradient, rtol=1e-4)
    assert torch.allclose(moments["exp_avg_sq"], 0.1875 * gradient**2, rtol=1e-4)


def test_the_gradient_is_that_of_the_slow_reference_by_finite_differences() -> None:
    """Along a random direction: (L(θ + h d) − L(θ − h d)) / 2h."""
    model = tiny_model().double()
    learner(model, learning_rate=0.0).update(ROWS, policy_gradient)
    (batch,) = microbatches(ROWS, token_weights(ROWS, "token"), max_tokens=10_000)
    torch.manual_seed(0)
    directions = [torch.randn_like(p) / 100 for p in model.parameters()]
    slope = sum(float((p.grad * d).sum()) for p, d in zip(model.parameters(), directions, strict=True))
    h, losses = 0.01, []
    for sign in (1, -1):
        with torch.no_grad():
            for p, d in zip(model.parameters(), directions, strict=True):
                p.add_(sign * h * d)
            losses.append(float((batch.weights_N * policy_gradient(predict(model, batch), batch)[0]).sum()))
            for p, d in zip(model.parameters(), directions, strict=True):
                p.sub_(sign * h * d)
    assert (losses[0] - losses[1]) / (2 * h) == pytest.approx(slope, rel=0.01)


def test_only_masked_tokens_are_trained() -> None:
    """What stands at other places (advantage, log-prob, even the last, unseen token) has no say."""
    changed = []
    for r in ROWS:
        trained = [i > 0 and m for i, m in enumerate(r.loss_mask)]
        changed.append(
            Row(
                token_ids=r.token_ids,
                loss_mask=r.loss_mask,
                behavior_logprobs=[x if m else 9.0 for x, m in zip(r.behavior_logprobs, trained, strict=True)],
                advantages=[x if m else 99.0 for x, m in zip(r.advantages, trained, strict=True)],
            )
        )
    loss, gradient = gradient_of(ROWS, "token", 10_000)
    other_loss, other = gradient_of(changed, "token", 10_000)
    assert other_loss == loss
    assert torch.equal(other, gradient)


def test_rows_without_trained_tokens_change_nothing() -> None:
    silent = Row(token_ids=[1, 2, 3], loss_mask=[False] * 3, behavior_logprobs=[0.0] * 3, advantages=[1.0] * 3)
    for aggregation in ("token", "sequence"):
        loss, gradient = gradient_of(ROWS, aggregation, 40)
        other_loss, other = gradient_of([silent, *ROWS, silent], aggregation, 40)
        assert other_loss == pytest.approx(loss)
        assert torch.allclose(other, gradient)


def test_log_probs_and_entropies_are_the_model_s() -> None:
    model = tiny_model()
    (batch,) = microbatches([ROWS[0]], [1.0], max_tokens=100)
    predictions = predict(model, batch, temperature=0.7)
    logprobs, entropies = predictions.logprobs_N, predictions.entropies_N
    with torch.no_grad():
        table = (model(input_ids=torch.tensor(ROWS[0].token_ids[None])).logits[0] / 0.7).log_softmax(-1)
    where = [t for t in range(1, 9) if ROWS[0].loss_mask[t]]
    assert logprobs.tolist() == pytest.approx([float(table[t - 1, ROWS[0].token_ids[t]]) for t in where], abs=1e-5)
    assert entropies.tolist() == pytest.approx(
        [float(-(table[t - 1].exp() * table[t - 1]).sum()) for t in where], abs=1e-5
    )
    assert logprobs.requires_grad


def test_imitation_makes_what_was_shown_more_likely() -> None:
    model = tiny_model()
    taught = learner(model, learning_rate=0.003)
    losses = [taught.update(ROWS[:1], lambda p, b: imitation(p.logprobs_N))["loss"] for _ in range(30)]
    assert losses[-1] < losses[0] / 3


def test_dropout_is_off_so_that_the_ratio_is_that_of_the_policy_that_sampled() -> None:
    model = tiny_model(attention_dropout=0.5)
    (batch,) = microbatches([row(30)], [1.0], max_tokens=100)
    with torch.no_grad():
        behavior = predict(model, batch).logprobs_N
    seen = []

    def watch(predictions: Predictions, batch: Microbatch) -> tuple[torch.Tensor, Metrics]:
        seen.append(predictions.logprobs_N.detach().clone())
        return -predictions.logprobs_N, {}

    learner(model).update([row(30)], watch)
    assert torch.allclose(seen[0], behavior, atol=1e-5)
    assert not model.training


def digest(taught: Learner) -> str:
    """Of parameters and optimizer state."""
    tensors = [*taught.module.state_dict().values()]
    for state in taught.optimizer.state_dict()["state"].values():
        tensors += [torch.as_tensor(value) for value in state.values()]
    return hashlib.sha256(b"".join(t.detach().numpy().tobytes() for t in tensors)).hexdigest()


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
@pytest.mark.parametrize("field", ["advantages", "behavior_logprobs"])
def test_a_loss_that_is_not_finite_is_refused_and_changes_nothing(field: str, bad: float, tmp_path: Path) -> None:
    taught = learner(tiny_model(), dump_dir=tmp_path / "refused", max_microbatch_tokens=10)
    taught.update(ROWS, imitate)
    before = digest(taught)
    sick = row(9, 1)
    getattr(sick, field)[7] = -bad if field == "behavior_logprobs" else bad
    with pytest.raises(NonFiniteError, match=r"update refused; its rows are in .*refused-update-2\.json"):
        taught.update([*ROWS, sick], policy_gradient)
    assert digest(taught) == before
    assert taught.num_updates == 1
    (file,) = (tmp_path / "refused").iterdir()
    dumped = json.loads(file.read_text())
    assert dumped[0]["token_ids"] == ROWS[0].token_ids.tolist()
    assert Row(**dumped[0]) == ROWS[0]
    assert len(dumped) == len(ROWS) + 1
    assert taught.update(ROWS, imitate)["loss"] == pytest.approx(learned_twice(), abs=1e-5)


def learned_twice() -> float:
    taught = learner(tiny_model(), max_microbatch_tokens=10)
    taught.update(ROWS, imitate)
    return taught.update(ROWS, imitate)["loss"]


def test_a_gradient_that_is_not_finite_is_refused() -> None:
    """√x has a finite value and an infinite slope at 0."""
    taught = learner(tiny_model())
    before = digest(taught)
    with pytest.raises(NonFiniteError, match=r"gradient norm (nan|inf)"):
        taught.update(ROWS, lambda p, b: ((p.logprobs_N - p.logprobs_N.detach()).abs().sqrt(), {}))
    assert digest(taught) == before


def test_nothing_to_train_on_is_told() -> None:
    silent = Row(token_ids=[1, 2], loss_mask=[False, False], behavior_logprobs=[0.0] * 2, advantages=[1.0] * 2)
    for rows in ([], [silent]):
        with pytest.raises(ValueError, match="no trained tokens"):
            learner(tiny_model()).update(rows, imitate)


def test_the_learning_rate_warms_up() -> None:
    taught = learner(tiny_model(), warmup_updates=3, learning_rate=0.4)
    rates = []
    for _ in range(5):
        taught.update(ROWS, imitate)
        rates.append(taught.optimizer.param_groups[0]["lr"])
    assert rates == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.4])


def test_metrics_are_averages_over_trained_tokens() -> None:
    taught = learner(tiny_model(), max_microbatch_tokens=12)

    def both(predictions: Predictions, batch: Microbatch) -> tuple[torch.Tensor, Metrics]:
        one_N = torch.ones_like(batch.advantages_N)
        return -predictions.logprobs_N, {"one": one_N, "advantage": batch.advantages_N}

    metrics = taught.update(ROWS, both)
    advantages = [a for r in ROWS for a, m in list(zip(r.advantages, r.loss_mask, strict=True))[1:] if m]
    assert metrics["one"] == pytest.approx(1.0)
    assert metrics["advantage"] == pytest.approx(sum(advantages) / len(advantages), abs=1e-6)
    assert (metrics["trained_tokens"], metrics["sequences"]) == (len(advantages), len(ROWS))


@pytest.mark.parametrize("aggregation", ["token", "sequence", "constant"])
def test_metrics_are_means_however_tokens_are_weighed(aggregation: Aggregation) -> None:
    """Σ w v / Σ w: with a constant, or where rows weigh less, the weights do not sum to 1. The loss is Σ w v."""
    rows = [row(9, 1), row(4, 2, weight=0.5)]  # 5 and 2 trained tokens
    share = {"token": 5 / 6, "sequence": 2 / 3, "constant": 5 / 6}[aggregation]  # of the first in the weights
    loss = {"token": 15 / 7, "sequence": 3 / 2, "constant": 15 / 14}[aggregation]

    def two(predictions: Predictions, batch: Microbatch) -> tuple[torch.Tensor, Metrics]:
        first_N = (batch.rows_N == 0).float()
        return 3.0 * first_N + 0.0 * predictions.logprobs_N, {"one": torch.ones_like(first_N), "first": first_N}

    taught = learner(tiny_model(), aggregation=aggregation, max_tokens_constant=7, max_microbatch_tokens=8)
    metrics = taught.update(rows, two)
    assert metrics["one"] == pytest.approx(1.0)
    assert metrics["first"] == pytest.approx(share)
    assert metrics["loss"] == pytest.approx(loss)
    assert 0 < metrics["entropy"] <= math.log(37)


def test_idle_episodes_count_in_the_denominator() -> None:
    """Four with trained tokens and 12 without rows: a quarter of the loss, and the same means."""
    options: dict[str, Any] = {"aggregation": "constant", "max_tokens_constant": 7, "learning_rate": 0.0}
    one = learner(tiny_model(), **options).update(ROWS, imitate)
    other = learner(tiny_model(), **options).update(ROWS, imitate, idle=12.0)
    assert [other[name] for name in ("loss", "grad_norm")] == pytest.approx(
        [one[name] / 4 for name in ("loss", "grad_norm")], rel=1e-5
    )
    assert other["entropy"] == pytest.approx(one["entropy"])
    with pytest.raises(ValueError, match='idle episodes count with aggregation "constant" alone, found "token"'):
        learner(tiny_model()).update(ROWS, imitate, idle=1.0)


def test_the_gradient_norm_is_limited() -> None:
    model = tiny_model()
    metrics = learner(model, max_grad_norm=1e-3).update(ROWS, imitate)
    assert metrics["grad_norm"] > 1e-3
    norm = torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None]).norm()
    assert float(norm) == pytest.approx(1e-3, rel=1e-3)


def test_the_learning_rate_falls_to_zero() -> None:
    """Two updates of warm-up, then four: cos 0, π/4, π/2, 3π/4 halved and raised, or 1, 3/4, 1/2, 1/4."""
    expected = {
        "cosine": [1 / 3, 2 / 3, 1.0, (1 + 0.5**0.5) / 2, 0.5, (1 - 0.5**0.5) / 2, 0.0],
        "linear": [1 / 3, 2 / 3, 1.0, 0.75, 0.5, 0.25, 0.0],
    }
    for schedule, rates in expected.items():
        taught = learner(tiny_model(), warmup_updates=2, learning_rate=0.1, schedule=schedule, total_updates=6)
        found = [taught.update(ROWS, imitate)["learning_rate"] for _ in range(7)]
        assert found == pytest.approx([0.1 * rate for rate in rates])


def test_the_learning_rate_arrives_where_something_else_ends_training() -> None:
    """Of ten updates one is done, but three quarters of the time are spent: a linear rate has a quarter left."""
    taught = learner(tiny_model(), learning_rate=0.1, schedule="linear", total_updates=10)
    assert taught.update(ROWS, imitate)["learning_rate"] == pytest.approx(0.1)
    taught.progress = 0.75
    assert taught.update(ROWS, imitate)["learning_rate"] == pytest.approx(0.025)
    taught.progress = 0.1
    assert taught.update(ROWS, imitate)["learning_rate"] == pytest.approx(0.08)  # updates are further on


@pytest.mark.parametrize(
    ("changes", "told"),
    [({"schedule": "cosine"}, "give total_updates"), ({"aggregation": "constant"}, "give max_tokens_constant")],
)
def test_a_setting_that_another_one_needs_is_asked_for(changes: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        learner(tiny_model(), **changes)


def after(model: Any, updates: int = 2, **changes: Any) -> torch.Tensor:
    """Parameters after some updates."""
    taught = learner(model, **changes)
    for _ in range(updates):
        taught.update(ROWS, policy_gradient)
    return torch.cat([p.detach().flatten() for p in model.parameters()])


def test_the_same_updates_give_the_same_bits() -> None:
    for changes in ({}, {"precision": "bfloat16"}, {"gradient_checkpointing": True}, {"max_microbatch_tokens": 10}):
        assert torch.equal(after(tiny_model(), **changes), after(tiny_model(), **changes))


def test_gradient_checkpointing_changes_nothing() -> None:
    """Not even dropout comes back, which training mode would switch on; and the module samples on in its own mode."""
    model = GPT2LMHeadModel(
        GPT2Config(vocab_size=37, n_embd=16, n_layer=2, n_head=4, n_positions=64, bos_token_id=None, eos_token_id=None)
    ).eval()
    for plain in (tiny_model().double(), model.double()):
        again = copy.deepcopy(plain)
        counts = [_calls_of_first_block(module) for module in (plain, again)]
        expected, found = after(plain, updates=1), after(again, updates=1, gradient_checkpointing=True)
        assert torch.allclose(found, expected, atol=1e-12)
        assert len(counts[1]) == len(counts[0]) + 1  # once more, in backward
        assert not any(part.training for part in again.modules())
        assert again.config._attn_implementation == plain.config._attn_implementation


def _calls_of_first_block(model: Any) -> list[int]:
    calls: list[int] = []
    blocks: Any = model.transformer.h if isinstance(model, GPT2LMHeadModel) else model.model.layers
    blocks[0].mlp.register_forward_pre_hook(lambda *_: calls.append(1))
    return calls


def test_bfloat16_is_close_and_leaves_the_parameters_single() -> None:
    model = tiny_model()
    exact, rounded = (learner(copy.deepcopy(model), precision=p) for p in ("float32", "bfloat16"))
    one, other = (taught.update(ROWS, lambda p, b: imitation(p.logprobs_N)) for taught in (exact, rounded))
    assert other["loss"] != one["loss"]
    assert other["loss"] == pytest.approx(one["loss"], rel=0.03)
    assert other["grad_norm"] == pytest.approx(one["grad_norm"], rel=0.1)
    assert {p.dtype for p in rounded.module.parameters()} == {torch.float32}
    assert {p.grad.dtype for p in rounded.parameters if p.grad is not None} == {torch.float32}


def test_only_the_adapter_learns() -> None:
    peft = pytest.importorskip("peft")
    base = tiny_model()
    kept = {name: p.clone() for name, p in base.named_parameters()}
    model = peft.get_peft_model(base, peft.LoraConfig(r=2, target_modules="all-linear", task_type="CAUSAL_LM")).eval()
    taught = learner(model, gradient_checkpointing=True)
    losses = [taught.update(ROWS, imitate)["loss"] for _ in range(8)]
    assert losses[-1] < losses[0]
    for name, p in base.named_parameters():
        if "lora" not in name:
            assert torch.equal(p, kept[name.replace(".base_layer", "")])


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("max_tokens", [10, 10_000])
def test_scores_of_the_policy_as_it_is_make_the_ratio_exactly_one(precision: str, max_tokens: int) -> None:
    rows = copy.deepcopy(ROWS)
    taught = learner(tiny_model(), precision=precision, max_microbatch_tokens=max_tokens, temperature=0.7)
    taught.update(rows, imitate)
    taught.score_rows(rows, "proximal_logprobs")
    taught.score_rows(rows, "reference_logprobs", module=tiny_model(seed=1))

    def compare(predictions: Predictions, batch: Microbatch) -> tuple[torch.Tensor, Metrics]:
        logprobs_N = predictions.logprobs_N.detach()
        assert batch.proximal_logprobs_N is not None
        assert batch.reference_logprobs_N is not None
        return -predictions.logprobs_N, {
            "other": (logprobs_N != batch.proximal_logprobs_N).float(),
            "far": (logprobs_N - batch.reference_logprobs_N).abs(),
        }

    metrics = taught.update(rows, compare)
    assert metrics["other"] == 0.0
    assert metrics["far"] > 0.1
    taught.update(rows, imitate)
    assert taught.update(rows, compare)["other"] > 0.0


def test_a_critic_may_have_a_learner_of_its_own() -> None:
    """Another forward pass, some of the parameters, no entropy."""
    trunk, head = tiny_model(), torch.nn.Linear(32, 1)
    critic = torch.nn.ModuleDict({"trunk": trunk, "head": head})
    rows = copy.deepcopy(ROWS)
    for r in rows:
        r.returns = np.full(len(r.token_ids), 2.0)

    def values(module: Any, batch: Microbatch) -> torch.Tensor:
        estimates: torch.Tensor = module["head"](predictive_hidden(module["trunk"], batch))[:, 0]
        return estimates

    def squared(values_N: torch.Tensor, batch: Microbatch) -> tuple[torch.Tensor, Metrics]:
        assert batch.returns_N is not None
        return (values_N - batch.returns_N) ** 2, {}

    kept = copy.deepcopy(trunk.state_dict())
    taught = learner(critic, parameters=head.parameters(), forward=values)
    seen = [taught.update(rows, squared) for _ in range(30)]
    assert seen[-1]["loss"] < seen[0]["loss"] / 2
    assert "entropy" not in seen[0]
    assert all(torch.equal(value, kept[name]) for name, value in trunk.state_dict().items())


def test_a_row_weighs_as_much_as_it_says() -> None:
    rows = copy.deepcopy(ROWS[:2])
    once = learner(tiny_model()).update(rows, imitate)["loss"]
    rows[0].weight = 0.0
    without = learner(tiny_model()).update(rows, imitate)["loss"]
    rows[0].weight = 3.0
    assert learner(tiny_model()).update(rows, imitate)["loss"] == pytest.approx(once + 2 * (once - without), abs=1e-5)
