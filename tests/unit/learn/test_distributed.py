"""Several processes that compute a share of the rows each are one process that computes all of them."""

from __future__ import annotations

import errno
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from peft import LoraConfig, get_peft_model

from agentgym.learn.batch import Microbatch
from agentgym.learn.critic import Critic, estimate, values
from agentgym.learn.distributed import ALONE, World, is_idle, share_of
from agentgym.learn.forward import Predictions, predict
from agentgym.learn.frozen import Frozen
from agentgym.learn.learner import Learner
from agentgym.learn.objectives.estimator import Metrics
from agentgym.learn.prefixes import num_distinct
from agentgym.learn.rows import Row
from agentgym.weights import clone, part, weights_of
from tests.kit import one_thread, row, tiny_model
from tests.ranks import in_ranks

__all__ = ["one_thread"]

CPU = torch.device("cpu")


# -- what is sent ------------------------------------------------------------------------------------------


def _spoken(world: World) -> list[Any]:
    """Every method once; process 0 gives 1, [1, 2] and so on, process 1 ten times as much."""
    factor = 10**world.rank
    parameters = [torch.nn.Parameter(torch.ones(2, 2, dtype=dtype)) for dtype in (torch.float32, torch.float64)]
    silent = torch.nn.Parameter(torch.ones(3))
    parameters[0].grad = torch.full((2, 2), 1.0 * factor)
    if world.is_first:
        parameters[1].grad = torch.full((2, 2), 2.0, dtype=torch.float64)
    world.sum_gradients([*parameters, silent])
    gradients = [[str(p.grad.dtype), p.grad.tolist()] for p in (*parameters, silent) if p.grad is not None]
    halves = [np.array([1, 0], np.float32), np.array([0], np.float32)] if world.is_first else [np.zeros(2, np.float32)]
    halves = halves if world.is_first else [*halves, np.array([7], np.float32)]
    module = torch.nn.Linear(1, 1)
    torch.nn.init.constant_(module.weight, factor)
    world.share(module)
    return [
        [world.rank, world.size, world.is_first],
        world.sum(torch.tensor([1.0 * factor, 2.0 * factor])).tolist(),
        world.gathered({"é": "x" * factor}, CPU),
        world.sum_metrics({"loss": 1.0 * factor} | ({} if world.is_first else {"entropy": 5.0}), CPU),
        gradients,
        [part.tolist() for part in world.put_together(halves, CPU)],
        module.weight.item(),
    ]


def test_two_processes_agree_on_sums_and_on_who_is_first(tmp_path: Path) -> None:
    first, second = in_ranks(_spoken, tmp_path)
    assert (first.pop(0), second.pop(0)) == ([0, 2, True], [1, 2, False])
    assert first == second
    assert first == [
        [11.0, 22.0],
        [{"é": "x"}, {"é": "x" * 10}],
        {"entropy": 5.0, "loss": 11.0},
        [
            ["torch.float32", [[11.0, 11.0], [11.0, 11.0]]],
            ["torch.float64", [[2.0, 2.0], [2.0, 2.0]]],
            ["torch.float32", [0.0, 0.0, 0.0]],
        ],
        [[1.0, 0.0], [7.0]],
        1.0,
    ]


def _refused(world: World) -> list[Any]:
    """What all hear of a disk that is full for process 1."""

    def work() -> None:
        if world.rank:
            raise OSError(errno.ENOSPC, "no room")

    world.agreed(lambda: None, CPU)
    try:
        world.agreed(work, CPU)
    except OSError as error:
        return [error.errno, str(error)]
    return []


def test_all_hear_of_a_disk_that_refuses_one(tmp_path: Path) -> None:
    first, second = in_ranks(_refused, tmp_path)
    assert first == second
    assert first[0] == errno.ENOSPC
    assert "rank 1: " in first[1]


