"""Two processes with a share of the rows each are one process with all of them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import distributed

from agentgym.learn.batch import Microbatch, microbatches
from agentgym.learn.distributed import ALONE, World, in_step, is_idle
from agentgym.learn.forward import Predictions, predict
from agentgym.learn.learner import Learner
from agentgym.learn.objectives.estimator import Metrics
from agentgym.learn.rows import Row
from tests.kit import eventually, one_thread, row, tiny_model

__all__ = ["one_thread"]

CPU = torch.device("cpu")

_BEGIN = """
import asyncio, json, sys
from pathlib import Path
import torch
from torch import distributed
from agentgym.actors.embedded.engine import EmbeddedEngine
from agentgym.engine import Prompt
from agentgym.errors import NonFiniteError
from agentgym.learn import checkpoint
from agentgym.learn.canary import engine_gap
from agentgym.learn.critic import Critic, estimate, values
from agentgym.learn.distributed import World
from agentgym.learn.drift import forward_kl
from agentgym.learn.frozen import Frozen
from agentgym.learn.policy import Policy
from agentgym.learn.rows import Row
from agentgym.learn.learner import Learner
from tests.kit import chat, tiny_model

rank, size, directory = int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])
torch.set_num_threads(1)
if size > 1:
    distributed.init_process_group("gloo", init_method=f"file://{directory / 'meet'}", rank=rank, world_size=size)
world = World.here()
assert (world.rank, world.size, world.is_first) == (rank, size, rank == 0)

def row(length, salt, bad=False):
    return Row(
        token_ids=[(5 * i + 7 * salt + i * i) % 37 for i in range(length)],
        loss_mask=[(i + salt) % 3 != 0 for i in range(length)],
        behavior_logprobs=[-3.0] * length,
        advantages=[float("nan") if bad else (i + salt) % 3 - 1.5 for i in range(length)],
    )

def rows():
    return [row(9, 1), row(4, 2), row(15, 3), row(9, 4), row(3, 5)]

ALL = rows()
mine = ALL if size == 1 else ([ALL[:4], ALL[4:]][rank])
nothing = rows() if rank == 0 else []  # one process has all there is

def objective(predictions, batch):
    return -batch.advantages_N * predictions.logprobs_N, {"advantage": batch.advantages_N}

def parameters(module):
    return torch.cat([p.detach().flatten() for p in module.parameters()])

def counted(module):
    module.num_calls = 0
    def count(*_):
        module.num_calls += 1
    module.register_forward_pre_hook(count)
    return module
"""

_UPDATE = """
silent = Row(token_ids=[1, 2], loss_mask=[False] * 2, behavior_logprobs=[0.0] * 2, advantages=[0.0] * 2)
found = {}
for aggregation in ("token", "sequence", "constant"):
    model = tiny_model().double()
    learner = Learner(model, learning_rate=0.01, max_grad_norm=0.5, aggregation=aggregation, max_tokens_constant=7,
                      max_microbatch_tokens=16)
    metrics = learner.update(mine, objective, idle=(2.0 if size == 1 else 1.0) if aggregation == "constant" else 0.0)
    for name, share in (("second", ALL if rank == 0 else [silent]), ("third", nothing)):
        assert learner.takes_part(share)
        metrics[name] = learner.update(share, objective)["loss"]
    assert not learner.takes_part([silent])
    before = parameters(model).clone()
    try:
        learner.update([*mine, row(9, 1, bad=True)] if rank == size - 1 else mine, objective)
        metrics["refused"] = 0.0
    except NonFiniteError:
        metrics["refused"] = 1.0
    after = parameters(model)
    assert torch.equal(before, after)
    found[aggregation] = [metrics, after.tolist()]
"""

_FORWARDS = """
model = counted(tiny_model())
learner = Learner(model, learning_rate=0.01, max_microbatch_tokens=8)
frozen = Frozen(learner)
counted(frozen.module)
critic = Learner(counted(Critic(learner.clone())), learning_rate=0.01, forward=values, max_microbatch_tokens=8)
with torch.no_grad():
    critic.module.head.weight.normal_(generator=torch.Generator().manual_seed(0))
