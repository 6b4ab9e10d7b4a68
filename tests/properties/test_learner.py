"""What may not change an update: how rows are packed, cut, ordered and padded, and what is masked."""

from __future__ import annotations

import copy
import functools
from typing import Any

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from agentgym.learn import forward
from agentgym.learn.aggregation import Aggregation
from agentgym.learn.batch import Microbatch
from agentgym.learn.forward import Predictions
from agentgym.learn.learner import Forward, Learner
from agentgym.learn.objectives.estimator import Metrics
from agentgym.learn.rows import Row
from tests.kit import tiny_model

MODEL = tiny_model(num_hidden_layers=1, hidden_size=16, num_attention_heads=2, num_key_value_heads=1).double()
AGGREGATIONS = st.sampled_from(["token", "sequence", "constant"])


@st.composite
def rows(draw: Any) -> list[Row]:
    """Ragged rows with any mask, some in units, at least one token trained."""
    made = []
    for _ in range(draw(st.integers(1, 6))):
        length = draw(st.integers(1, 10))
        numbers = st.lists(st.integers(-4, 4).map(float), min_size=length, max_size=length)
        made.append(
            Row(
                token_ids=draw(st.lists(st.integers(0, 36), min_size=length, max_size=length)),
                loss_mask=draw(st.lists(st.booleans(), min_size=length, max_size=length)),
                behavior_logprobs=draw(numbers),
                advantages=draw(numbers),
                unit=draw(st.one_of(st.none(), st.integers(0, 2))),
                weight=draw(st.sampled_from([1.0, 0.5, 2.0])),
            )
        )
    assume(any(row.num_trained for row in made))
    return made


def objective(predictions: Predictions, batch: Microbatch) -> tuple[torch.Tensor, Metrics]:
    """Something of every input, smooth, and different for every token."""
    distance_N = predictions.logprobs_N - batch.behavior_logprobs_N
    loss_N = batch.advantages_N * distance_N + 0.1 * distance_N**2
    return loss_N - 0.3 * predictions.entropies_N + 0.2 * predictions.logsumexps_N**2, {"distance": distance_N.detach()}


def learned(
    made: list[Row], aggregation: Aggregation, max_tokens: int = 10_000, run: Forward | None = None
) -> tuple[dict[str, float], torch.Tensor]:
    """Metrics and gradient of an update that does not move the model."""
    taught = Learner(
        MODEL,
        learning_rate=0.0,
        max_grad_norm=1e12,
        aggregation=aggregation,
        max_tokens_constant=5,
        max_microbatch_tokens=max_tokens,
        forward=run,
    )
    metrics = taught.update(made, objective)
    return metrics, torch.cat([p.grad.flatten() for p in MODEL.parameters() if p.grad is not None])


def same(one: tuple[dict[str, float], torch.Tensor], other: tuple[dict[str, float], torch.Tensor]) -> None:
    assert one[0] == pytest.approx(other[0], abs=1e-6, rel=1e-6)
    assert torch.allclose(one[1], other[1], atol=1e-6, rtol=1e-6)


@given(rows(), AGGREGATIONS, st.integers(1, 60), st.randoms(use_true_random=False))
@settings(max_examples=40, deadline=None)
def test_cut_and_order_change_neither_loss_nor_gradient_nor_metrics(
    made: list[Row], aggregation: Aggregation, max_tokens: int, random: Any
) -> None:
    expected = learned(made, aggregation)
    random.shuffle(made)
    same(learned(made, aggregation, max_tokens), expected)


@given(rows(), AGGREGATIONS)
@settings(max_examples=30, deadline=None)
def test_packed_is_padded_is_one_row_at_a_time(made: list[Row], aggregation: Aggregation) -> None:
    """Rows alone are neither packed nor padded; their units are dropped so that they can be alone."""
    packed = learned(made, aggregation)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(forward, "_packs", lambda module, batch: False)
        same(learned(made, aggregation), packed)
    for row in made:
        row.unit = None
    same(learned(made, aggregation, max_tokens=1), packed)


@given(rows(), AGGREGATIONS, st.data())
@settings(max_examples=30, deadline=None)
def test_a_masked_token_has_no_say(made: list[Row], aggregation: Aggregation, data: st.DataObject) -> None:
    """Its advantage and its log-probability may be anything; and so may every token behind the last trained one."""
    expected = learned(made, aggregation)
    for row in made:
        for t, trained in enumerate(row.loss_mask):
            if t == 0 or not trained:
                row.advantages[t] = data.draw(st.sampled_from([99.0, float("nan")]))
                row.behavior_logprobs[t] = float("inf")
            if t > row.num_needed:
                row.token_ids[t] = data.draw(st.integers(0, 36))
    found = learned(made, aggregation)
    assert found[0] == expected[0]
    assert torch.equal(found[1], expected[1])


@given(rows(), AGGREGATIONS)
@settings(max_examples=20, deadline=None)
def test_only_positions_that_predict_have_a_gradient(made: list[Row], aggregation: Aggregation) -> None:
    """The loss's slope with respect to what the head reads is exactly 0 everywhere else."""
    states: list[torch.Tensor] = []
    batches: list[Microbatch] = []

    def keep(_: Any, arguments: Any, output: torch.Tensor) -> None:
        output.retain_grad()
        states.append(output)

    def watching(predictions: Predictions, batch: Microbatch) -> tuple[torch.Tensor, Metrics]:
        batches.append(batch)
        return objective(predictions, batch)

    learned(made, aggregation)  # whatever is found out about the model is found out here
    hook = MODEL.model.norm.register_forward_hook(keep)
    try:
        Learner(MODEL, learning_rate=0.0).update(made, watching)
    finally:
        hook.remove()
    slopes_TD = states[0].grad
    assert slopes_TD is not None
    slopes_T = slopes_TD.flatten(0, 1).abs().sum(-1)
    assert torch.equal(slopes_T != 0, batches[0].predicts_T)


@given(rows(), AGGREGATIONS, st.integers(37, 400))
@settings(max_examples=20, deadline=None)
def test_the_head_s_chunks_change_nothing(made: list[Row], aggregation: Aggregation, max_logits: int) -> None:
    expected = learned(made, aggregation)
    in_chunks = functools.partial(forward.predict, max_logits=max_logits)
    same(learned(made, aggregation, run=in_chunks), expected)


@given(rows(), AGGREGATIONS)
@settings(max_examples=15, deadline=None)
def test_gradient_checkpointing_changes_nothing(made: list[Row], aggregation: Aggregation) -> None:
    expected = learned(made, aggregation)
    MODEL.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    try:
        same(learned(made, aggregation), expected)
    finally:
        MODEL.gradient_checkpointing_disable()


@given(rows(), AGGREGATIONS)
@settings(max_examples=15, deadline=None)
def test_rows_given_twice_count_as_once(made: list[Row], aggregation: Aggregation) -> None:
    """All three ways to weigh tokens are means."""
    twice = [*made, *copy.deepcopy(made)]
    one, other = learned(made, aggregation), learned(twice, aggregation)
    assert one[0]["loss"] == pytest.approx(other[0]["loss"], abs=1e-6)
    assert torch.allclose(one[1], other[1], atol=1e-6)