def test_alone_nothing_is_sent() -> None:
    assert World.here() == World.one() == ALONE
    assert ALONE.is_first
    assert ALONE.sum(torch.tensor([1.0])).tolist() == [1.0]
    assert ALONE.gathered({"a": 1}, CPU) == [{"a": 1}]
    parameter = torch.nn.Parameter(torch.ones(2))
    ALONE.sum_gradients([parameter])
    assert parameter.grad is None
    assert list(share_of(ALONE, [], [], max_tokens=10)) == []
    refused = OSError(5, "here")
    with pytest.raises(OSError, match="here") as caught:
        ALONE.agreed(lambda: (_ for _ in ()).throw(refused), CPU)
    assert caught.value is refused


# -- who computes what ---------------------------------------------------------------------------------------

ALL = [row(9, 1), row(4, 2), row(15, 3), row(9, 4), row(3, 5), row(12, 6)]


def _shares(rows: list[Row], size: int, **options: Any) -> list[list[Microbatch]]:
    return [list(share_of(World(rank, size), rows, [1.0] * len(rows), **options)) for rank in range(size)]


@pytest.mark.parametrize("size", [2, 3, 4])
@pytest.mark.parametrize("shares", [False, True])
def test_each_row_is_computed_by_one_process_and_all_have_as_many_batches(size: int, shares: bool) -> None:
    found = _shares(ALL, size, max_tokens=10, shares=shares)
    assert len({len(batches) for batches in found}) == 1
    counts = Counter(int(index) for batches in found for batch in batches for index in batch.rows_N.unique())
    assert counts == {index: 1 for index, each in enumerate(ALL) if each.num_trained}