trunk = counted(critic.module.trunk)
engine = EmbeddedEngine(tiny_model(1))

calls = []
def forwards(module, run):
    "How many forwards it takes, which all processes must agree on."
    module.num_calls = 0
    result = run()
    calls.append(module.num_calls)
    return result

forwards(model, lambda: learner.score_rows(mine, "proximal_logprobs"))
forwards(model, lambda: learner.score_rows(nothing, "reference_logprobs"))
forwards(frozen.module, lambda: frozen.score(learner, mine))
last = forwards(trunk, lambda: estimate(critic.module, mine, max_tokens=8, world=critic.world))
forwards(trunk, lambda: estimate(critic.module, nothing, max_tokens=8, world=critic.world))
drift = forwards(model, lambda: forward_kl(model, mine, max_tokens=8, world=world))
again = forwards(model, lambda: forward_kl(model, nothing, max_tokens=8, world=world))
prompt = Prompt(ALL[0].token_ids.tolist() if rank == 0 else [])
gap = forwards(model, lambda: asyncio.run(engine_gap(engine, learner, prompt)))
for each in mine:
    each.returns = [1.0] * len(each.token_ids)
loss = forwards(trunk, lambda: critic.update(mine, lambda values_N, batch: ((values_N - 1) ** 2, {}))["loss"])
found = {
    "rows": [[each.proximal_logprobs, each.reference_logprobs, each.values] for each in mine],
    "last": last, "drift": [*drift, *again], "gap": gap if rank == 0 else None, "loss": loss, "calls": calls,
}
"""

_SAVE = """
policy = Policy(tiny_model(vocab_size=len(chat().hf)), chat())
learner = Learner(policy.module, learning_rate=0.01)
learner.update(mine, objective)
saved = checkpoint.save(directory / "1", policy, learner, {"at": 1})
assert sorted(path.name for path in directory.glob("1*")) == ["1"]
checkpoint.save(directory / "1", policy, learner, {"at": 2})
assert sorted(path.name for path in directory.glob("1*")) == ["1", "1+"]
if rank == 0:
    learner.save(directory / "alone")
world.barrier()
learner.update(mine, objective)
expected = parameters(policy.module)
for go_back in (
    lambda other: other.load(directory / "alone"),
    lambda other: (policy.restore(saved / "policy"), checkpoint.load(saved, other)),
):
    other = Learner(policy.module, learning_rate=0.01)
    go_back(other)
    other.update(mine, objective)
    assert torch.equal(parameters(policy.module), expected)
    assert other.num_updates == 2
found = expected.tolist()
"""

_END = """
print(json.dumps(found, default=lambda column: column.tolist()))
if size > 1:
    distributed.destroy_process_group()
