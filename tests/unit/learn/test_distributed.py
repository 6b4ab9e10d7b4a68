"""Two processes with a share of the rows each are one process with all of them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from agentgym.learn.distributed import is_distributed, sum_gradients, summed

_ONE_OF = """
import json, sys
import torch
from torch import distributed
from agentgym.errors import NonFiniteError
from agentgym.learn.rows import Row
from agentgym.learn.learner import Learner
from tests.kit import tiny_model

rank, world, file = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
torch.set_num_threads(1)
if world > 1:
    distributed.init_process_group("gloo", init_method=f"file://{file}", rank=rank, world_size=world)

def row(length, salt, bad=False):
    return Row(
        token_ids=[(5 * i + 7 * salt + i * i) % 37 for i in range(length)],
        loss_mask=[(i + salt) % 3 != 0 for i in range(length)],
        behavior_logprobs=[-3.0] * length,
        advantages=[float("nan") if bad else (i + salt) % 3 - 1.5 for i in range(length)],
    )

ALL = [row(9, 1), row(4, 2), row(15, 3), row(9, 4), row(3, 5)]
mine = ALL if world == 1 else ([ALL[:4], ALL[4:]][rank])
silent = Row(token_ids=[1, 2], loss_mask=[False] * 2, behavior_logprobs=[0.0] * 2, advantages=[0.0] * 2)

def objective(predictions, batch):
    return -batch.advantages_N * predictions.logprobs_N, {"advantage": batch.advantages_N}

found = {}
for aggregation in ("token", "sequence", "constant"):
    model = tiny_model().double()
    learner = Learner(model, learning_rate=0.01, max_grad_norm=0.5, aggregation=aggregation, max_tokens_constant=7,
                      max_microbatch_tokens=16)
    metrics = learner.update(mine, objective)
    metrics["second"] = learner.update(ALL if rank == 0 else [silent], objective)["loss"]  # one has nothing
    before = torch.cat([p.flatten() for p in model.parameters()]).detach().clone()
    try:
        learner.update([*mine, row(9, 1, bad=True)] if rank == world - 1 else mine, objective)
        metrics["refused"] = 0.0
    except NonFiniteError:
        metrics["refused"] = 1.0
    after = torch.cat([p.flatten() for p in model.parameters()]).detach()
    assert torch.equal(before, after)
    found[aggregation] = [metrics, after.tolist()]
print(json.dumps(found))
if world > 1:
    distributed.destroy_process_group()
"""


def run(world: int, file: Path) -> list[dict[str, Any]]:
    started = [
        subprocess.Popen(
            [sys.executable, "-c", _ONE_OF, str(rank), str(world), str(file)], stdout=subprocess.PIPE, text=True
        )
        for rank in range(world)
    ]
    outputs = [process.communicate(timeout=300)[0] for process in started]
    assert [process.returncode for process in started] == [0] * world
    return [json.loads(output.splitlines()[-1]) for output in outputs]


@pytest.mark.slow
def test_two_processes_are_one(tmp_path: Path) -> None:
    """Loss, metrics and parameters, also when one of them has no trained token or refuses what the other would take."""
    (alone,) = run(1, tmp_path / "one")
    first, second = run(2, tmp_path / "two")
    for aggregation, (metrics, parameters) in alone.items():
        for found_metrics, found in (first[aggregation], second[aggregation]):
            assert found_metrics == pytest.approx(metrics, abs=1e-6)
            assert found == pytest.approx(parameters, abs=1e-6)
        assert first[aggregation] == second[aggregation]
        assert metrics["refused"] == 1.0


def test_alone_nothing_is_sent() -> None:
    assert not is_distributed()
    assert summed([1.0, 2.0], torch.device("cpu")) == [1.0, 2.0]
    parameter = torch.nn.Parameter(torch.ones(2))
    sum_gradients([parameter])
    assert parameter.grad is None