def test_they_have_as_much_to_do_and_units_stay_whole() -> None:
    rows = [row(5 + number % 7, number, unit=number // 2) for number in range(40)]
    found = _shares(rows, 4, max_tokens=50)
    loads = [sum(len(batch.ids_T) for batch in batches if not is_idle(batch)) for batches in found]
    assert max(loads) - min(loads) <= 2 * max(each.num_needed for each in rows)
    owners: dict[int, set[int]] = {}
    for rank, batches in enumerate(found):
        for batch in batches:
            for index in batch.rows_N.unique().tolist():
                owners.setdefault(index // 2, set()).add(rank)
    assert set(map(len, owners.values())) == {1}


def test_what_begins_alike_is_computed_by_one_process() -> None:
    """Two groups whose members have 64 tokens in common: apart, each of two processes would compute both."""
    rows = []
    for group in range(2):
        for member in range(4):
            ids = [group + 1] * 64 + [10 + member] * 4
            mask = [False] * 64 + [True] * 4
            rows.append(Row(token_ids=ids, loss_mask=mask, behavior_logprobs=[0.0] * 68, advantages=[1.0] * 68))
    rows = rows[::2] + rows[1::2]
    for batches in _shares(rows, 2, max_tokens=1000, shares=True):
        (batch,) = batches
        assert batch.trie is not None
        sequences = [part.numpy().astype(np.int32) for part in torch.split(batch.ids_T, batch.lengths)]
        assert num_distinct(sequences) < 64 + 4 * 4


def test_one_without_rows_is_idle_and_that_changes_nothing() -> None:
    (one,), (other,) = _shares([row(9, 1)], 2, max_tokens=100)
    assert not is_idle(one)
    assert is_idle(other)
    model = tiny_model()
    predictions = predict(model, other)
    assert len(predictions.logprobs_N) == 0
    torch.autograd.backward(predictions.logprobs_N.sum())
    assert not any(parameter.grad is not None and parameter.grad.any() for parameter in model.parameters())


# -- an update -------------------------------------------------------------------------------------------------


def _objective(predictions: Predictions, batch: Microbatch) -> tuple[torch.Tensor, Metrics]:
    return -batch.advantages_N * predictions.logprobs_N, {"advantage": batch.advantages_N}


def _fit(values_N: torch.Tensor, batch: Microbatch) -> tuple[torch.Tensor, Metrics]:
    return (values_N - batch.advantages_N) ** 2, {}


def _plain() -> Any:
    return tiny_model(tie_word_embeddings=False).double()


def _tied() -> Any:
    return tiny_model().double()


def _adapted() -> Any:
    config = LoraConfig(r=3, target_modules="all-linear", task_type="CAUSAL_LM", init_lora_weights="gaussian")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        return get_peft_model(tiny_model(), config).double()


def _learned(world: World, make: Callable[[], Any], shards: bool) -> dict[str, Any]:
    """All that a learner, a critic and a reference come to."""
    options: dict[str, Any] = {"learning_rate": 0.01, "max_microbatch_tokens": 16, "world": world, "shards": shards}
    model = make()
    learner = Learner(model, max_grad_norm=0.5, **options)
    frozen = Frozen(learner)
    critic = Learner(Critic(learner.clone()), forward=values, **options)
    own = sum(part(weight).numel() for _, weight in learner.module.named_parameters())
    assert (own < sum(weight.numel() for weight in learner.module.parameters())) is learner.shards
    metrics = [learner.update(rows, _objective) for rows in (ALL, ALL[:1])]
    metrics += [critic.update(rows, _fit) for rows in (ALL, ALL[:1], ALL)]
    rows = [each.model_copy() for each in ALL]
    learner.score_rows(rows, "proximal_logprobs")
    frozen.score(learner, rows)
    last = estimate(critic.module, rows, max_tokens=16, world=world)
    names = ("proximal_logprobs", "reference_logprobs", "values")
    copy = clone(learner.module)
    return {
        "metrics": metrics,
        "weights": {name: tensor.tolist() for name, tensor in learner.weights()},
        "copy": sum(float(tensor.abs().sum()) for _, tensor in weights_of(copy)),
        "critic": {name: tensor.tolist() for name, tensor in critic.weights() if "head" in name or "norm" in name},
        "rows": [[getattr(each, name).tolist() for name in names] for each in rows],
        "last": last,
    }


@pytest.mark.parametrize("size", [2, pytest.param(4, marks=pytest.mark.slow)])
@pytest.mark.parametrize("shards", [True, False], ids=["spread", "whole"])
@pytest.mark.parametrize("make", [_plain, _tied, _adapted])
def test_several_processes_are_one(make: Callable[[], Any], shards: bool, size: int, tmp_path: Path) -> None:
    """Policy, critic and reference in double precision, also where all but one of the processes are idle."""
    expected = _learned(ALONE, make, shards=False)
    found = in_ranks(lambda world: _learned(world, make, shards), tmp_path, size)
    assert all(each == found[0] for each in found[1:])
    _agree(found[0], expected)


def _agree(found: Any, expected: Any) -> None:
    if isinstance(expected, dict):
        assert found.keys() == expected.keys()
        for name, value in expected.items():
            _agree(found[name], value)
    elif isinstance(expected, list):
        assert np.asarray(found, dtype=object).shape == np.asarray(expected, dtype=object).shape
        for one, other in zip(found, expected, strict=True):
            _agree(one, other)
    else:
        assert found == pytest.approx(expected, abs=1e-6)


def _in_bfloat16(world: World) -> list[Any]:
    """Weights of two bytes, whose masters are spread too."""
    model = tiny_model().bfloat16()
    learner = Learner(model, learning_rate=0.01, max_microbatch_tokens=16, world=world, shards=True)
    metrics = [learner.update(ALL, _objective) for _ in range(2)]
    return [[each["moved"], each["grad_norm"]] for each in metrics]


def test_masters_are_spread_too(tmp_path: Path) -> None:
    first, second = in_ranks(_in_bfloat16, tmp_path)
    assert first == second
    for found, expected in zip(first, _in_bfloat16(ALONE), strict=True):
        assert found == pytest.approx(expected, rel=0.05)


def _shown(world: World) -> list[dict[str, float]]:
    """What is asked before a step whether it is to be taken."""
    seen: list[dict[str, float]] = []

    def stops(metrics: Mapping[str, float]) -> bool:
        seen.append(dict(metrics))
        return False

    Learner(tiny_model(), learning_rate=0.01, world=world).update(ALL, _objective, stops=stops)
    return seen


def test_both_are_asked_with_the_same_numbers_whether_to_stop(tmp_path: Path) -> None:
    first, second = in_ranks(_shown, tmp_path)
    assert first == second
    assert {"loss", "advantage", "grad_norm"} <= first[0].keys()