"""


def run(body: str, size: int, directory: Path) -> list[Any]:
    directory.mkdir()
    script = _BEGIN + body + _END
    started = [
        subprocess.Popen(
            [sys.executable, "-c", script, str(rank), str(size), str(directory)], stdout=subprocess.PIPE, text=True
        )
        for rank in range(size)
    ]
    outputs = [process.communicate(timeout=300)[0] for process in started]
    assert [process.returncode for process in started] == [0] * size
    return [json.loads(output.splitlines()[-1]) for output in outputs]


@pytest.mark.slow
def test_two_processes_are_one(tmp_path: Path) -> None:
    """Loss, metrics and parameters, also when one of them has no trained token or refuses what the other would take."""
    (alone,) = run(_UPDATE, 1, tmp_path / "one")
    first, second = run(_UPDATE, 2, tmp_path / "two")
    for aggregation, (metrics, parameters) in alone.items():
        for found_metrics, found in (first[aggregation], second[aggregation]):
            assert found_metrics == pytest.approx(metrics, abs=1e-6)
            assert found == pytest.approx(parameters, abs=1e-6)
        assert first[aggregation] == second[aggregation]
        assert metrics["refused"] == 1.0


@pytest.mark.slow
def test_every_forward_runs_on_both(tmp_path: Path) -> None:
    """Equally often, also where one has fewer rows or none; and what is found is what one process finds."""
    (alone,) = run(_FORWARDS, 1, tmp_path / "one")
    first, second = run(_FORWARDS, 2, tmp_path / "two")
    assert first["calls"] == second["calls"]
    assert min(first["calls"]) > 0
    assert max(first["calls"]) > 1
    for part, whole in zip(first["rows"] + second["rows"], alone["rows"], strict=True):
        for found, expected in zip(part, whole, strict=True):
            assert found is None or found == pytest.approx(expected, abs=1e-5)
    assert first["last"] + second["last"] == pytest.approx(alone["last"], abs=1e-5)
    assert first["drift"] == second["drift"] == pytest.approx(alone["drift"], abs=1e-5)
    assert first["gap"] == pytest.approx(alone["gap"], abs=1e-5)
    assert first["loss"] == second["loss"] == pytest.approx(alone["loss"], abs=1e-5)


@pytest.mark.slow
def test_the_first_writes_and_both_go_on_from_it(tmp_path: Path) -> None:
    (alone,) = run(_SAVE, 1, tmp_path / "one")
    first, second = run(_SAVE, 2, tmp_path / "two")
    assert first == second == pytest.approx(alone, abs=1e-5)


def in_two(work: Callable[[World], Any], directory: Path) -> list[Any]:
    """What ``work`` comes to in two processes that learn together: copies of this one, which take no time to begin."""
    children = [_copy(work, rank, directory) for rank in range(2)]
    ended: dict[int, int] = {}

    def all_ended() -> bool:
        for child in children:
            if child not in ended and (found := os.waitpid(child, os.WNOHANG))[0]:
                ended[child] = os.waitstatus_to_exitcode(found[1])
        return len(ended) == 2 or any(ended.values())

    in_time = eventually(all_ended)
    for child in set(children) - set(ended):
        os.kill(child, 9)
        os.waitpid(child, 0)
    told = [file.read_text() for file in sorted(directory.glob("*.txt"))]
    assert in_time, "one waits for the other"
    assert list(ended.values()) == [0, 0], told
    return [json.loads(text) for text in told]


def _copy(work: Callable[[World], Any], rank: int, directory: Path) -> int:
    if child := os.fork():
        return child
    code = 1
    try:
        torch.set_num_threads(1)
        distributed.init_process_group("gloo", init_method=f"file://{directory}/meet", rank=rank, world_size=2)
        result = json.dumps(work(World.here()))
        code = 0
    except BaseException as error:
        result = f"{type(error).__name__}: {error}"
    (directory / f"{rank}.txt").write_text(result)
    os._exit(code)


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
    world.barrier()
    return [
        [world.rank, world.size, world.is_first],
        world.summed([1.0 * factor, 2.0 * factor], CPU),
        [world.most(factor, CPU), world.most(-factor, CPU)],
        world.gathered({"é": "x" * factor}, CPU),
        world.sum_metrics({"loss": 1.0 * factor} | ({} if world.is_first else {"entropy": 5.0}), CPU),
        gradients,
    ]


def test_two_processes_agree_on_sums_and_on_who_is_first(tmp_path: Path) -> None:
    first, second = in_two(_spoken, tmp_path)
    assert (first.pop(0), second.pop(0)) == ([0, 2, True], [1, 2, False])
    assert first == second
    assert first == [
        [11.0, 22.0],
        [10, -1],
        [{"é": "x"}, {"é": "x" * 10}],
        {"entropy": 5.0, "loss": 11.0},
        [
            ["torch.float32", [[11.0, 11.0], [11.0, 11.0]]],
            ["torch.float64", [[2.0, 2.0], [2.0, 2.0]]],
            ["torch.float32", [0.0, 0.0, 0.0]],
        ],
    ]


ALL = [row(9, 1), row(4, 2), row(15, 3), row(9, 4), row(3, 5)]


def _objective(predictions: Predictions, batch: Microbatch) -> tuple[torch.Tensor, Metrics]:
    return -batch.advantages_N * predictions.logprobs_N, {"advantage": batch.advantages_N}


def _learned(world: World, shares: list[list[Row]]) -> list[Any]:
    """Metrics of an update of each share, and all parameters after them."""
    model = tiny_model()
    learner = Learner(model, learning_rate=0.01, max_grad_norm=0.5, max_microbatch_tokens=16, world=world)
    metrics = [learner.update(share, _objective) for share in shares]
    return [metrics, torch.cat([p.detach().flatten() for p in model.parameters()]).tolist()]


def test_an_update_of_two_processes_is_that_of_one_with_all_rows(tmp_path: Path) -> None:
    """Of the shares 4 rows and 1, and of all and none: then one of them computes what is idle."""
    metrics, parameters = _learned(ALONE, [ALL, ALL])
    first, second = in_two(
        lambda world: _learned(world, [ALL[:4] if world.is_first else ALL[4:], ALL if world.is_first else []]), tmp_path
    )
    assert first == second
    assert first[1] == pytest.approx(parameters, abs=1e-5)
    for found, expected in zip(first[0], metrics, strict=True):
        assert found == pytest.approx(expected, abs=1e-5)


def _shown(world: World) -> list[dict[str, float]]:
    """What is asked before a step whether it is to be taken."""
    seen: list[dict[str, float]] = []

    def stops(metrics: Mapping[str, float]) -> bool:
        seen.append(dict(metrics))
        return False

    learner = Learner(tiny_model(), learning_rate=0.01, world=world)
    share = ALL[:4] if world.is_first else ALL[4:]
    learner.update(share, _objective, stops=stops)
    return seen


def test_both_are_asked_with_the_same_numbers_whether_to_stop(tmp_path: Path) -> None:
    first, second = in_two(_shown, tmp_path)
    assert first == second
    assert {"loss", "advantage", "grad_norm"} <= first[0].keys()


def _gone_through(world: World) -> list[int]:
    """Lengths of the sequences of each batch, and how many have nothing to train."""
    rows = ALL if world.is_first else ALL[:1]
    batches = list(in_step(microbatches(rows, [1.0] * len(rows), max_tokens=10), world, CPU))
    return [len(batches), sum(map(is_idle, batches))]


def test_both_go_through_as_many_batches(tmp_path: Path) -> None:
    """Of at most 10 tokens: 14, 7, 7 + 3 and 2 of them, against 7."""
    assert in_two(_gone_through, tmp_path) == [[4, 0], [4, 3]]


def test_alone_nothing_is_sent() -> None:
    assert World.here() == World.one() == ALONE
    assert ALONE.is_first
    assert ALONE.summed([1.0, 2.0], CPU) == [1.0, 2.0]
    assert ALONE.most(3, CPU) == 3
    assert ALONE.gathered({"a": 1}, CPU) == [{"a": 1}]
    parameter = torch.nn.Parameter(torch.ones(2))
    ALONE.sum_gradients([parameter])
    assert parameter.grad is None
    assert list(in_step([], ALONE, CPU)) == []


def test_what_is_idle_goes_through_a_model_and_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(World, "most", lambda *_: 2)
    one, two = in_step([], World(0, 2), CPU)
    assert is_idle(one)
    assert is_idle(two)
    model = tiny_model()
    predictions = predict(model, one)
    assert len(predictions.logprobs_N) == 0
    torch.autograd.backward(predictions.logprobs_N.sum())
    assert not any(parameter.grad is not None and parameter.grad.any() for parameter in model.parameters())
