"""What has two bytes is stepped in four: nothing of a step is lost, here or in a checkpoint."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from agentgym.errors import DataError
from agentgym.learn import checkpoint
from agentgym.learn.learner import Learner, StoppedError
from agentgym.learn.masters import Masters, decaying, optimizer_bytes
from agentgym.learn.objectives.imitation import imitation
from agentgym.learn.policy import Policy, load_policy
from tests.kit import byte_tokenizer, chat, one_thread, row, tiny_model

__all__ = ["one_thread"]

ROWS = [row(9, 1), row(4, 2), row(15, 3)]


def weight(*values: float, dtype: torch.dtype = torch.bfloat16) -> torch.nn.Parameter:
    return torch.nn.Parameter(torch.tensor(values, dtype=dtype))


def stepped(masters: Masters, gradients: Sequence[float], rate: float) -> float:
    """One step of plain descent, after a backward pass that found ``gradients`` for the first weight."""
    first, _ = masters.pairs[0]
    masters.clear()
    with masters.summing():
        torch.autograd.backward((first * torch.tensor(gradients, dtype=first.dtype)).sum())
    return masters.step(torch.optim.SGD(masters.stepped, lr=rate))


def test_small_steps_add_up() -> None:
    """Below 1 bfloat16 goes in steps of 2^-8, so .001 is rounded away ten times; .99 is next to 1 - 3 · 2^-8."""
    w = weight(1.0)
    masters = Masters([w])
    for _ in range(10):
        assert stepped(masters, [1.0], 0.001) == 1.0
    assert masters.stepped[0].tolist() == pytest.approx([0.99], abs=1e-6)
    assert w.tolist() == [1 - 3 / 256]
    assert w.dtype is torch.bfloat16


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_what_has_four_bytes_or_more_is_stepped_itself(dtype: torch.dtype) -> None:
    w = weight(1.0, dtype=dtype)
    masters = Masters([w])
    assert masters.stepped[0] is w
    assert not masters.rounded
    stepped(masters, [1.0], 0.001)
    assert w.tolist() == pytest.approx([0.999], abs=1e-6)


def test_gradients_are_summed_in_four_bytes() -> None:
    """256 + 1 is 256 in bfloat16."""
    w = weight(1.0)
    masters = Masters([w])
    with masters.summing():
        for slope in (256.0, 1.0, 1.0):
            torch.autograd.backward((w * slope).sum())
    gradients: list[Any] = [w.grad, masters.stepped[0].grad]
    assert gradients[0] is None
    assert gradients[1].tolist() == [258.0]
    torch.autograd.backward(w.sum())  # outside: as if there were no masters
    kept: list[Any] = [w, masters.stepped[0]]
    assert all(parameter.grad is not None for parameter in kept)
    masters.clear()
    assert all(parameter.grad is None for parameter in kept)


def test_a_weight_that_was_changed_outside_counts() -> None:
    """The second of them was not: it goes on from what its master has, which 1 is only next to."""
    w = weight(1.0, 1.0)
    masters = Masters([w])
    stepped(masters, [1.0, 1.0], 0.001)
    with torch.no_grad():
        w[0] = 2.0
    stepped(masters, [1.0, 1.0], 0.001)
    assert masters.stepped[0].tolist() == pytest.approx([1.999, 0.998], abs=1e-6)


def test_the_share_that_moved() -> None:
    """One of four, in two tensors; what is too small a step for float32 moves nothing."""
    weights = [weight(1.0, 1.0, dtype=torch.float32), weight(1.0, 1.0)]
    assert stepped(Masters(weights), [1.0, 0.0], 0.001) == 0.25
    assert stepped(Masters(weights), [1.0, 1.0], 1e-9) == 0.0


def test_a_sample_of_many_is_the_same_each_time() -> None:
    """A hundred thousand weights, of which the last fifth moves."""
    w = weight(*[1.0] * 100_000, dtype=torch.float32)
    gradients = [0.0] * 80_000 + [1.0] * 20_000
    shares = [stepped(Masters([w]), gradients, 0.001) for _ in range(2)]
    assert shares[0] == shares[1] == pytest.approx(0.2, abs=0.02)


def test_bytes_by_hand() -> None:
    """Two moments of 4 bytes for 3 weights; of two bytes a master too. One that is twice in the list counts once."""
    assert optimizer_bytes([weight(1.0, 1.0, 1.0, dtype=torch.float32)]) == 24
    shared = weight(1.0, 1.0, 1.0)
    assert optimizer_bytes([shared, shared]) == 36


def test_matrices_alone_decay() -> None:
    matrix, bias = torch.nn.Parameter(torch.ones(2, 2)), torch.nn.Parameter(torch.ones(2))
    assert decaying([bias, matrix], 0.5) == [
        {"params": [matrix], "weight_decay": 0.5},
        {"params": [bias], "weight_decay": 0.0},
    ]
    assert decaying([bias], 0.5) == [{"params": [bias], "weight_decay": 0.0}]


def test_a_learner_lets_no_norm_decay() -> None:
    """Of a loss of 0 nothing is left but decay: 1 - .1 × .5 times each matrix."""
    model = tiny_model()
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    Learner(model, learning_rate=0.1, weight_decay=0.5).update(ROWS, lambda p, b: (0 * p.logprobs_N, {}))
    for name, p in model.named_parameters():
        expected = 0.95 * before[name] if p.ndim > 1 else before[name]
        assert torch.allclose(p, expected, atol=1e-6)
        assert p.ndim > 1 or torch.equal(p, before[name])


# -- in a learner ----------------------------------------------------------------------------------------


def in_two_bytes(seed: int = 0) -> Any:
    """As it is loaded: the weights are cast, the tables of the rotary embedding are not."""
    model = tiny_model(seed, vocab_size=len(byte_tokenizer()))
    for parameter in model.parameters():
        parameter.data = parameter.data.bfloat16()
    return model


def learn(learner: Learner, times: int = 1) -> dict[str, float]:
    for _ in range(times):
        metrics = learner.update(ROWS, lambda predictions, batch: imitation(predictions.logprobs_N))
    return metrics


def flat(parameters: Sequence[torch.Tensor]) -> torch.Tensor:
    return torch.cat([p.detach().float().flatten() for p in parameters])


def test_small_steps_of_a_learner_are_those_of_four_bytes() -> None:
    """Ten steps of 1e-6: of the weights themselves next to nothing would move."""
    model = in_two_bytes()
    exact = Learner(in_two_bytes().float(), learning_rate=1e-6)
    learner = Learner(model, learning_rate=1e-6)
    before = flat(learner.masters.stepped)
    assert learn(learner, 10)["moved"] > 0.99
    learn(exact, 10)
    moved = flat(learner.masters.stepped) - before
    assert float((moved != 0).float().mean()) > 0.99
    wanted = flat(exact.parameters) - before
    assert float((moved * wanted).sum() / (moved.norm() * wanted.norm())) > 0.9
    assert all(torch.equal(w, master.bfloat16()) for w, master in learner.masters.rounded)
    assert {p.dtype for p in learner.parameters} == {torch.bfloat16}


def test_a_step_that_is_stopped_changes_nothing() -> None:
    learner = Learner(in_two_bytes(), learning_rate=0.01)
    learn(learner)
    before, seen = flat(learner.masters.stepped), []

    def stops(metrics: Any) -> bool:
        seen.append(metrics)
        return True

    with pytest.raises(StoppedError):
        learner.update(ROWS, lambda predictions, batch: imitation(predictions.logprobs_N), stops=stops)
    assert {"loss", "entropy", "grad_norm"} <= seen[0].keys()
    assert torch.equal(flat(learner.masters.stepped), before)
    assert learner.num_updates == 1
    assert all(master.grad is None for master in learner.masters.stepped)


@pytest.mark.parametrize("steps", [0, 3])
def test_training_goes_on_to_the_bit(steps: int, tmp_path: Path) -> None:
    policy = Policy(in_two_bytes(), chat())
    learner = Learner(policy.module, learning_rate=1e-4)
    for _ in range(steps):
        learn(learner)
    saved = checkpoint.save(tmp_path / "1", policy, learner, {})
    learn(learner, 2)
    again = Learner(load_policy(saved / "policy", device="cpu", dtype="bfloat16").module, learning_rate=1e-4)
    checkpoint.load(saved, again)
    learn(again, 2)
    assert torch.equal(flat(again.masters.stepped), flat(learner.masters.stepped))
    assert torch.equal(flat(again.parameters), flat(learner.parameters))


def test_a_checkpoint_of_other_weights_is_refused(tmp_path: Path) -> None:
    for number, (wrote, reads) in enumerate([(in_two_bytes(), in_two_bytes().float())] * 2):
        first, second = (wrote, reads) if number else (reads, wrote)
        directory, learner = tmp_path / str(number), Learner(first, learning_rate=0.01)
        learn(learner)
        learner.save(directory, weights=False)
        other = Learner(second, learning_rate=0.01)
        before = flat(other.masters.stepped)
        with pytest.raises(DataError, match=r"go on with the --model\.dtype that wrote it"):
            other.load(directory, weights=False)
        assert torch.equal(flat(other.masters.stepped), before)
